// Display adapters can have linear frame buffers from now on.
import { optional } from '../optional.ts';
import { Vbe } from './vbe.ts';

optional.Vbe = Vbe;

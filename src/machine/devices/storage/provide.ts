// Boards can have drives from now on.
import { optional } from '../optional.ts';
import { Storage } from './storage.ts';

optional.Storage = Storage;

// The whole of Xen's interface from now on: everything that extensions.ts asks for.
import { optionalPae } from './extensions.ts';
import { makePaeArea } from './pae-area.ts';

optionalPae.makeArea = makePaeArea;

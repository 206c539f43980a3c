// From now on hot guest code is compiled, on every processor that allows it, and what is not hot is interpreted fast.
import { compilers } from '../cpu/compiler.ts';
import '../cpu/fast-path/provide.ts';
import { Engine } from './engine.ts';

compilers.make = (cpu) => new Engine(cpu);

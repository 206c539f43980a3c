// Hot guest code is compiled from now on, on every processor that allows it.
import { compilers } from '../cpu/compiler.ts';
import { Engine } from './engine.ts';

compilers.make = (cpu) => new Engine(cpu);

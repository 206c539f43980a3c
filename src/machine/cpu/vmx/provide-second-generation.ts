// Processors of 2008 have EPT, VPID and unrestricted guests from now on.
import { provideExecutors } from '../executors/index.ts';
import { generations } from './generations.ts';
import { invalidateExecutors } from './invalidate.ts';
import { secondGeneration } from './second-generation.ts';

generations.second = secondGeneration;
provideExecutors(invalidateExecutors);

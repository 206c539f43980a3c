// Processors have performance counters from now on.
import { optionalMsrs } from './msrs.ts';
import { counterMsr, PERF, selectMsr } from './performance-counters.ts';

for (const n of [0, 1]) optionalMsrs.set(PERF.counter + n, counterMsr).set(PERF.select + n, selectMsr);

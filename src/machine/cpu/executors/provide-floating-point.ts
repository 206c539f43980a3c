// Processors have a floating-point unit from now on: x87, MMX, SSE and SSE2.
import { provideExecutors } from './index.ts';
import { x87Executors } from './x87.ts';

provideExecutors(x87Executors);

// Processors of this program can run SVM instructions from now on.
import { provideExecutors } from '../executors/index.ts';
import { svmExecutors } from './instructions.ts';

provideExecutors(svmExecutors);

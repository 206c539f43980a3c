// The interpreter takes its fast path from now on, with whatever is decoded from now on.
import { fastForm } from './forms.ts';
import { faulted } from './miss.ts';
import { runFast } from './run.ts';
import { fastPaths } from './seam.ts';

fastPaths.provided = { form: fastForm, run: runFast, faulted };

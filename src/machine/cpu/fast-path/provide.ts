// The interpreter takes its fast path from now on, with whatever is decoded from now on.
import { fastForm } from './forms.ts';
import { faulted } from './miss.ts';
import { practise } from './practice.ts';
import { runFast } from './run.ts';
import { fastPaths } from './seam.ts';

practise();
fastPaths.provided = { form: fastForm, run: runFast, faulted };

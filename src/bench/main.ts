// Entry of `npm run bench`.
import { bench } from './command.ts';
import { BenchError } from './peers.ts';

bench(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: Error) => {
    console.error(error instanceof BenchError ? error.message : error);
    process.exit(2);
  },
);

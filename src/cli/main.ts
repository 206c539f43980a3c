// The terminal: the same session without a page, for teachers, graders and tests.
import { ringside } from './command.ts';

// `ringside … | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(1);
  throw error;
});
process.exitCode = await ringside(process.argv.slice(2));

// Assembles what the learner types, away from the page's thread and from the machine's.
import { assemble } from '../assembler/assemble.ts';
import type { AssembleRequest, AssembleResult } from './assembly-messages.ts';
import { includePaths } from './includes.ts';

const scope = self as unknown as {
  onmessage: ((event: { data: AssembleRequest }) => void) | null;
  postMessage(result: AssembleResult): void;
};

scope.onmessage = ({ data: { id, files, main } }) => {
  const { diagnostics, symbols, bytes, origin } = assemble(new Map(files), main, {
    includePaths: includePaths(main),
  });
  scope.postMessage({ id, diagnostics, symbols, size: bytes.length, origin });
};

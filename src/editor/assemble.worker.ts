// Assembles what the learner types, away from the page's thread and from the machine's.
import { assemble, type LineMap } from '../assembler/assemble.ts';
import type { AssembleRequest, AssembleResult } from './assembly-messages.ts';
import { includePaths } from './includes.ts';

const scope = self as unknown as {
  onmessage: ((event: { data: AssembleRequest }) => void) | null;
  postMessage(result: AssembleResult): void;
};

scope.onmessage = ({ data: { id, files, main } }) => {
  const { diagnostics, symbols, bytes, origin, lines } = assemble(new Map(files), main, {
    includePaths: includePaths(main),
  });
  scope.postMessage({ id, diagnostics, symbols, size: bytes.length, origin, codeLines: codeLines(lines) });
};

function codeLines({ spans }: LineMap): Map<string, number[]> {
  const found = new Map<string, Set<number>>();
  for (const { file, line } of spans) {
    let lines = found.get(file);
    if (!lines) found.set(file, (lines = new Set()));
    lines.add(line);
  }
  return new Map([...found].map(([file, lines]) => [file, [...lines].sort((a, b) => a - b)]));
}

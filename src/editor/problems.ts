// Diagnostics of the assembler as the editor shows them: markers under the very column, fixes, counts, one-line texts. Pure.
import type { Diagnostic } from '../assembler/diagnostics.ts';

/** As Monaco's IMarkerData; 8 = error, 4 = warning (MarkerSeverity). */
export interface Marker {
  severity: 8 | 4;
  message: string;
  source: string;
  startLineNumber: number;
  startColumn: number;
  endLineNumber: number;
  endColumn: number;
}

/** Replace the marked stretch by `text`. */
export interface Fix {
  readonly title: string;
  readonly text: string;
}

export interface Problem extends Diagnostic {
  readonly fix: Fix | null;
}

const REPLACEMENTS = [/^did you mean `([^`]+)`\?$/, /^write `([^`]+)`$/];

/** The replacement that a suggestion offers for the marked stretch; null when it is advice only. */
export function fixOf(suggestion: string | undefined): Fix | null {
  for (const pattern of REPLACEMENTS) {
    const text = pattern.exec(suggestion ?? '')?.[1];
    if (text && !text.includes('\n')) return { title: `Replace by “${text}”`, text };
  }
  return null;
}

export function problemsOf(diagnostics: readonly Diagnostic[]): Problem[] {
  return diagnostics.map((diagnostic) => ({ ...diagnostic, fix: fixOf(diagnostic.suggestion) }));
}

/**
 * Markers of one file.
 * @param lengthOf characters in a line (1-based), or undefined when there is no such line: a report on a text that was
 * edited since is drawn where there is something to mark
 */
export function markersOf(
  problems: readonly Problem[],
  file: string,
  lengthOf: (line: number) => number | undefined,
): Marker[] {
  return problems.flatMap((problem) => {
    const length = lengthOf(problem.line);
    if (problem.file !== file || length === undefined) return [];
    const startColumn = Math.min(problem.column, length + 1);
    return {
      severity: problem.severity === 'error' ? 8 : 4,
      message: problem.suggestion ? `${problem.message}\n${problem.suggestion}` : problem.message,
      source: 'assembler',
      startLineNumber: problem.line,
      startColumn,
      endLineNumber: problem.line,
      endColumn: Math.max(startColumn + 1, Math.min(problem.endColumn, length + 1)),
    };
  });
}

export interface Count {
  errors: number;
  warnings: number;
}

export function countOf(problems: readonly Diagnostic[]): Count {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  return { errors, warnings: problems.length - errors };
}

/** `2 errors, 1 warning`; `no problems`. */
export function countText({ errors, warnings }: Count): string {
  const parts = [
    ...(errors > 0 ? [`${errors} ${errors === 1 ? 'error' : 'errors'}`] : []),
    ...(warnings > 0 ? [`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`] : []),
  ];
  return parts.join(', ') || 'no problems';
}

/** Problems per file, for the badges of the file list. */
export function countByFile(problems: readonly Diagnostic[]): Map<string, Count> {
  const counts = new Map<string, Count>();
  for (const problem of problems) {
    let count = counts.get(problem.file);
    if (!count) counts.set(problem.file, (count = { errors: 0, warnings: 0 }));
    if (problem.severity === 'error') count.errors++;
    else count.warnings++;
  }
  return counts;
}

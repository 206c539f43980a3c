// What is being read: a stack of files, macro expansions and `%rep` bodies, and the conditions open in them.
import type { Diagnostics, Site } from '../diagnostics.ts';
import type { LogicalLine } from '../source.ts';
import type { Token } from '../token.ts';
import type { Call } from './substitute.ts';

export interface Frame {
  readonly kind: 'file' | 'macro' | 'rep';
  readonly file: string;
  readonly lines: readonly LogicalLine[];
  next: number;
  /** The call whose parameters apply. */
  readonly call: Call | null;
  /** The outermost macro call. */
  readonly site: Site | null;
  /** `%rep`: times left, this one included. */
  remaining: number;
  /** Conditions open when it began. */
  readonly conditions: number;
}

/** `%if` … `%endif`: emitting, waiting for a branch that holds, or done. */
export interface Condition {
  state: 'emit' | 'wait' | 'done';
  seenElse: boolean;
  readonly opened: Token;
}

export class FrameStack {
  readonly frames: Frame[] = [];
  readonly conditions: Condition[] = [];

  get top(): Frame | undefined {
    return this.frames[this.frames.length - 1];
  }

  /** The innermost condition. */
  get condition(): Condition | undefined {
    return this.conditions[this.conditions.length - 1];
  }

  /** The name of the file being read. */
  get file(): string {
    return this.frames.findLast((frame) => frame.kind === 'file')?.file ?? '';
  }

  get includeDepth(): number {
    return this.frames.reduce((depth, frame) => depth + (frame.kind === 'file' ? 1 : 0), 0);
  }

  push(
    kind: Frame['kind'],
    file: string,
    lines: readonly LogicalLine[],
    call: Call | null = null,
    site: Site | null = null,
    remaining = 1,
  ): void {
    const conditions = this.conditions.length;
    this.frames.push({ kind, file, lines, next: 0, call, site, remaining, conditions });
  }

  /** The lines of the top frame are used up: repeats it, or drops it. */
  finish(diagnostics: Diagnostics): void {
    const frame = this.top!;
    if (this.conditions.length > frame.conditions) {
      const { opened } = this.condition!;
      diagnostics.error(opened, `\`${opened.text}\` has no \`%endif\``);
      this.conditions.length = frame.conditions;
    }
    if (frame.kind === 'rep' && --frame.remaining > 0) frame.next = 0;
    else this.drop();
  }

  /** Leaves the innermost frame of a kind, and what is inside it. False when there is none in this file. */
  exit(kind: 'rep' | 'macro'): boolean {
    const at = this.frames.findLastIndex((frame) => frame.kind === kind);
    if (at < 0 || this.frames.findLastIndex((frame) => frame.kind === 'file') > at) return false;
    this.conditions.length = this.frames[at].conditions;
    while (this.frames.length > at) this.drop();
    return true;
  }

  private drop(): void {
    const frame = this.frames.pop()!;
    if (frame.kind === 'macro') frame.call!.macro.depth--;
  }
}

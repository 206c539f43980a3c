// Which source line made which bytes, and where a line's bytes are: for breakpoints, traces and the heat of lines.
// Text from macros belongs to the line of the call; text from includes to the included line.

export interface SourcePosition {
  readonly file: string;
  readonly line: number;
}

/** One stretch of bytes from one line. */
export interface LineSpan extends SourcePosition {
  /** Offset in the image; -1 for what has no bytes there (nobits sections). */
  readonly offset: number;
  /** Virtual address. */
  readonly address: number;
  readonly length: number;
}

export class LineMap {
  private made: readonly LineSpan[] | null = null;
  private addressOrder: readonly LineSpan[] | null = null;
  private offsetOrder: readonly LineSpan[] | null = null;
  private firsts: Map<string, LineSpan> | null = null;

  /** The spans in the order of assembly; a function is called when somebody asks. */
  constructor(private readonly source: readonly LineSpan[] | (() => readonly LineSpan[])) {}

  /** All stretches in the order of assembly. */
  get spans(): readonly LineSpan[] {
    return (this.made ??= typeof this.source === 'function' ? this.source() : this.source);
  }

  /** The line whose bytes lie at this address, or null. */
  at(address: number): SourcePosition | null {
    return search(
      (this.addressOrder ??= [...this.spans].sort((a, b) => a.address - b.address)),
      'address',
      address,
    );
  }

  /** The line that made this byte of the image, or null. */
  atOffset(offset: number): SourcePosition | null {
    return search(
      (this.offsetOrder ??= this.spans
        .filter((span) => span.offset >= 0)
        .sort((a, b) => a.offset - b.offset)),
      'offset',
      offset,
    );
  }

  /** The address of the first byte that the line made, or null when it made none. */
  addressOf(file: string, line: number): number | null {
    return this.first(file, line)?.address ?? null;
  }

  /** The offset in the image of the first byte that the line made, or null. */
  offsetOf(file: string, line: number): number | null {
    const offset = this.first(file, line)?.offset ?? -1;
    return offset < 0 ? null : offset;
  }

  private first(file: string, line: number): LineSpan | undefined {
    if (!this.firsts) {
      this.firsts = new Map();
      for (const span of this.spans) {
        const key = `${span.file}\0${span.line}`;
        if (!this.firsts.has(key)) this.firsts.set(key, span);
      }
    }
    return this.firsts.get(`${file}\0${line}`);
  }
}

function search(
  spans: readonly LineSpan[],
  key: 'address' | 'offset',
  wanted: number,
): SourcePosition | null {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle][key] <= wanted) low = middle + 1;
    else high = middle;
  }
  // Sections placed at one address by hand may overlap: look back a little.
  for (let i = low - 1; i >= 0 && i >= low - 8; i--) {
    const span = spans[i];
    if (wanted < span[key] + span.length) return { file: span.file, line: span.line };
  }
  return null;
}

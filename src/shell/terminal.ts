// A character terminal as a model: text with control functions in, lines of cells out. Follows ECMA-48 (5th ed., §8.3)
// for what guests of the time send: cursor movement, erasing, inserting and deleting, colours, a scrolling region. Pure.

/** Colour 256: the terminal's own. */
export const DEFAULT_COLOUR = 256;
/** Lines kept above the screen. */
export const SCROLLBACK = 1000;

/** How a cell looks, packed: bits 0–8 foreground, 9–17 background, 18 bold, 19 underlined, 20 reversed. */
export type Look = number;
export const PLAIN: Look = DEFAULT_COLOUR | (DEFAULT_COLOUR << 9);
const BOLD = 1 << 18;
const UNDERLINED = 1 << 19;
const REVERSED = 1 << 20;

/** The look taken apart; reversed colours are swapped already, and only the terminal's own pair is left to the view. */
export function unpackLook(look: Look) {
  const reversed = (look & REVERSED) !== 0;
  const colours = [look & 511, (look >> 9) & 511];
  if (reversed) colours.reverse();
  return {
    foreground: colours[0],
    background: colours[1],
    bold: (look & BOLD) !== 0,
    underlined: (look & UNDERLINED) !== 0,
    reversed,
  };
}

export class Line {
  readonly text: string[] = [];
  readonly looks: Look[] = [];
  /** Grows with every change, so that a view knows what to draw anew. */
  version = 0;

  put(column: number, character: string, look: Look): void {
    while (this.text.length < column) {
      this.text.push(' ');
      this.looks.push(PLAIN);
    }
    this.text[column] = character;
    this.looks[column] = look;
    this.version++;
  }
  /** Blanks from `start` up to `end`. */
  erase(start: number, end: number): void {
    if (end >= this.text.length) this.text.length = this.looks.length = Math.min(start, this.text.length);
    else for (let n = start; n < end; n++) this.put(n, ' ', PLAIN);
    this.version++;
  }
  insert(column: number, count: number, columns: number): void {
    if (column < this.text.length) {
      this.text.splice(column, 0, ...Array<string>(count).fill(' '));
      this.looks.splice(column, 0, ...Array<Look>(count).fill(PLAIN));
      this.text.length = this.looks.length = Math.min(columns, this.text.length);
    }
    this.version++;
  }
  delete(column: number, count: number): void {
    this.text.splice(column, count);
    this.looks.splice(column, count);
    this.version++;
  }
  toString(): string {
    return this.text.join('').trimEnd();
  }
}

export class Terminal {
  /** Scrollback, then the screen. */
  readonly lines: Line[] = [new Line()];
  /** Number of the first line that is still kept, counted from the beginning. */
  firstLine = 0;
  row = 0;
  column = 0;
  private look: Look = PLAIN;
  private saved = { row: 0, column: 0, look: PLAIN };
  private regionTop = 0;
  private regionBottom: number;
  private state: 'text' | 'escape' | 'sequence' | 'string' = 'text';
  private parameters = '';

  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.regionBottom = rows - 1;
  }

  /** Index of the screen's first line in `lines`. */
  get top(): number {
    return Math.max(0, this.lines.length - this.rows);
  }

  /** Takes what a guest has sent. */
  feed(text: string): void {
    for (const character of text) this.take(character);
  }

  toString(): string {
    return this.lines.join('\n');
  }

  private take(c: string): void {
    switch (this.state) {
      case 'text':
        if (c >= ' ' && c !== '\x7f') this.print(c);
        else this.control(c);
        return;
      case 'escape':
        this.escape(c);
        return;
      case 'string':
        // An operating-system command (window titles and the like): skipped to its end.
        if (c === '\x07' || c === '\x1b') this.state = c === '\x1b' ? 'escape' : 'text';
        return;
      case 'sequence':
        if (c >= '\x20' && c <= '\x3f') {
          if (this.parameters.length < 32) this.parameters += c;
          return;
        }
        this.state = 'text';
        if (c >= '@' && c <= '~') this.sequence(c);
        else this.control(c);
    }
  }

  private line(row = this.row): Line {
    while (this.lines.length <= this.top + row) this.lines.push(new Line());
    return this.lines[this.top + row];
  }

  private print(c: string): void {
    if (this.column >= this.columns) {
      this.column = 0;
      this.lineFeed();
    }
    this.line().put(this.column++, c, this.look);
  }

  private control(c: string): void {
    switch (c) {
      case '\n':
        // Guests of ours end lines by LF alone; those that send CR LF lose nothing.
        this.column = 0;
        this.lineFeed();
        return;
      case '\r':
        this.column = 0;
        break;
      case '\b':
        this.column = Math.max(0, Math.min(this.column, this.columns) - 1);
        break;
      case '\t':
        this.column = Math.min(this.columns - 1, (Math.floor(this.column / 8) + 1) * 8);
        break;
      case '\x1b':
        this.state = 'escape';
        return;
    }
    this.line().version++;
  }

  private lineFeed(): void {
    this.line().version++;
    if (this.row < this.regionBottom) this.row++;
    else if (this.regionTop === 0 && this.regionBottom === this.rows - 1) this.pushLine();
    else this.scroll(this.regionTop, 1);
    this.line().version++;
  }

  private pushLine(): void {
    while (this.lines.length < this.rows) this.lines.push(new Line());
    this.lines.push(new Line());
    if (this.lines.length > this.rows + SCROLLBACK) {
      this.lines.shift();
      this.firstLine++;
    }
  }

  /** Moves the lines from `from` to the region's end up (down when negative). */
  private scroll(from: number, count: number): void {
    this.line(this.regionBottom);
    const { top } = this;
    for (let n = Math.min(Math.abs(count), this.regionBottom - from + 1); n > 0; n--) {
      const [out, into] = count > 0 ? [from, this.regionBottom] : [this.regionBottom, from];
      this.lines.splice(top + out, 1);
      this.lines.splice(top + into, 0, new Line());
    }
  }

  private escape(c: string): void {
    this.state = 'text';
    switch (c) {
      case '[':
        this.state = 'sequence';
        this.parameters = '';
        break;
      case ']':
      case 'P':
        this.state = 'string';
        break;
      case '7':
        this.saved = { row: this.row, column: this.column, look: this.look };
        break;
      case '8':
        this.moveTo(this.saved.row, this.saved.column);
        this.look = this.saved.look;
        break;
      case 'c':
        this.erase(2);
        this.look = PLAIN;
        this.moveTo(0, 0);
        break;
      case 'D':
        this.lineFeed();
        break;
      case 'M':
        if (this.row > this.regionTop) this.moveTo(this.row - 1, this.column);
        else this.scroll(this.regionTop, -1);
        break;
    }
  }

  private sequence(final: string): void {
    // Private sequences (?…) switch modes of real terminals; none of them shows here.
    if (this.parameters.startsWith('?')) return;
    const numbers = this.parameters.split(';').map((p) => Number.parseInt(p, 10) || 0);
    const n = Math.max(1, numbers[0]);
    Terminal.SEQUENCES[final]?.(this, n, numbers);
  }

  /** By final character (ECMA-48 §8.3): what it does with its first number (at least 1) and all its numbers. */
  private static readonly SEQUENCES: Readonly<
    Record<string, (t: Terminal, n: number, numbers: number[]) => void>
  > = {
    A: (t, n) => t.moveTo(t.row - n, t.column),
    B: (t, n) => t.moveTo(t.row + n, t.column),
    C: (t, n) => t.moveTo(t.row, t.column + n),
    D: (t, n) => t.moveTo(t.row, Math.min(t.column, t.columns) - n),
    G: (t, n) => t.moveTo(t.row, n - 1),
    d: (t, n) => t.moveTo(n - 1, t.column),
    H: (t, n, numbers) => t.moveTo(n - 1, Math.max(1, numbers[1] ?? 1) - 1),
    f: (t, n, numbers) => t.moveTo(n - 1, Math.max(1, numbers[1] ?? 1) - 1),
    J: (t, _, numbers) => t.erase(numbers[0]),
    K: (t, _, numbers) => t.eraseLine(numbers[0]),
    L: (t, n) => t.scroll(t.row, -n),
    M: (t, n) => t.scroll(t.row, n),
    '@': (t, n) => t.line().insert(t.column, Math.min(n, t.columns), t.columns),
    P: (t, n) => t.line().delete(t.column, n),
    X: (t, n) => t.line().erase(t.column, Math.min(t.columns, t.column + n)),
    m: (t, _, numbers) => t.setLook(numbers),
    r: (t, n, numbers) => t.setRegion(n, numbers[1]),
  };

  private setRegion(first: number, last: number | undefined): void {
    const bottom = last ? Math.min(this.rows, last) : this.rows;
    if (first >= bottom) return;
    this.regionTop = first - 1;
    this.regionBottom = bottom - 1;
    this.moveTo(0, 0);
  }

  private moveTo(row: number, column: number): void {
    this.line().version++;
    this.row = Math.max(0, Math.min(this.rows - 1, row));
    // A screen that is not full yet has fewer lines than rows: filling it up keeps rows and lines in step.
    while (this.lines.length < this.rows) this.lines.push(new Line());
    this.column = Math.max(0, Math.min(this.columns - 1, column));
    this.line().version++;
  }

  private erase(what: number): void {
    if (what < 2) this.eraseLine(what);
    const [from, to] = what === 0 ? [this.row + 1, this.rows] : what === 1 ? [0, this.row] : [0, this.rows];
    for (let row = from; row < to && this.top + row < this.lines.length; row++)
      this.line(row).erase(0, this.columns);
  }

  private eraseLine(what: number): void {
    const start = what === 0 ? this.column : 0;
    this.line().erase(start, what === 1 ? this.column + 1 : this.columns);
  }

  private setLook(numbers: number[]): void {
    for (let n = 0; n < numbers.length; n++) {
      const code = numbers[n];
      if (code === 0) this.look = PLAIN;
      else if (code === 1) this.look |= BOLD;
      else if (code === 4) this.look |= UNDERLINED;
      else if (code === 7) this.look |= REVERSED;
      else if (code === 22) this.look &= ~BOLD;
      else if (code === 24) this.look &= ~UNDERLINED;
      else if (code === 27) this.look &= ~REVERSED;
      else if (code === 38 || code === 48) {
        if (numbers[n + 1] === 5) this.colour(code === 38 ? 0 : 9, numbers[n + 2] & 255);
        n += numbers[n + 1] === 5 ? 2 : 4;
      } else if (code === 39 || code === 49) this.colour(code === 39 ? 0 : 9, DEFAULT_COLOUR);
      else if (code >= 30 && code < 48) this.colour(code < 40 ? 0 : 9, code % 10);
      else if (code >= 90 && code < 108) this.colour(code < 100 ? 0 : 9, (code % 10) + 8);
    }
  }

  private colour(shift: number, value: number): void {
    this.look = (this.look & ~(511 << shift)) | (value << shift);
  }
}

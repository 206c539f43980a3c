// A stretch of disassembled memory that grows in both directions. Forward is certain; backward is not, since IA-32
// instructions have no alignment: an earlier start is accepted when its instructions meet the known ones. Pure.
import type { Line } from '../worker/protocol.ts';

/** Bytes to look back. */
export const LOOK_BACK = 96;
/** The longest instruction (SDM vol. 2 §2.3.11), and so the number of starts worth trying. */
export const LONGEST = 15;
/** First lines of a backward look that may be out of step, and are not shown. */
const SETTLING = 3;
const MAX_LINES = 4000;

export class Listing {
  lines: Line[] = [];

  get start(): number | null {
    return this.lines[0]?.address ?? null;
  }
  /** The address behind the last line. */
  get end(): number | null {
    const last = this.lines.at(-1);
    return last ? (last.address + byteCount(last)) >>> 0 : null;
  }

  /** Line number (1-based) of the instruction at an address, or null. */
  lineOf(address: number): number | null {
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle].address < address) low = middle + 1;
      else high = middle;
    }
    return this.lines[low]?.address === address ? low + 1 : null;
  }

  replace(lines: readonly Line[]): void {
    this.lines = [...lines];
  }

  /** Adds lines that follow the last one. Returns how many were dropped at the start to stay bounded. */
  append(lines: readonly Line[]): number {
    if (lines[0]?.address !== this.end) return 0;
    this.lines.push(...lines);
    const over = Math.max(0, this.lines.length - MAX_LINES);
    this.lines.splice(0, over);
    return over;
  }

  /**
   * Adds lines before the first one, when they meet it.
   * @returns how many were added; 0 when they are out of step
   */
  prepend(lines: readonly Line[]): number {
    const before = linesBefore(lines, this.start ?? 0);
    this.lines.unshift(...before);
    this.lines.length = Math.min(this.lines.length, MAX_LINES);
    return before.length;
  }

  /** True when memory still holds what the listing shows at these lines. */
  agrees(lines: readonly Line[]): boolean {
    return lines.every(({ address, bytes }) => {
      const at = this.lineOf(address);
      return at === null ? address >= (this.end ?? 0) : this.lines[at - 1].bytes === bytes;
    });
  }

  text(): string {
    return this.lines.map(lineText).join('\n');
  }
}

/** The lines that end exactly where `address` begins, without the ones that may be out of step; none when they miss it. */
export function linesBefore(lines: readonly Line[], address: number): Line[] {
  const meets = lines.findIndex((line, n) => n > 0 && line.address === address);
  const end = meets >= 0 ? meets : lines.length > 0 && ends(lines.at(-1)!) === address ? lines.length : -1;
  return end < 0 ? [] : lines.slice(Math.min(SETTLING, end - 1), end);
}

const ends = (line: Line) => (line.address + byteCount(line)) >>> 0;
const byteCount = ({ bytes }: Line) => Math.ceil(bytes.replaceAll(' ', '').length / 2);

const BYTES_COLUMN = 34;

/** One line as shown: the instruction, and its bytes as a comment. */
export function lineText({ text, bytes }: Line): string {
  const [, name, rest] = /^(\S+)\s*(.*)$/.exec(text) ?? ['', text, ''];
  const code = rest ? `${name.padEnd(7)} ${rest}` : name;
  return `${code.padEnd(BYTES_COLUMN)} ; ${bytes}`;
}

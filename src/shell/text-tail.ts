// The end of a guest's text output: kept so that a console that is opened late shows what was said before. Pure.

/** Characters that are kept. */
export const TEXT_TAIL = 1 << 16;

export class TextTail {
  private text = '';

  append(more: string): void {
    this.text += more;
    // Cut rarely, and at a line, so that a console never starts in the middle of one.
    if (this.text.length > TEXT_TAIL * 2) {
      const cut = this.text.indexOf('\n', this.text.length - TEXT_TAIL);
      this.text = this.text.slice(cut < 0 ? -TEXT_TAIL : cut + 1);
    }
  }

  clear(): void {
    this.text = '';
  }

  toString(): string {
    return this.text;
  }
}

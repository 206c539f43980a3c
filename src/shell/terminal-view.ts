// Shows a terminal as lines of text in the page: selectable, read by screen readers, crisp at any size. Only lines that
// changed are made anew.
import { TEXT_COLOURS } from './cp437.ts';
import { DEFAULT_COLOUR, type Line, PLAIN, type Terminal, unpackLook } from './terminal.ts';

interface Shown {
  line: Line;
  version: number;
  element: HTMLElement;
}

export class TerminalView {
  private shown: Shown[] = [];

  /** @param element takes the lines, one block each */
  constructor(private readonly element: HTMLElement) {}

  /** Brings the page up to date with the model; stays at the end when it was there. */
  show(terminal: Terminal): void {
    const scroller = this.element.parentElement!;
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 8;
    const { lines } = terminal;
    const gone = this.shown.findIndex((s) => s.line === lines[0]);
    for (const { element } of this.shown.splice(0, gone < 0 ? this.shown.length : gone)) element.remove();
    const cursorLine = terminal.top + terminal.row;
    lines.forEach((line, n) => {
      let shown = this.shown[n];
      if (!shown) {
        const element = document.createElement('div');
        this.element.append(element);
        this.shown.push((shown = { line, version: -1, element }));
      }
      if (shown.line === line && shown.version === line.version) return;
      shown.line = line;
      shown.version = line.version;
      fill(shown.element, line, n === cursorLine ? Math.min(terminal.column, terminal.columns - 1) : -1);
    });
    for (const { element } of this.shown.splice(lines.length)) element.remove();
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  }

  clear(): void {
    this.shown = [];
    this.element.replaceChildren();
  }
}

/** Size of a character in an element's face, in CSS pixels. */
export function cellSize(element: HTMLElement): { width: number; height: number } {
  const probe = document.createElement('div');
  probe.style.cssText = 'position:absolute;visibility:hidden;width:max-content';
  probe.textContent = 'M'.repeat(64);
  element.append(probe);
  const { width, height } = probe.getBoundingClientRect();
  probe.remove();
  return { width: width / 64, height };
}

function fill(element: HTMLElement, line: Line, cursor: number): void {
  const { text, looks } = line;
  const length = Math.max(text.length, cursor + 1);
  if (cursor < 0 && looks.every((look) => look === PLAIN)) {
    element.textContent = text.join('');
    return;
  }
  element.replaceChildren();
  for (let start = 0; start < length; ) {
    const look = looks[start] ?? PLAIN;
    let end = start + 1;
    if (start !== cursor) while (end < length && end !== cursor && (looks[end] ?? PLAIN) === look) end++;
    const run = document.createElement('span');
    run.textContent = Array.from({ length: end - start }, (_, n) => text[start + n] ?? ' ').join('');
    if (look !== PLAIN) dress(run, look);
    if (start === cursor) run.className = 'cursor';
    element.append(run);
    start = end;
  }
}

function dress(run: HTMLElement, look: number): void {
  const { foreground, background, bold, underlined, reversed } = unpackLook(look);
  if (foreground !== DEFAULT_COLOUR) run.style.color = colour(foreground);
  if (background !== DEFAULT_COLOUR) run.style.background = colour(background);
  if (reversed) run.classList.add('reversed');
  if (bold) run.style.fontWeight = '700';
  if (underlined) run.style.textDecoration = 'underline';
}

/** The 256 colours as xterm arranged them: 16 named, a cube of six levels, 24 greys. The named ones in ECMA-48's order. */
function colour(index: number): string {
  if (index < 16) return TEXT_COLOURS[(index & 8) | ((index & 1) << 2) | (index & 2) | ((index >> 2) & 1)];
  if (index >= 232) return `rgb(${[0, 0, 0].fill(8 + (index - 232) * 10).join(' ')})`;
  const level = (n: number) => (n === 0 ? 0 : 55 + n * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

// Exits per line, drawn over the right edge of the editor: a bar and a small count for each visible hot line, and a tint
// behind its text. Redrawn when the numbers change (the worker sends them four times a second) and when the view scrolls.

import { el } from './dom.ts';
import { foldHeat, type HotLine, shortCount, visibleHeat } from './heat.ts';
import { monaco } from './monaco.ts';
import type { SourceGuest } from './source-guest.ts';

type Editor = monaco.editor.IStandaloneCodeEditor;

/** The longest bar, in ems of the count's type. */
const BAR = 3.5;

interface Row {
  readonly element: HTMLElement;
  readonly bar: HTMLElement;
  readonly count: Text;
}

export class HeatLayer {
  private lines: readonly HotLine[] = [];
  private readonly rows: Row[] = [];
  private readonly node = el('div', { class: 'rs-heat', 'aria-hidden': 'true' });
  private readonly tints: monaco.editor.IEditorDecorationsCollection;
  private readonly stops: monaco.IDisposable[];
  private frame = 0;

  constructor(private readonly editor: Editor) {
    this.tints = editor.createDecorationsCollection();
    editor.addOverlayWidget({
      getId: () => 'ringside.heat',
      getDomNode: () => this.node,
      getPosition: () => null,
    });
    const later = () => {
      this.frame ||= requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    };
    this.stops = [
      editor.onDidScrollChange(later),
      editor.onDidLayoutChange(later),
      editor.onDidChangeModelContent(later),
    ];
  }

  /** Shows a guest's heat on the file that the editor shows; null for none. */
  set(guest: SourceGuest | null, file: string): void {
    const model = this.editor.getModel();
    const mapping = guest && model ? guest.mapping(model, file) : null;
    this.show(guest && mapping ? foldHeat(guest.heat, file, mapping) : []);
  }

  show(lines: readonly HotLine[]): void {
    this.lines = lines;
    this.draw();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    for (const stop of this.stops) stop.dispose();
  }

  private draw(): void {
    const { editor, node } = this;
    const ranges = editor.getVisibleRanges();
    const visible = ranges.length
      ? visibleHeat(this.lines, ranges[0].startLineNumber, ranges.at(-1)!.endLineNumber)
      : [];
    const layout = editor.getLayoutInfo();
    const height = editor.getOption(monaco.editor.EditorOption.lineHeight);
    node.style.right = `${layout.verticalScrollbarWidth}px`;
    node.style.lineHeight = `${height}px`;
    visible.forEach((line, n) => {
      const row = this.row(n);
      row.element.style.top = `${editor.getTopForLineNumber(line.line) - editor.getScrollTop()}px`;
      row.element.dataset.level = `${line.level}`;
      row.bar.style.width = `${(line.share * BAR).toFixed(2)}em`;
      const text = shortCount(line.count);
      if (row.count.data !== text) row.count.data = text;
      row.element.hidden = false;
    });
    for (let n = visible.length; n < this.rows.length; n++) this.rows[n].element.hidden = true;
    this.tints.set(
      visible.map(({ line, level }) => ({
        range: new monaco.Range(line, 1, line, 1),
        options: { isWholeLine: true, className: `rs-tint-${level}` },
      })),
    );
  }

  private row(n: number): Row {
    let row = this.rows[n];
    if (!row) {
      const bar = el('i');
      const count = document.createTextNode('');
      const element = el('div', { class: 'rs-heat-row' }, bar, el('span', {}, count));
      this.node.append(element);
      this.rows.push((row = { element, bar, count }));
    }
    return row;
  }
}

// Marks beside the lines: the arrow where the virtual processor is, and breakpoints.

import { MINE } from './guest-work.ts';
import { monaco } from './monaco.ts';
import type { NowLine, SourceGuest } from './source-guest.ts';

type Model = monaco.editor.ITextModel;
type Editor = monaco.editor.IStandaloneCodeEditor;

const { Center, Right } = monaco.editor.OverviewRulerLane;
const STAYS = monaco.editor.TrackedRangeStickiness.NeverGrowsWhenTypingAtEdges;

/** What the arrow says when asked. */
const PLACE_WORDS: Record<NowLine['place'], string> = {
  user: 'The virtual processor is here, in a program.',
  kernel: 'The virtual processor is here, in the guest kernel.',
  hypervisor: 'The guest has left to the hypervisor, and goes on here.',
  idle: 'The guest waits here for an interrupt.',
  ready: 'The guest goes on here when it gets the processor.',
  off: 'The guest stopped here.',
};

const BREAKPOINT_WORDS = {
  set: 'Breakpoint: the machine stops before this line.',
  waiting: 'Breakpoint: holds when this source is booted.',
  empty: 'Breakpoint on a line without code: nothing stops here.',
};

/** The current-line arrow of an editor. */
export class NowMark {
  private readonly decorations: monaco.editor.IEditorDecorationsCollection;
  private shown = '';

  constructor(private readonly editor: Editor) {
    this.decorations = editor.createDecorationsCollection();
  }

  /** @param line of the model that is shown; null for none */
  set(line: number | null, place: NowLine['place'] = 'kernel'): void {
    const key = line === null ? '' : `${line}:${place}:${this.editor.getModel()?.id}`;
    if (key === this.shown) return;
    this.shown = key;
    if (line === null) return this.decorations.clear();
    const inside = place === 'user' || place === 'kernel' ? 'in' : 'out';
    this.decorations.set([
      {
        range: new monaco.Range(line, 1, line, 1),
        options: {
          isWholeLine: true,
          className: 'rs-now-line',
          glyphMarginClassName: `rs-now rs-now-${inside}`,
          glyphMarginHoverMessage: { value: PLACE_WORDS[place] },
          overviewRuler: { color: { id: 'focusBorder' }, position: Right },
        },
      },
    ]);
  }
}

/** The breakpoints of one guest; they belong to models, and move with the text. */
export class Breakpoints {
  private readonly ids = new Map<Model, string[]>();

  constructor(private readonly guest: SourceGuest) {}

  linesOf(model: Model): number[] {
    const lines = (this.ids.get(model) ?? []).flatMap(
      (id) => model.getDecorationRange(id)?.startLineNumber ?? [],
    );
    return [...new Set(lines)].sort((a, b) => a - b);
  }

  toggle(model: Model, file: string, line: number): void {
    const lines = this.linesOf(model);
    this.set(model, file, lines.includes(line) ? lines.filter((l) => l !== line) : [...lines, line]);
  }

  /** All of them as lines of the learner's own text. */
  mine(): { file: string; line: number }[] {
    return [...this.guest.open()]
      .filter(({ version }) => version === MINE)
      .flatMap(({ model, file }) => this.linesOf(model).map((line) => ({ file, line })));
  }

  /** Takes up what was kept, in the learner's own text. */
  restore(lines: readonly { file: string; line: number }[]): void {
    for (const file of new Set(lines.map((entry) => entry.file))) {
      const model = this.guest.model(MINE, file);
      if (!model) continue;
      const here = lines.filter((entry) => entry.file === file && entry.line <= model.getLineCount());
      this.set(
        model,
        file,
        here.map(({ line }) => line),
      );
    }
  }

  /** Draws them anew: filled when the program that runs has the line, hollow until it is booted. */
  refresh(): void {
    for (const { model, file } of this.guest.open()) this.set(model, file, this.linesOf(model));
  }

  /** Takes breakpoints of the same file in another version along. */
  carry(from: Model, to: Model, file: string): void {
    if (from === to) return;
    const mapping = this.guest.mapping(from, file);
    const target = this.guest.mapping(to, file);
    if (!mapping || !target) return;
    const moved = this.linesOf(from).flatMap((line) => {
      const booted = mapping.from(line);
      return (booted === null ? null : target.to(booted)) ?? [];
    });
    if (moved.length > 0) this.set(to, file, [...this.linesOf(to), ...moved]);
    this.set(from, file, []);
  }

  /** All of them as lines of the source that was booted. */
  booted(): { file: string; line: number }[] {
    const found = new Map<string, { file: string; line: number }>();
    for (const { model, file } of this.guest.open()) {
      const mapping = this.guest.mapping(model, file);
      for (const shown of this.linesOf(model)) {
        const line = mapping?.from(shown);
        if (line) found.set(`${file}\0${line}`, { file, line });
      }
    }
    return [...found.values()];
  }

  private set(model: Model, file: string, lines: readonly number[]): void {
    const mapping = this.guest.mapping(model, file);
    const decorations = [...new Set(lines)].map((line): monaco.editor.IModelDeltaDecoration => {
      const state = !this.guest.mayHaveCode(file, line)
        ? 'empty'
        : (mapping?.from(line) ?? null) === null
          ? 'waiting'
          : 'set';
      return {
        range: new monaco.Range(line, 1, line, 1),
        options: {
          stickiness: STAYS,
          glyphMarginClassName: state === 'set' ? 'rs-breakpoint' : 'rs-breakpoint rs-breakpoint-waiting',
          glyphMarginHoverMessage: { value: BREAKPOINT_WORDS[state] },
          overviewRuler: { color: { id: 'editorError.foreground' }, position: Center },
        },
      };
    });
    this.ids.set(model, model.deltaDecorations(this.ids.get(model) ?? [], decorations));
  }
}

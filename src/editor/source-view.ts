// The Monaco editor for sources: shows one file of one guest, with its marks, and turns what the learner does into calls.

import { MINE } from './guest-work.ts';
import { HeatLayer } from './heat-layer.ts';
import { refusal } from './limits.ts';
import { Breakpoints, NowMark } from './marks.ts';
import { colourVisible, monaco, sharedOptions } from './monaco.ts';
import type { Definition } from './outline.ts';
import { wordAt } from './providers.ts';
import type { SourceGuest } from './source-guest.ts';

export interface SourceViewEvents {
  boot(): void;
  open(definition: Definition): void;
  breakpoints(guest: SourceGuest, lines: { file: string; line: number }[]): void;
  /** Something was not taken: one clear line. */
  refuse(reason: string): void;
  /** Tab leaves the editor, or writes a tab. */
  tabLeaves(leaves: boolean): void;
  focus(inside: boolean): void;
}

const { MouseTargetType } = monaco.editor;

export class SourceView {
  readonly editor: monaco.editor.IStandaloneCodeEditor;
  private guest: SourceGuest | null = null;
  private tabLeaves = false;
  private readonly now: NowMark;
  private readonly heat: HeatLayer;
  private readonly breakpoints = new WeakMap<SourceGuest, Breakpoints>();
  private readonly places = new WeakMap<monaco.editor.ITextModel, monaco.editor.ICodeEditorViewState>();
  private readonly ghost: monaco.editor.IEditorDecorationsCollection;

  constructor(
    container: HTMLElement,
    private readonly events: SourceViewEvents,
  ) {
    this.editor = monaco.editor.create(container, {
      ...sharedOptions(),
      model: null,
      lineNumbersMinChars: 3,
      occurrencesHighlight: 'singleFile',
      quickSuggestions: { other: true, comments: false, strings: false },
      acceptSuggestionOnEnter: 'smart',
      suggest: { showWords: false, showStatusBar: false, preview: false },
    });
    this.now = new NowMark(this.editor);
    this.heat = new HeatLayer(this.editor);
    this.ghost = this.editor.createDecorationsCollection();
    this.listen(container);
  }

  /** Shows a file of a guest; at a line, when one is named. */
  show(guest: SourceGuest, line?: number): void {
    const model = guest.model(guest.version, guest.file);
    if (!model) return;
    const before = this.editor.getModel();
    if (before !== model) {
      if (before) {
        const place = this.editor.saveViewState();
        if (place) this.places.set(before, place);
      }
      this.editor.setModel(model);
      const place = this.places.get(model);
      if (place) this.editor.restoreViewState(place);
    }
    for (const other of guest.open())
      if (other.file === guest.file && other.model !== model)
        this.pointsOf(guest).carry(other.model, model, guest.file);
    const own = guest.version === MINE;
    this.editor.updateOptions({
      readOnly: !own,
      domReadOnly: !own,
      readOnlyMessage: { value: `This is “${guest.version}”. Choose “mine” to write.` },
      ariaLabel: `${own ? 'Source' : 'Read-only source'}: ${guest.file}. Control M lets Tab leave the editor.`,
    });
    this.guest = guest;
    this.update();
    if (line !== undefined) {
      const target = Math.max(1, Math.min(line, model.getLineCount()));
      this.editor.setPosition({ lineNumber: target, column: 1 });
      this.editor.revealLineInCenterIfOutsideViewport(target);
    }
  }

  /** Draws arrow, heat and breakpoints of the guest that is shown anew. */
  update(): void {
    const { guest } = this;
    this.updateNow();
    this.heat.set(guest, guest?.file ?? '');
    if (guest) this.pointsOf(guest).refresh();
  }

  updateHeat(): void {
    this.heat.set(this.guest, this.guest?.file ?? '');
  }

  /** Draws the arrow. Returns its line in the file that is shown, or null. */
  updateNow(): number | null {
    const { guest } = this;
    const model = this.editor.getModel();
    const now = guest && model && guest.now?.file === guest.file ? guest.now : null;
    const line = now ? (guest!.mapping(model!, now.file)?.to(now.line) ?? null) : null;
    this.now.set(line, now?.place);
    return line;
  }

  reveal(line: number): void {
    this.editor.revealLineInCenterIfOutsideViewport(line, monaco.editor.ScrollType.Immediate);
  }

  /** Breakpoints of a guest, as lines of the source that was booted. */
  bootedBreakpoints(guest: SourceGuest): { file: string; line: number }[] {
    const points = this.pointsOf(guest);
    points.refresh();
    return points.booted();
  }

  /** Breakpoints of a guest, as lines of the learner's text; and taking them up again. */
  keptBreakpoints(guest: SourceGuest): { file: string; line: number }[] {
    return this.pointsOf(guest).mine();
  }
  restoreBreakpoints(guest: SourceGuest, lines: readonly { file: string; line: number }[]): void {
    this.pointsOf(guest).restore(lines);
  }

  /** Replaces a stretch of the text that is shown, as an edit that can be undone. */
  replace(line: number, column: number, endColumn: number, text: string): void {
    this.editor.pushUndoStop();
    this.editor.executeEdits('fix', [{ range: new monaco.Range(line, column, line, endColumn), text }]);
    this.editor.pushUndoStop();
  }

  resize(): void {
    const { fontSize, lineHeight } = sharedOptions();
    this.editor.updateOptions({ fontSize, lineHeight });
  }

  dispose(): void {
    this.heat.dispose();
    this.editor.dispose();
  }

  private pointsOf(guest: SourceGuest): Breakpoints {
    let points = this.breakpoints.get(guest);
    if (!points) this.breakpoints.set(guest, (points = new Breakpoints(guest)));
    return points;
  }

  private toggleBreakpoint(line: number): void {
    const { guest } = this;
    const model = this.editor.getModel();
    if (!guest || !model) return;
    const points = this.pointsOf(guest);
    // One that is there can be taken away wherever it is; a new one goes where there is code.
    const place = points.linesOf(model).includes(line) ? line : guest.codeLine(guest.file, line);
    if (place === null)
      return this.events.refuse(`No breakpoint: there is no code at line ${line}, nor near below it.`);
    points.toggle(model, guest.file, place);
    this.events.breakpoints(guest, points.booted());
  }

  private listen(container: HTMLElement): void {
    const { editor, events } = this;
    const { KeyMod, KeyCode } = monaco;
    const add = (id: string, label: string, key: number, run: () => void, menu?: string) =>
      editor.addAction({
        id: `ringside.${id}`,
        label,
        keybindings: [key],
        run,
        ...(menu ? { contextMenuGroupId: menu } : {}),
      });
    add('boot', 'Assemble & boot', KeyMod.CtrlCmd | KeyCode.Enter, () => events.boot(), '1_run');
    add(
      'breakpoint',
      'Toggle breakpoint',
      KeyCode.F9,
      () => this.toggleBreakpoint(editor.getPosition()?.lineNumber ?? 1),
      '1_run',
    );
    add(
      'definition',
      'Go to definition',
      KeyCode.F12,
      () => this.openDefinition(editor.getPosition()),
      'navigation',
    );
    // On a Mac, Command M minimizes the window.
    const control = /^Mac/.test(navigator.platform) ? KeyMod.WinCtrl : KeyMod.CtrlCmd;
    add('tab', 'Tab leaves the editor, or writes', control | KeyCode.KeyM, () => {
      this.tabLeaves = !this.tabLeaves;
      editor.updateOptions({ tabFocusMode: this.tabLeaves });
      events.tabLeaves(this.tabLeaves);
    });
    editor.onMouseDown(({ target, event }) => {
      if (!event.leftButton || !target.position) return;
      const margin =
        target.type === MouseTargetType.GUTTER_GLYPH_MARGIN ||
        target.type === MouseTargetType.GUTTER_LINE_NUMBERS;
      if (margin) this.toggleBreakpoint(target.position.lineNumber);
      else if ((event.ctrlKey || event.metaKey) && target.type === MouseTargetType.CONTENT_TEXT)
        this.openDefinition(target.position);
    });
    editor.onMouseMove(({ target }) => {
      const line =
        target.type === MouseTargetType.GUTTER_GLYPH_MARGIN ? target.position?.lineNumber : undefined;
      this.ghost.set(
        line
          ? [
              {
                range: new monaco.Range(line, 1, line, 1),
                options: { glyphMarginClassName: 'rs-breakpoint rs-breakpoint-ghost' },
              },
            ]
          : [],
      );
    });
    editor.onMouseLeave(() => this.ghost.clear());
    editor.onDidFocusEditorText(() => events.focus(true));
    editor.onDidBlurEditorText(() => events.focus(false));
    const colour = () => colourVisible(editor);
    editor.onDidChangeModel(colour);
    editor.onDidScrollChange(colour);
    editor.onDidLayoutChange(colour);
    editor.onDidChangeModelContent(() => requestAnimationFrame(colour));
    // Before Monaco reads it: ten megabytes would freeze the page.
    container.addEventListener('paste', (event) => this.guardPaste(event), { capture: true });
  }

  private guardPaste(event: ClipboardEvent): void {
    const { guest } = this;
    const pasted = event.clipboardData?.getData('text/plain').length ?? 0;
    const reason = refusal(
      guest?.file ?? 'the text',
      pasted + (this.editor.getModel()?.getValueLength() ?? 0),
    );
    if (!reason) return;
    event.preventDefault();
    event.stopPropagation();
    this.events.refuse(`Not pasted. ${reason}.`);
  }

  private openDefinition(position: monaco.IPosition | null): void {
    const { guest } = this;
    const model = this.editor.getModel();
    const word = position && model ? wordAt(model, position) : null;
    if (!guest || !position || !word) return;
    const found = guest.outline.find(
      word.word,
      guest.file,
      position.lineNumber,
      guest.work.program(guest.version).files,
    );
    if (found) this.events.open(found);
  }
}

// A guest without source: its memory, disassembled, read-only. Follows EIP when the machine stands still; scrolling to an
// end brings more.

import type { PageApi } from '../shell/slots.ts';
import { address as hex, parseAddress } from '../shell/words.ts';
import type { DomainFrame, DomainInfo } from '../worker/protocol.ts';
import { button, el } from './dom.ts';
import { hotAddresses } from './heat.ts';
import { HeatLayer } from './heat-layer.ts';
import { LANGUAGE } from './language.ts';
import { Listing, LONGEST, LOOK_BACK } from './listing.ts';
import { NowMark } from './marks.ts';
import { colourVisible, monaco, plainBrackets, sharedOptions } from './monaco.ts';

/** Instructions asked for at once, and around an address. */
const CHUNK = 200;
const CHECKED = 24;
/** Lines from an end of the listing at which more is asked for. */
const NEAR_END = 30;

export class ListingPane {
  readonly element: HTMLElement;
  private readonly editor: monaco.editor.IStandaloneCodeEditor;
  private readonly model: monaco.editor.ITextModel;
  private readonly mark: NowMark;
  private readonly words = el('p', { class: 'rs-sealed' });
  private readonly failure = el('span', { class: 'rs-status', role: 'status' });
  private readonly followButton: HTMLButtonElement;
  private readonly entryButton: HTMLButtonElement;
  private readonly listing = new Listing();
  private info: DomainInfo | null = null;
  private follow = true;
  private eip: number | null = null;
  private now: DomainFrame['now'] | null = null;
  private asking = false;
  /** Grows with every change of guest, so that late answers are dropped. */
  private epoch = 0;

  private heat: readonly { address: number; count: number }[] = [];
  private readonly heatLayer: HeatLayer;
  private readonly points: monaco.editor.IEditorDecorationsCollection;
  private readonly addresses = new Map<number, Set<number>>();

  /** @param breakpoints those of a guest have changed */
  constructor(
    private readonly page: PageApi,
    private readonly breakpoints: (info: DomainInfo, addresses: number[]) => void,
  ) {
    const code = el('div', { class: 'rs-code' });
    this.followButton = button('Follow', () => this.setFollow(!this.follow), {
      class: 'rs-quiet',
      'aria-pressed': 'true',
      title: 'Show the instruction where the virtual processor is, whenever the machine stands still',
    });
    this.entryButton = button(
      'Entry',
      () => this.info?.entry !== undefined && void this.show(this.info.entry, true),
      { class: 'rs-quiet', title: 'Where the image begins' },
    );
    const field = el('input', {
      'aria-label': 'Go to address',
      placeholder: 'address',
      size: 10,
      spellcheck: 'false',
      class: 'rs-address',
    });
    const go = (event: SubmitEvent) => {
      event.preventDefault();
      const target = parseAddress(field.value);
      field.setAttribute('aria-invalid', `${target === null}`);
      if (target !== null) void this.show(target, true);
    };
    this.element = el(
      'div',
      { class: 'rs-source' },
      this.words,
      el(
        'div',
        { class: 'rs-bar' },
        el('form', { onsubmit: go }, field),
        this.entryButton,
        el('span', { class: 'rs-grow' }),
        this.followButton,
      ),
      el('div', { class: 'rs-body' }, code),
      el('div', { class: 'rs-foot' }, this.failure),
    );
    this.model = monaco.editor.createModel('', LANGUAGE);
    plainBrackets(this.model);
    this.editor = monaco.editor.create(code, {
      ...sharedOptions(),
      model: this.model,
      readOnly: true,
      domReadOnly: true,
      tabFocusMode: true,
      readOnlyMessage: { value: 'An image without source cannot be edited.' },
      lineNumbers: (line) => hex(this.listing.lines[line - 1]?.address ?? 0),
      lineNumbersMinChars: 9,
      ariaLabel: 'Disassembly, read-only',
    });
    this.mark = new NowMark(this.editor);
    this.heatLayer = new HeatLayer(this.editor);
    this.points = this.editor.createDecorationsCollection();
    this.editor.addAction({
      id: 'ringside.breakpoint',
      label: 'Toggle breakpoint',
      keybindings: [monaco.KeyCode.F9],
      contextMenuGroupId: '1_run',
      run: () => this.toggle(this.editor.getPosition()?.lineNumber ?? 1),
    });
    this.editor.onDidScrollChange(() => {
      this.more();
      colourVisible(this.editor);
    });
    this.editor.onMouseDown(({ target, event }) => {
      const { GUTTER_GLYPH_MARGIN, GUTTER_LINE_NUMBERS } = monaco.editor.MouseTargetType;
      if (target.type === GUTTER_GLYPH_MARGIN || target.type === GUTTER_LINE_NUMBERS) {
        if (event.leftButton && target.position) this.toggle(target.position.lineNumber);
        return;
      }
      if (!(event.ctrlKey || event.metaKey) || !target.position) return;
      const number = parseAddress(this.model.getWordAtPosition(target.position)?.word ?? '');
      if (number !== null) void this.show(number, true);
    });
  }

  setGuest(info: DomainInfo): void {
    const other = this.info?.id !== info.id || this.info.guest !== info.guest;
    this.info = info;
    this.words.textContent = `${info.name} is an image without source, as a boxed product was. This is its memory, disassembled.`;
    this.entryButton.hidden = info.entry === undefined;
    if (other) this.reboot();
  }

  /** Takes up the breakpoints that were kept for a domain. */
  restore(domain: number, addresses: readonly number[]): void {
    this.addresses.set(domain, new Set(addresses));
    this.draw();
  }
  /** Breakpoints of a domain, as linear addresses. */
  breakpointsOf(domain: number): number[] {
    return [...(this.addresses.get(domain) ?? [])];
  }

  /** Exits by address since boot. */
  heated(heat: readonly { address: number; count: number }[]): void {
    this.heat = heat;
    this.drawHeat();
  }

  private toggle(line: number): void {
    const target = this.listing.lines[line - 1]?.address;
    if (target === undefined || !this.info) return;
    const points = this.addresses.get(this.info.id) ?? new Set<number>();
    if (!points.delete(target)) points.add(target);
    this.addresses.set(this.info.id, points);
    this.draw();
    this.breakpoints(this.info, [...points]);
  }

  private drawHeat(): void {
    this.heatLayer.show(hotAddresses(this.heat, (target) => this.listing.lineOf(target)));
  }

  /** Another program is in this memory now. */
  reboot(): void {
    this.epoch++;
    this.asking = false;
    this.listing.replace([]);
    this.heat = [];
    this.eip = null;
    this.write();
  }

  /** The machine has moved. @param lead it stands still, or goes slowly */
  moved(now: DomainFrame['now'], lead: boolean): void {
    if (now.place === 'off' && now.eip === 0) return this.say('There is no guest in this domain now.');
    this.now = now;
    if (this.listing.lines.length === 0 && !this.asking)
      void this.begin(lead ? now.eip : (this.info?.entry ?? now.eip), now.eip);
    if (!lead) {
      this.eip = null;
      return this.mark.set(null);
    }
    if (this.eip !== now.eip) {
      this.eip = now.eip;
      if (this.follow) void this.show(now.eip, false);
    }
    this.draw();
  }

  /** Shows an address, or another when there is no memory: a kernel that has moved up leaves its entry unmapped. */
  private async begin(target: number, otherwise: number): Promise<void> {
    await this.show(target, false);
    if (this.listing.lines.length === 0 && target !== otherwise) await this.show(otherwise, false);
  }

  /** Shows an address: from what is there, if memory still says the same; else anew. */
  async show(target: number, select: boolean): Promise<void> {
    const fresh = await this.ask(target, CHECKED);
    if (!fresh) return;
    if (this.listing.lineOf(target) === null || !this.listing.agrees(fresh)) {
      const lines = await this.ask(target, CHUNK);
      if (!lines) return;
      this.listing.replace(lines);
      this.write();
      await this.before();
    }
    const line = this.listing.lineOf(target);
    if (line === null) return this.say(`There is no memory at ${hex(target)}.`);
    this.say('');
    this.editor.revealLineInCenterIfOutsideViewport(line, monaco.editor.ScrollType.Immediate);
    if (select) this.editor.setPosition({ lineNumber: line, column: 1 });
    this.draw();
  }

  resize(): void {
    const { fontSize, lineHeight } = sharedOptions();
    this.editor.updateOptions({ fontSize, lineHeight });
  }

  dispose(): void {
    this.epoch++;
    this.heatLayer.dispose();
    this.editor.dispose();
    this.model.dispose();
  }

  /** More lines at the end that the view comes near to. */
  private more(): void {
    const [range] = this.editor.getVisibleRanges();
    if (this.asking || !range || this.listing.lines.length === 0) return;
    if (range.endLineNumber > this.listing.lines.length - NEAR_END) void this.after();
    else if (range.startLineNumber < NEAR_END) void this.before();
  }

  private async after(): Promise<void> {
    const { end } = this.listing;
    const lines = end === null ? null : await this.ask(end, CHUNK);
    if (!lines?.length) return;
    const top = this.topAddress();
    this.listing.append(lines);
    this.write(top);
  }

  private async before(): Promise<void> {
    const { start } = this.listing;
    if (!start) return;
    for (let shift = 0; shift < LONGEST; shift++) {
      const lines = await this.ask(Math.max(0, start - LOOK_BACK - shift), LOOK_BACK + shift);
      if (!lines) return;
      const top = this.topAddress();
      if (this.listing.prepend(lines) === 0) continue;
      return this.write(top);
    }
  }

  private async ask(target: number, lines: number) {
    const { info, epoch } = this;
    if (!info) return null;
    this.asking = true;
    try {
      const answer = await this.page.ask({ ask: 'disassemble', domain: info.id, address: target, lines });
      return epoch === this.epoch ? answer.lines : null;
    } catch (error) {
      this.say((error as Error).message);
      return null;
    } finally {
      if (epoch === this.epoch) this.asking = false;
    }
  }

  private topAddress(): number | null {
    const line = this.editor.getVisibleRanges()[0]?.startLineNumber;
    return this.listing.lines[(line ?? 0) - 1]?.address ?? null;
  }

  /** Writes the listing into the editor. @param top address that stays where it is on the screen */
  private write(top: number | null = null): void {
    const line = top === null ? null : this.listing.lineOf(top);
    const offset =
      this.editor.getScrollTop() -
      this.editor.getTopForLineNumber(this.editor.getVisibleRanges()[0]?.startLineNumber ?? 1);
    this.model.setValue(this.listing.text());
    plainBrackets(this.model);
    colourVisible(this.editor);
    if (line !== null)
      this.editor.setScrollTop(
        this.editor.getTopForLineNumber(line) + offset,
        monaco.editor.ScrollType.Immediate,
      );
    this.draw();
  }

  private draw(): void {
    const line = this.eip === null ? null : this.listing.lineOf(this.eip);
    this.mark.set(line, this.now?.place);
    this.points.set(
      this.breakpointsOf(this.info?.id ?? -1).flatMap((target) => {
        const at = this.listing.lineOf(target);
        return at === null
          ? []
          : [
              {
                range: new monaco.Range(at, 1, at, 1),
                options: {
                  glyphMarginClassName: 'rs-breakpoint',
                  glyphMarginHoverMessage: {
                    value: 'Breakpoint: the machine stops before this instruction.',
                  },
                },
              },
            ];
      }),
    );
    this.drawHeat();
  }

  private setFollow(follow: boolean): void {
    this.follow = follow;
    this.followButton.setAttribute('aria-pressed', `${follow}`);
    if (follow && this.eip !== null) void this.show(this.eip, false);
  }

  private say(text: string): void {
    if (this.failure.textContent !== text) this.failure.textContent = text;
  }
}

// The editor's room: which guest is looked at, its source or its disassembly, and everything that goes between the learner
// and the machine: boot, breakpoints, where it is, how hot its lines are.
import type { CodePlace, PageApi } from '../shell/slots.ts';
import type { DomainFrame, DomainInfo, Frame, FromWorker } from '../worker/protocol.ts';
import { AssemblyService } from './assembly-service.ts';
import { button, el } from './dom.ts';
import { MINE } from './guest-work.ts';
import { keepBreakpoints, readBreakpoints } from './kept-breakpoints.ts';
import { programRefusal } from './limits.ts';
import { ListingPane } from './listing-pane.ts';
import { loadWork } from './load-guest.ts';
import { onOffer, setOpenEditor, takeBooted, takeWantedVersion } from './offers.ts';
import { problemsOf } from './problems.ts';
import { browserStorage, type SaveState, type WorkSaver } from './saved-work.ts';
import { SourceGuest } from './source-guest.ts';
import { SourcePane } from './source-pane.ts';

/** What the room knows of a domain. */
interface Entry {
  info: DomainInfo;
  /** Null: no source. Undefined: not loaded yet. */
  guest: SourceGuest | null | undefined;
  saver: WorkSaver | null;
  saveState: SaveState;
  /** Files that were sent to be booted and have not been answered. */
  pending: ReadonlyMap<string, string> | null;
  breakpoints: boolean;
}
type Message<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

export class Room {
  readonly element: HTMLElement;
  private readonly guests = el('div', {
    class: 'rs-segments rs-guests',
    role: 'group',
    'aria-label': 'Guest',
  });
  private readonly bootButton: HTMLButtonElement;
  private readonly message = el('p', { class: 'rs-message', role: 'status' });
  private readonly source: SourcePane;
  private readonly listing: ListingPane;
  private readonly storage = browserStorage();
  private readonly assembly: AssemblyService;
  private entries = new Map<number, Entry>();
  private current = -1;
  private scenario: string;
  /** Which guest's version is being assembled. */
  private assembling: { guest: SourceGuest; version: string } | null = null;
  private readonly stops: (() => void)[] = [];
  private rootSize = '';

  constructor(private readonly page: PageApi) {
    this.scenario = page.scenario;
    this.bootButton = button('Assemble & boot', () => this.boot(), {
      class: 'rs-boot',
      title: 'Assemble this source and boot the guest again; the others go on (Ctrl+Enter)',
    });
    this.source = new SourcePane({
      boot: () => this.boot(),
      breakpoints: (guest, lines) => this.breakpoints(guest, lines),
      versionChanged: (guest) => {
        this.drawBoot();
        this.assemble(guest);
      },
    });
    this.listing = new ListingPane(page, (info, addresses) => {
      this.page.breakpoints(info.id, [], addresses);
      keepBreakpoints(() => localStorage, this.scenario, info.id, info.guest, { addresses });
    });
    this.element = el(
      'div',
      { class: 'rs-room' },
      el('div', { class: 'rs-bar rs-top' }, this.guests, el('span', { class: 'rs-grow' }), this.bootButton),
      this.message,
      this.source.element,
      this.listing.element,
    );
    this.assembly = new AssemblyService(
      () =>
        new Worker(new URL('./assemble.worker.ts', import.meta.url), {
          type: 'module',
          name: 'assembler',
        }) as never,
      (result) => {
        const done = this.assembling;
        if (!done || done.version !== done.guest.version) return;
        done.guest.take(result);
        if (this.shown?.guest === done.guest) this.source.assembled();
      },
      (reason) => this.source.fail(reason),
    );
    this.listen();
    if (page.host) this.load(page.host.domains);
    if (page.lastCode) void this.showCode(page.lastCode);
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    this.assembly.dispose();
    for (const entry of this.entries.values()) this.forget(entry);
    this.source.dispose();
    this.listing.dispose();
    this.element.remove();
  }

  private get shown(): Entry | undefined {
    return this.entries.get(this.current);
  }

  private listen(): void {
    const { page, stops } = this;
    const flush = () => {
      for (const { saver } of this.entries.values()) void saver?.flush();
    };
    const listen = (target: EventTarget, type: string, listener: (event: never) => void) => {
      target.addEventListener(type, listener as EventListener);
      stops.push(() => target.removeEventListener(type, listener as EventListener));
    };
    listen(document, 'visibilitychange', flush);
    listen(window, 'pagehide', flush);
    listen(window, 'resize', () => this.resize());
    listen(this.element, 'keydown', (event: KeyboardEvent) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
      event.preventDefault();
      this.boot();
    });
    stops.push(
      page.on('ready', ({ host, scenario }) => {
        this.scenario = scenario;
        this.load(host.domains);
      }),
      page.on('booted', (message) => this.booted(message)),
      page.on('refused', (message) => this.refused(message)),
      page.on('frame', (frame) => this.frame(frame)),
      page.onShowCode((place) => void this.showCode(place)),
      onOffer((domain) => this.reload(domain)),
      () => setOpenEditor(null),
    );
    setOpenEditor({
      flush: async () => {
        await Promise.all([...this.entries.values()].map(({ saver }) => saver?.flush()));
      },
      showWanted: (domain) => void this.choose(domain),
    });
  }

  /** A scenario begins: its domains, from scratch. */
  private load(domains: readonly DomainInfo[]): void {
    for (const entry of this.entries.values()) this.forget(entry);
    this.entries = new Map(domains.map((info) => [info.id, this.entry(info)]));
    this.current = -1;
    this.drawGuests();
    // Source to write in comes first.
    const first = domains.find(({ sealed }) => !sealed) ?? domains[0];
    if (first) void this.choose(first.id);
  }

  private drawGuests(): void {
    this.guests.replaceChildren(
      ...[...this.entries.values()].map(({ info: { id, name } }) =>
        button(name, () => void this.choose(id), {
          'data-domain': id,
          'aria-pressed': `${id === this.current}`,
        }),
      ),
    );
  }

  private entry(info: DomainInfo): Entry {
    return {
      info,
      guest: undefined,
      saver: null,
      saveState: { state: 'clean' },
      pending: null,
      breakpoints: false,
    };
  }

  private forget(entry: Entry): void {
    void entry.saver?.flush();
    entry.guest?.dispose();
  }

  /** Other sources are offered for a domain. */
  private reload(domain: number): void {
    const entry = this.entries.get(domain);
    if (!entry) return;
    this.forget(entry);
    this.entries.set(domain, this.entry(entry.info));
    if (this.current === domain) {
      this.current = -1;
      void this.choose(domain);
    }
  }

  private async choose(domain: number): Promise<void> {
    const entry = this.entries.get(domain);
    if (!entry) return;
    this.current = domain;
    for (const segment of this.guests.querySelectorAll('button'))
      segment.setAttribute('aria-pressed', `${Number(segment.dataset.domain) === domain}`);
    if (entry.guest === undefined) {
      this.say('Loading the source …');
      try {
        await this.open(entry);
      } catch (error) {
        if (this.shown === entry) this.say((error as Error).message);
        return;
      }
    }
    if (this.shown === entry) this.show(entry);
  }

  private async open(entry: Entry): Promise<void> {
    const loaded = await loadWork(this.page, entry.info, this.scenario, this.storage, (state) => {
      entry.saveState = state;
      if (this.shown === entry) this.source.saving(state);
    });
    if (entry.guest !== undefined || this.entries.get(entry.info.id) !== entry) return;
    entry.saver = loaded?.saver ?? null;
    entry.guest =
      loaded &&
      new SourceGuest(entry.info.id, loaded.work, () => {
        if (this.shown === entry) this.source.edited();
        if (entry.guest) this.assemble(entry.guest);
      });
    entry.guest?.work.setBooted(takeBooted(entry.info.id));
    this.takeUpBreakpoints(entry);
  }

  /** Breakpoints of an earlier visit hold again from here on. */
  private takeUpBreakpoints({ guest, info }: Entry): void {
    const kept = readBreakpoints(() => localStorage, this.scenario, info.id, info.guest);
    if (guest) {
      if (kept.lines.length === 0) return;
      this.source.restoreBreakpoints(guest, kept.lines);
      this.breakpoints(guest, this.source.breakpoints(guest));
    } else {
      this.listing.restore(info.id, kept.addresses);
      if (kept.addresses.length > 0) this.page.breakpoints(info.id, [], [...kept.addresses]);
    }
  }

  private show(entry: Entry): void {
    const { guest, info } = entry;
    this.say('');
    this.source.element.hidden = !guest;
    this.listing.element.hidden = guest !== null;
    this.drawBoot();
    if (!guest) return this.listing.setGuest(info);
    this.source.setGuest(guest);
    const wanted = takeWantedVersion(info.id);
    if (wanted) this.source.choose(wanted);
    this.source.saving(entry.saveState);
    if (guest.assembled === null) this.assemble(guest);
    const frame = this.page.frame;
    if (frame) this.frame(frame);
  }

  private say(text: string): void {
    this.message.textContent = text;
    this.message.hidden = text === '';
    if (text === '') return;
    this.source.element.hidden = true;
    this.listing.element.hidden = true;
    this.bootButton.hidden = true;
  }

  private drawBoot(): void {
    const guest = this.shown?.guest;
    this.bootButton.hidden = !guest;
    if (guest)
      this.bootButton.textContent = guest.version === MINE ? 'Assemble & boot' : `Boot the ${guest.version}`;
  }

  private assemble(guest: SourceGuest): void {
    this.assembly.request(() => {
      this.assembling = { guest, version: guest.version };
      const program = guest.work.program(guest.version);
      const reason = programRefusal(program.files);
      if (!reason) return program;
      this.source.fail(reason);
      return { files: new Map([[program.main, '']]), main: program.main };
    });
  }

  private boot(): void {
    const entry = this.shown;
    const guest = entry?.guest;
    if (!entry || !guest) return;
    const { files, main } = guest.work.program(guest.version);
    const reason = programRefusal(files);
    if (reason) return this.source.refused(reason);
    void entry.saver?.flush();
    entry.pending = files;
    this.page.boot(entry.info.id, { files: [...files].map(([name, text]) => ({ name, text })), main });
  }

  private booted({ domain, info }: Message<'booted'>): void {
    const entry = this.entries.get(domain);
    if (!entry) return;
    if (entry.info.guest !== info.guest) {
      // Another guest has taken its place.
      entry.info = info;
      this.drawGuests();
      return this.reload(domain);
    }
    const { guest, pending } = entry;
    entry.info = info;
    entry.pending = null;
    if (!guest) {
      if (this.shown === entry) this.listing.reboot();
      const addresses = this.listing.breakpointsOf(domain);
      if (addresses.length > 0) this.page.breakpoints(domain, [], addresses);
      return;
    }
    // Booted by nobody who says from what, it is what it was before.
    const files = takeBooted(domain);
    if (pending ?? files) guest.work.setBooted(pending ?? files);
    guest.heat = [];
    guest.now = null;
    if (this.shown === entry) this.source.booted();
    // Addresses have moved: the same lines are somewhere else now.
    if (entry.breakpoints) this.page.breakpoints(domain, this.source.breakpoints(guest));
  }

  private refused({ domain, message, diagnostics }: Message<'refused'>): void {
    const entry = domain === null ? undefined : this.entries.get(domain);
    if (!entry?.pending || !entry.guest) return;
    entry.pending = null;
    if (diagnostics.length > 0) entry.guest.setProblems(problemsOf(diagnostics));
    if (this.shown === entry) this.source.refused(message);
  }

  private breakpoints(guest: SourceGuest, lines: { file: string; line: number }[]): void {
    const entry = this.entries.get(guest.domain);
    if (!entry) return;
    entry.breakpoints = true;
    this.page.breakpoints(guest.domain, lines);
    const mine = this.source.keptBreakpoints(guest);
    keepBreakpoints(() => localStorage, this.scenario, entry.info.id, entry.info.guest, { lines: mine });
  }

  private frame(frame: Frame): void {
    for (const domain of frame.domains) {
      const guest = this.entries.get(domain.id)?.guest;
      if (guest && domain.heat) guest.heat = domain.heat;
    }
    const entry = this.shown;
    const domain = frame.domains.find(({ id }) => id === this.current);
    // Nobody looks at a pane behind another one.
    if (!entry || !domain || this.element.offsetParent === null) return;
    this.moved(entry, domain, !frame.running || frame.speed.mode === 'slow');
  }

  private moved(entry: Entry, domain: DomainFrame, lead: boolean): void {
    if (entry.guest === undefined) return;
    if (entry.guest === null) {
      this.listing.moved(domain.now, lead);
      if (domain.heatAt) this.listing.heated(domain.heatAt);
      return;
    }
    this.source.moved(domain.now, lead);
    if (domain.heat) this.source.heated();
  }

  private async showCode({ domain, address, line }: CodePlace): Promise<void> {
    await this.choose(domain);
    const entry = this.entries.get(domain);
    if (this.shown !== entry || !entry) return;
    if (entry.guest && line) this.source.openBooted(line.file, line.line);
    else if (entry.guest === null) await this.listing.show(address, true);
  }

  private resize(): void {
    const size = getComputedStyle(document.documentElement).fontSize;
    if (size === this.rootSize) return;
    this.rootSize = size;
    this.source.resize();
    this.listing.resize();
  }
}

// A port whose other end is canned: answers the whole protocol with frames made from canned guests. Playground only.
import { Channel, Kind, RECORD_WORDS } from '../../trace/events.ts';
import { exitName } from '../../trace/exits.ts';
import { eventText } from '../../trace/format.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Port } from '../../worker/client.ts';
import {
  type Answer,
  type DomainFrame,
  type DomainInfo,
  type Frame,
  type FromWorker,
  MAX_FRAME_EVENTS,
  type Question,
  type Speed,
  type ToWorker,
} from '../../worker/protocol.ts';
import { cannedGuests } from './canned-guests.ts';
import { cannedDesktop, cannedText } from './canned-screens.ts';

const HZ = 50_000_000;

export interface CannedOptions {
  domains: DomainInfo[];
  speed: Speed;
  running: boolean;
  /** Events that have happened before the page looks. */
  before: number;
  /** Domain that has crashed, or -1. */
  crashed: number;
}

export class CannedWorker implements Port {
  onmessage: Port['onmessage'] = null;
  onerror: Port['onerror'] = null;
  private readonly recorder = new Recorder(1 << 14);
  private readonly clock = { now: 0 };
  private readonly next: () => void;
  private sent = 0;
  private running: boolean;
  private speed: Speed;
  private owed = 0;
  private visible = 0;
  private lastFrame = performance.now();
  private lastTables = 0;
  private frames = 0;

  constructor(private readonly options: CannedOptions) {
    this.next = cannedGuests(options.domains, this.recorder, this.clock);
    this.running = options.running;
    this.speed = options.speed;
    while (this.recorder.next < options.before) this.next();
    this.sent = this.visible = Math.max(0, this.recorder.next - (options.running ? 0 : 300));
    this.visible = this.recorder.next;
    const host = {
      processor: '2005 · Pentium 4 672 (canned)',
      generation: 'prescott',
      nestedPaging: false,
      clockHz: HZ,
      memoryBytes: 64 << 20,
      domains: options.domains,
    };
    this.post({ type: 'ready', host, scenario: 'canned' });
  }

  terminate(): void {
    this.onmessage = null;
  }

  postMessage(message: ToWorker): void {
    switch (message.type) {
      case 'wantFrame':
        this.post(this.frame());
        return;
      case 'question':
        this.post({ type: 'answer', id: message.id, answer: this.answer(message.question) });
        return;
      case 'run':
      case 'pause':
        this.running = message.type === 'run';
        return;
      case 'step':
        this.running = false;
        this.visible += message.unit === 'switch' ? 20 : 1;
        return;
      case 'speed':
        this.speed = message.speed;
        return;
      case 'boot':
        this.post({
          type: 'refused',
          domain: message.domain,
          message: 'canned guests cannot be booted: this is the playground',
          diagnostics: [],
        });
    }
  }

  private post(message: FromWorker): void {
    setTimeout(() => this.onmessage?.({ data: message }));
  }

  private advance(): void {
    const now = performance.now();
    const seconds = Math.min(0.1, (now - this.lastFrame) / 1000);
    this.lastFrame = now;
    if (this.running) {
      if (this.speed.mode === 'slow') this.owed += this.speed.eventsPerSecond * seconds;
      else if (this.speed.mode === 'fast') this.owed += 60_000 * seconds;
      else this.owed += (this.speed.cyclesPerSecond * seconds) / 1200;
      this.visible += Math.floor(this.owed);
      this.owed %= 1;
    }
    while (this.recorder.next < this.visible) this.next();
  }

  private frame(): Frame {
    this.frames++;
    const flows = this.options.domains.map((d) => this.counts(d.id));
    this.advance();
    const count = this.visible - this.sent;
    const taken = Math.min(count, MAX_FRAME_EVENTS);
    const events = new Int32Array(taken * RECORD_WORDS);
    const eventSeqs = new Float64Array(taken);
    for (let n = 0; n < taken; n++) {
      eventSeqs[n] = this.sent + Math.floor((n * count) / taken);
      this.recorder.copy(eventSeqs[n], eventSeqs[n] + 1, events, n);
    }
    const texts = this.texts(this.frames === 1 ? 0 : this.sent, this.visible);
    this.sent = this.visible;
    const now = performance.now();
    const tables = now - this.lastTables > 250;
    if (tables) this.lastTables = now;
    return {
      type: 'frame',
      time: this.recorder.get(this.visible - 1)?.time ?? 0,
      running: this.running,
      speed: this.speed,
      domains: this.options.domains.map((d, n) => this.domain(d, flows[n], texts.get(d.id) ?? '', tables)),
      events,
      eventSeqs,
      eventCount: this.visible,
      oldestEvent: this.recorder.oldest,
      instructionsPerSecond: this.running && this.speed.mode === 'fast' ? 21_400_000 : 120_000,
    };
  }

  private counts(id: number): DomainFrame['flow'] {
    const count = (...kinds: number[]) => kinds.reduce((sum, kind) => sum + this.recorder.count(kind, id), 0);
    const native = this.options.domains.find((d) => d.id === id)?.technique === 'native';
    const devices = count(Kind.device, Kind.output, Kind.shadow, Kind.pageTable);
    return {
      userKernel: count(Kind.interrupt, Kind.ring),
      kernelHypervisor: count(Kind.exit, Kind.entry),
      kernelHardware: native ? devices : 0,
      hypervisorHardware: native ? 0 : devices,
    };
  }

  private domain(
    info: DomainInfo,
    before: DomainFrame['flow'],
    console: string,
    tables: boolean,
  ): DomainFrame {
    const after = this.counts(info.id);
    const crashed = info.id === this.options.crashed;
    const clock = this.recorder.placeOf(info.id, this.clock.now);
    const graphics = info.display === 'graphics';
    const fresh = this.frames % (graphics ? 30 : 200) === 1;
    return {
      id: info.id,
      state: crashed ? 'crashed' : this.running ? 'running' : 'paused',
      ending: crashed ? 'triple fault at c0101234: #GP, then #GP, then no handler for the double fault' : '',
      now: {
        cpl: 0,
        place: crashed ? 'off' : clock.place,
        eip: 0xc0101234 + (this.frames % 64),
        line: info.sealed ? null : { file: 'kernel/sched.asm', line: 120 + (this.frames % 9) },
      },
      instructions: Math.round(this.clock.now / 3.1),
      places: clock.read(this.clock.now),
      flow: {
        userKernel: after.userKernel - before.userKernel,
        kernelHypervisor: after.kernelHypervisor - before.kernelHypervisor,
        kernelHardware: after.kernelHardware - before.kernelHardware,
        hypervisorHardware: after.hypervisorHardware - before.hypervisorHardware,
      },
      console,
      serial: '',
      screen:
        !fresh || info.display === 'console'
          ? null
          : graphics
            ? cannedDesktop(this.frames / 30)
            : cannedText(),
      exits: tables
        ? this.recorder.exitCounts(info.id).map((x) => ({
            ...x,
            name: exitName(x.vendor, x.reason),
            min: Number.isFinite(x.min) ? x.min : 0,
          }))
        : null,
      heat: null,
      heatAt: null,
      holes: 0,
    };
  }

  private texts(from: number, to: number): Map<number, string> {
    const texts = new Map<number, string>();
    for (let seq = Math.max(from, this.recorder.oldest); seq < to; seq++) {
      const event = this.recorder.get(seq);
      if (event?.kind !== Kind.output || event.b !== Channel.console) continue;
      texts.set(event.domain, (texts.get(event.domain) ?? '') + String.fromCharCode(event.a));
    }
    return texts;
  }

  private answer(question: Question): Answer {
    if (question.ask === 'events') {
      const from = Math.max(this.recorder.oldest, question.from);
      const to = Math.min(this.visible, question.to);
      const events = new Int32Array(Math.max(0, to - from) * RECORD_WORDS);
      this.recorder.copy(from, to, events);
      return { ask: 'events', events, from };
    }
    if (question.ask === 'explain') return { ask: 'explain', explanation: this.explain(question.seq) };
    if (question.ask === 'registers') return { ask: 'registers', registers: {} };
    return { ask: 'disassemble', lines: [] };
  }

  private explain(seq: number): Extract<Answer, { ask: 'explain' }>['explanation'] {
    const event = this.recorder.get(seq);
    if (!event) return null;
    const handler: { seq: number; text: string }[] = [];
    for (let n = seq + 1; n < seq + 6 && n < this.recorder.next; n++) {
      const next = this.recorder.get(n)!;
      handler.push({ seq: n, text: eventText(next) });
      if (next.kind === Kind.entry) break;
    }
    return {
      seq,
      text: eventText(event),
      instruction: {
        address: event.eip,
        text: 'mov cr3, eax',
        bytes: '0f 22 d8',
        line: { file: 'kernel/sched.asm', line: 124 },
      },
      why: 'Canned: a guest that runs with shadow page tables may not load CR3 itself; the CR3-load-exiting control is set, so the processor leaves VMX non-root operation before the instruction changes anything.',
      manual: 'SDM vol. 3, §25.1.3',
      handler: event.kind === Kind.exit ? handler : [],
      changes: [
        { name: 'guest CR3', before: '00104000', after: '00105000' },
        { name: 'shadow CR3', before: '00b20000', after: '00b21000' },
      ],
      cost: {
        cycles: 8340,
        parts: [
          { name: 'VM exit', cycles: 1931, mark: 'V2', source: 'Adams & Agesen 2006, table 1' },
          {
            name: 'emulation and shadow switch',
            cycles: 4000,
            mark: 'D',
            source: 'fitted: MOV CR3 handler of 4660 cycles',
          },
          { name: 'VM entry', cycles: 2409, mark: 'V2', source: 'Adams & Agesen 2006, table 1' },
        ],
      },
    };
  }
}

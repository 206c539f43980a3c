// Builds the one packet a display frame gets: counts, a fair sample of events, new output, changed screens. Bounded in size.

import { isBare } from '../hypervisor/technique.ts';
import { lineOf } from '../session/lines.ts';
import type { Session } from '../session/session.ts';
import { Kind, RECORD_WORDS } from '../trace/events.ts';
import { exitName } from '../trace/exits.ts';
import {
  type DomainFrame,
  type DomainState,
  type Frame,
  MAX_FRAME_EVENTS,
  MAX_FRAME_TEXT,
  type Speed,
} from './protocol.ts';

/** Exit tables and heat go out this often, in milliseconds. */
const TABLE_INTERVAL = 250;
const MAX_HEAT_LINES = 500;
/** Neighbouring events in a sample; divides MAX_FRAME_EVENTS. */
const RUN_LENGTH = 32;

interface Sent {
  text: number;
  user: number;
  exits: number;
  devices: number;
  host: number;
}

export class FrameBuilder {
  private nextEvent = 0;
  private readonly sent = new Map<number, Sent>();
  private tablesAt = -Infinity;
  private fullScreens = true;

  constructor(private readonly session: Session) {
    this.nextEvent = session.host.recorder.next;
  }

  /** The next frame carries every screen whole (a new page looks at it). */
  refresh(): void {
    this.fullScreens = true;
  }

  /** A domain was booted anew: its output starts over. */
  forget(domain: number): void {
    this.sent.delete(domain);
    this.fullScreens = true;
  }

  /** @param milliseconds real time, to pace the tables */
  build(running: boolean, speed: Speed, instructionsPerSecond: number, milliseconds: number): Frame {
    const { recorder } = this.session.host;
    const tables = milliseconds - this.tablesAt >= TABLE_INTERVAL;
    if (tables) this.tablesAt = milliseconds;
    const { events, eventSeqs } = this.sample();
    const frame: Frame = {
      type: 'frame',
      time: this.session.now,
      running,
      speed,
      domains: this.session.domains.map((d) => this.domain(d.id, tables)),
      events,
      eventSeqs,
      eventCount: recorder.next,
      oldestEvent: recorder.oldest,
      instructionsPerSecond,
    };
    this.fullScreens = false;
    return frame;
  }

  /**
   * Events since the last frame; when there are too many, evenly spaced runs of neighbours: an entry or a return is shown
   * with what caused it.
   */
  private sample(): { events: Int32Array; eventSeqs: Float64Array } {
    const { recorder } = this.session.host;
    const from = Math.max(this.nextEvent, recorder.oldest);
    const count = recorder.next - from;
    const taken = Math.min(count, MAX_FRAME_EVENTS);
    const runs = count > MAX_FRAME_EVENTS ? MAX_FRAME_EVENTS / RUN_LENGTH : 1;
    const length = taken / runs;
    const events = new Int32Array(taken * RECORD_WORDS);
    const eventSeqs = new Float64Array(taken);
    for (let run = 0; run < runs; run++) {
      const first = from + Math.floor((run * count) / runs);
      recorder.copy(first, first + length, events, run * length);
      for (let n = 0; n < length; n++) eventSeqs[run * length + n] = first + n;
    }
    this.nextEvent = recorder.next;
    return { events, eventSeqs };
  }

  private domain(id: number, tables: boolean): DomainFrame {
    const { session } = this;
    const { recorder } = session.host;
    const view = session.view(id);
    const places = recorder.placeOf(id, session.now);
    const state: DomainState = !view ? 'empty' : view.state === 'rebooting' ? 'running' : view.state;
    const alive = state === 'running' || state === 'paused';
    const eip = view ? session.host.linear(id) : 0;
    const screen = view?.board ? (this.fullScreens ? view.board.screen() : view.board.changedScreen()) : null;
    if (this.fullScreens) view?.board?.changedScreen();
    return {
      id,
      state,
      ending: view?.ending ?? '',
      now: {
        cpl: places.place === 'user' ? 3 : (view?.technique.kernelRing ?? 0),
        place: alive ? places.place : 'off',
        eip,
        line: view ? lineOf(session, id, eip) : null,
      },
      instructions: session.host.instructionsOf(id),
      places: places.read(session.now),
      flow: this.flow(id),
      ...this.text(id),
      screen,
      exits: tables
        ? recorder.exitCounts(id).map(({ vendor, reason, count, cycles, min, max }) => ({
            vendor,
            reason,
            name: exitName(vendor, reason),
            count,
            cycles,
            min: min === Infinity ? 0 : min,
            max,
          }))
        : null,
      holes: recorder.count(Kind.hole, id),
      heat: tables ? this.heat(id) : null,
      heatAt: tables ? this.heatAt(id) : null,
    };
  }

  private sentTo(id: number): Sent {
    let sent = this.sent.get(id);
    if (!sent) this.sent.set(id, (sent = { text: 0, user: 0, exits: 0, devices: 0, host: 0 }));
    return sent;
  }

  private flow(id: number): DomainFrame['flow'] {
    const { recorder } = this.session.host;
    const sent = this.sentTo(id);
    const now = {
      user: recorder.count(Kind.interrupt, id) + recorder.count(Kind.ring, id),
      exits: recorder.count(Kind.exit, id) + recorder.count(Kind.entry, id),
      // A virtual device is the hypervisor's own; only the bare machine's kernel reaches the hardware.
      devices: isBare(this.session.domains[id].technique) ? recorder.count(Kind.device, id) : 0,
      host:
        recorder.count(Kind.shadow, id) +
        recorder.count(Kind.pageTable, id) +
        recorder.count(Kind.output, id),
    };
    const flow = {
      userKernel: Math.max(0, now.user - sent.user),
      kernelHypervisor: Math.max(0, now.exits - sent.exits),
      kernelHardware: Math.max(0, now.devices - sent.devices),
      hypervisorHardware: Math.max(0, now.host - sent.host),
    };
    Object.assign(sent, now);
    return flow;
  }

  private text(id: number): { console: string; serial: string } {
    const domain = this.session.domains[id];
    const sent = this.sentTo(id);
    const start = Math.max(sent.text, domain.printed - domain.text.length);
    const from = start - (domain.printed - domain.text.length);
    const text = domain.text.slice(from, from + MAX_FRAME_TEXT);
    sent.text = start + text.length;
    return this.session.view(id)?.board ? { console: '', serial: text } : { console: text, serial: '' };
  }

  /** Exits by address, where no line can be named. */
  private heatAt(id: number): DomainFrame['heatAt'] {
    const { built } = this.session.domains[id];
    if (built?.assembly && !built.sealed) return null;
    return [...this.session.host.recorder.exitSites(id)]
      .map(([address, count]) => ({ address, count }))
      .sort((a, b) => b.count - a.count)
      .slice(0, MAX_HEAT_LINES);
  }

  /** Exits by source line: the sites of the trace, through the line map. */
  private heat(id: number): DomainFrame['heat'] {
    const lines = new Map<string, { file: string; line: number; count: number }>();
    for (const [eip, count] of this.session.host.recorder.exitSites(id)) {
      const line = lineOf(this.session, id, eip);
      if (!line) continue;
      const key = `${line.file}:${line.line}`;
      const entry = lines.get(key);
      if (entry) entry.count += count;
      else lines.set(key, { ...line, count });
    }
    return [...lines.values()].sort((a, b) => b.count - a.count).slice(0, MAX_HEAT_LINES);
  }
}

// What frames brought of each guest beyond the current moment: its text, its last screen, its exits, where its time went
// lately. Views that are opened late begin with it. Pure.
import type {
  DomainFrame,
  DomainInfo,
  DomainState,
  ExitRow,
  Frame,
  Places,
  Screen,
} from '../worker/protocol.ts';
import { PLACES, RecentPlaces, sharesOf } from './recent.ts';
import { TextTail } from './text-tail.ts';

/** What the panels show of a guest. Places are shares, since boot and lately. */
export interface DomainView {
  info: DomainInfo;
  state: DomainState;
  ending: string;
  now: DomainFrame['now'];
  instructions: number;
  /** Virtual time since boot, in cycles. */
  cycles: number;
  places: Places;
  recent: Places;
  exits: ExitRow[];
  /** Instructions that ran silently wrong since boot. */
  holes: number;
}
interface Output {
  recent: RecentPlaces;
  exits: ExitRow[];
  console: TextTail;
  serial: TextTail;
  screen: Screen | null;
}

const NOWHERE: DomainFrame['now'] = { cpl: 0, place: 'off', eip: 0, line: null };
const NO_TIME: Places = { user: 0, kernel: 0, hypervisor: 0, ready: 0, idle: 0 };

/** A guest of which no frame has told yet. */
export function unseen(info: DomainInfo): DomainView {
  return {
    info,
    state: 'empty',
    ending: '',
    now: NOWHERE,
    instructions: 0,
    cycles: 0,
    places: NO_TIME,
    recent: NO_TIME,
    exits: [],
    holes: 0,
  };
}

export class GuestOutputs {
  private readonly outputs = new Map<number, Output>();

  clear(): void {
    this.outputs.clear();
  }
  /** A guest was booted anew: what it said before belongs to another life. */
  forget(domain: number): void {
    this.outputs.delete(domain);
  }

  /** Takes a frame in. @param hz cycles per virtual second */
  take(frame: Frame, hz: number): void {
    for (const domain of frame.domains) {
      const output = this.of(domain.id);
      output.recent.add(domain.places, hz);
      output.console.append(domain.console);
      output.serial.append(domain.serial);
      if (domain.exits) output.exits = domain.exits;
      if (domain.screen) output.screen = domain.screen;
    }
  }

  /** The views brought up to date with a frame. */
  views(before: readonly DomainView[], frame: Frame): DomainView[] {
    return before.map((view) => {
      const domain = frame.domains.find((d) => d.id === view.info.id);
      if (!domain) return view;
      const { recent, exits } = this.of(domain.id);
      const { state, ending, now, instructions, places, holes } = domain;
      return {
        info: view.info,
        state,
        ending,
        now,
        instructions,
        cycles: PLACES.reduce((sum, place) => sum + places[place], 0),
        places: sharesOf(places),
        recent: recent.shares(),
        exits,
        holes,
      };
    });
  }

  text(domain: number, channel: 'console' | 'serial'): string {
    return this.outputs.get(domain)?.[channel].toString() ?? '';
  }
  screen(domain: number): Screen | null {
    return this.outputs.get(domain)?.screen ?? null;
  }

  private of(domain: number): Output {
    let output = this.outputs.get(domain);
    if (!output) {
      output = {
        recent: new RecentPlaces(),
        exits: [],
        console: new TextTail(),
        serial: new TextTail(),
        screen: null,
      };
      this.outputs.set(domain, output);
    }
    return output;
  }
}

// The playground's scenes: which canned guests, at what speed, looked at how.
import type { DomainInfo, Speed } from '../../worker/protocol.ts';

export interface Scene {
  name: string;
  what: string;
  domains: DomainInfo[];
  speed: Speed;
  running: boolean;
  crashed?: number;
  /** Selects an exit and shows its explanation. */
  select?: boolean;
  pane?: 'events' | 'costs' | 'source' | 'lesson';
}

const PENGUIN: DomainInfo = {
  id: 0,
  name: 'Penguin',
  guest: 'penguin-xen',
  technique: 'paravirtualization',
  memoryBytes: 16 << 20,
  sealed: false,
  kernelRing: 1,
  nonRoot: false,
  display: 'console',
};
const PANES: DomainInfo = {
  id: 1,
  name: 'Panes',
  guest: 'panes',
  technique: 'vt-x',
  memoryBytes: 16 << 20,
  sealed: true,
  kernelRing: 0,
  nonRoot: true,
  display: 'graphics',
};
const NATIVE: DomainInfo = {
  ...PENGUIN,
  guest: 'penguin-native',
  technique: 'native',
  kernelRing: 0,
  display: 'text',
};
const SLOW: Speed = { mode: 'slow', eventsPerSecond: 1.5 };
const NORMAL: Speed = { mode: 'normal', cyclesPerSecond: 60_000 };
const FAST: Speed = { mode: 'fast' };
const both = [PENGUIN, PANES];

export const SCENES: readonly Scene[] = [
  { name: 'slow', what: 'two guests, slow motion', domains: both, speed: SLOW, running: true },
  { name: 'normal', what: 'two guests, normal', domains: both, speed: NORMAL, running: true },
  { name: 'fast', what: 'two guests, full speed', domains: both, speed: FAST, running: true },
  { name: 'paused', what: 'an event explained', domains: both, speed: FAST, running: false, select: true },
  { name: 'costs', what: 'the comparison table', domains: both, speed: FAST, running: true, pane: 'costs' },
  {
    name: 'native',
    what: 'one guest on the bare machine, text screen',
    domains: [NATIVE],
    speed: NORMAL,
    running: true,
  },
  {
    name: 'three',
    what: 'three guests',
    domains: [...both, { ...PANES, id: 2, name: 'Panes 2', display: 'text' }],
    speed: FAST,
    running: true,
  },
  { name: 'crashed', what: 'a crashed guest', domains: both, speed: FAST, running: true, crashed: 1 },
];

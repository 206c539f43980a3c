// Numbers and names as people read them: one way of writing each, for the whole page. Pure.
import type { PROCESSORS } from '../cost/processors.ts';
import type { DomainInfo, DomainState, TechniqueName } from '../worker/protocol.ts';

const NARROW = '\u202f';

/** 12 345 678, grouped by narrow spaces. */
export function grouped(value: number): string {
  const digits = Math.round(Math.abs(value)).toString();
  return (value < 0 ? '−' : '') + digits.replace(/\B(?=(\d{3})+$)/g, NARROW);
}

/** Three significant digits with k, M or G: 940, 1.24 k, 12.4 M. */
export function short(value: number): string {
  const steps: [number, string][] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  for (const [size, unit] of steps) {
    if (value >= size * 0.9995) return `${significant(value / size)}${NARROW}${unit}`;
  }
  return value >= 100 || Number.isInteger(value) ? `${Math.round(value)}` : significant(value);
}

function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Virtual time: `8.340 µs`, `12.345 ms`, `2.001 s`. @param hz cycles per second */
export function virtualTime(cycles: number, hz: number): string {
  const seconds = cycles / hz;
  if (seconds >= 1) return `${seconds.toFixed(3)}${NARROW}s`;
  if (seconds >= 1e-3 || seconds === 0) return `${(seconds * 1e3).toFixed(3)}${NARROW}ms`;
  return `${(seconds * 1e6).toFixed(2)}${NARROW}µs`;
}

/** 16 MiB. */
export function bytes(value: number): string {
  if (value >= 2 ** 20) return `${+(value / 2 ** 20).toFixed(1)}${NARROW}MiB`;
  return `${+(value / 2 ** 10).toFixed(1)}${NARROW}KiB`;
}

/** `12 %`, `0.4 %`; nothing is rounded up to what it is not. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return `<${NARROW}0.1${NARROW}%`;
  return `${value < 9.95 && value > 0 ? value.toFixed(1) : value.toFixed(0)}${NARROW}%`;
}

export const TECHNIQUE_LABEL: Readonly<Record<TechniqueName, string>> = {
  native: 'bare machine',
  'trap-and-emulate': 'trap and emulate',
  'binary-translation': 'binary translation',
  paravirtualization: 'paravirtualized',
  'vt-x': 'VT-x',
  svm: 'SVM',
  container: 'container',
};

/** The processors of a simulated server (cost/processors.ts), for a list. */
export const PROCESSOR_LABEL: Readonly<Record<(typeof PROCESSORS)[number], string>> = {
  prescott: '2005 · Pentium 4 (Prescott)',
  merom: '2006 · Core 2 (Merom)',
  nehalem: '2008 · Xeon 5500 (Nehalem)',
};

/** Where the technique puts the guest's kernel: `ring 1`, `ring 0, VMX non-root`, `ring 0, guest mode` (AMD's word for it). */
export function kernelPlace(info: Pick<DomainInfo, 'kernelRing' | 'nonRoot' | 'technique'>): string {
  const mode = info.technique === 'svm' ? ', guest mode' : ', VMX non-root';
  return `ring ${info.kernelRing}${info.nonRoot ? mode : ''}`;
}

export const STATE_LABEL: Readonly<Record<DomainState, string>> = {
  empty: 'not booted',
  running: 'running',
  paused: 'paused',
  halted: 'shut down',
  crashed: 'crashed',
};

export const PLACE_LABEL = {
  user: 'programs',
  kernel: 'guest kernel',
  hypervisor: 'hypervisor',
  ready: 'waits for the processor',
  idle: 'idle',
} as const;

/** How well a number is known (facts of cost/model.ts), in words. */
export const MARK_LABEL: Readonly<Record<string, string>> = {
  V: 'verified in the source',
  V2: 'verified in a transcription of the source',
  M: 'from memory, not checked',
  D: 'derived or fitted by us',
};

/** `0010a2f4` */
export function address(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

/** Reads an address as people write it: `0xC0100000`, `c0100000`, `0010_0000h`. Null when it is none. */
export function parseAddress(text: string): number | null {
  const digits = text
    .trim()
    .toLowerCase()
    .replaceAll('_', '')
    .replace(/^(0x|\$)/, '')
    .replace(/h$/, '');
  return /^[\da-f]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) : null;
}

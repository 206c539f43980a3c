// What a mark on the stage can mean. One table read by the stage, the legend, the event list and the filters:
// a meaning has one colour (palette.ts), one shape and one phrase, so that colour is never the only difference.

/** Every meaning, in the order of the legend and of the lanes in a column, left to right. */
export const MEANINGS = [
  'syscall',
  'hypercall',
  'exit',
  'inject',
  'paging',
  'device',
  'schedule',
  'hole',
] as const;
export type Meaning = (typeof MEANINGS)[number];

export type Shape = 'circle' | 'square' | 'triangle' | 'diamond' | 'grid' | 'hexagon' | 'ring' | 'cross';

export interface MeaningInfo {
  readonly shape: Shape;
  /** For the legend: a noun. */
  readonly label: string;
  /** For a tooltip: what such a mark says. */
  readonly hint: string;
}

export const MEANING: Readonly<Record<Meaning, MeaningInfo>> = {
  syscall: {
    shape: 'circle',
    label: 'system call',
    hint: 'A program asks its own kernel, or the kernel returns to it. No hypervisor takes part.',
  },
  hypercall: {
    shape: 'square',
    label: 'hypercall',
    hint: 'A paravirtualized kernel knocks: it calls the hypervisor on purpose.',
  },
  exit: {
    shape: 'triangle',
    label: 'trap or exit',
    hint: 'The processor left the guest because of what it did: an exception, a trap or a VM exit; and the way back.',
  },
  inject: {
    shape: 'diamond',
    label: 'interrupt',
    hint: 'An interrupt of the hardware, or one that the hypervisor puts into a guest.',
  },
  paging: {
    shape: 'grid',
    label: 'page tables',
    hint: 'Work on address translation: shadow entries, validated updates, a new CR3.',
  },
  device: {
    shape: 'hexagon',
    label: 'device',
    hint: 'An access to a device, real or emulated, and what came out of it.',
  },
  schedule: {
    shape: 'ring',
    label: 'scheduling',
    hint: 'The physical processor goes from one domain to another; a domain starts, waits or ends.',
  },
  hole: {
    shape: 'cross',
    label: 'silently wrong',
    hint: 'A sensitive instruction that did not trap, and gave the deprivileged kernel a wrong result.',
  },
};

// The guests that come with Ringside: what they are, how they may be run, which file is the main one.
// Sources are read by whoever has a file system or a bundle; a sealed guest is given to the learner as an image only.
import type { Enlightenment, TechniqueName } from '../hypervisor/technique.ts';

export interface GuestEntry {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  /** Path below src/guests/. */
  readonly main: string;
  readonly sealed: boolean;
  readonly techniques: readonly TechniqueName[];
  /** What it looks for by CPUID and uses when it is there. */
  readonly enlightenments?: readonly Enlightenment[];
  /** Builds of one source for different machines: a guest may be booted as any of them. */
  readonly family?: string;
  readonly display: 'graphics' | 'text' | 'console';
}

export const GUESTS: readonly GuestEntry[] = [
  {
    id: 'penguin-xen',
    title: 'Penguin (Xen)',
    summary: 'A small Linux-like kernel, ported to Xen: ring 1, hypercalls, event channels.',
    main: 'penguin/penguin-xen.asm',
    sealed: false,
    techniques: ['paravirtualization'],
    family: 'penguin',
    display: 'console',
  },
  {
    id: 'penguin-native',
    title: 'Penguin (native)',
    summary: 'The same kernel from the same source, for the bare machine.',
    main: 'penguin/penguin-native.asm',
    sealed: false,
    techniques: ['native', 'trap-and-emulate', 'binary-translation', 'vt-x', 'svm'],
    enlightenments: ['hyper-v', 'xen'],
    family: 'penguin',
    display: 'text',
  },
  {
    id: 'penguin-container',
    title: 'Penguin (containers)',
    summary:
      'The same kernel with containers: several userlands on one kernel, each with its own processes, root and limits.',
    main: 'penguin/penguin-container.asm',
    sealed: false,
    techniques: ['container', 'native'],
    display: 'text',
  },
  {
    id: 'panes',
    title: 'Panes',
    summary: 'An unmodified graphical system that has never heard of hypervisors.',
    main: 'panes/panes.asm',
    sealed: true,
    techniques: ['native', 'trap-and-emulate', 'binary-translation', 'vt-x', 'svm'],
    display: 'graphics',
  },
  {
    id: 'hello-xen',
    title: 'Hello, Xen',
    summary: 'Ten lines: a bare guest that prints through a hypercall.',
    main: 'hello-xen.asm',
    sealed: false,
    techniques: ['paravirtualization'],
    display: 'console',
  },
  {
    id: 'own-hypervisor-vmx',
    title: 'A hypervisor of one’s own (VT-x)',
    summary:
      'Three hundred lines that run on the bare machine: VMXON, a VMCS, a guest in real mode, its exits by reason.',
    main: 'own-hypervisor/vmx.asm',
    sealed: false,
    techniques: ['native'],
    display: 'text',
  },
  {
    id: 'own-hypervisor-svm',
    title: 'A hypervisor of one’s own (SVM)',
    summary: 'Its mirror: EFER.SVME, a VMCB, VMRUN, the same guest.',
    main: 'own-hypervisor/svm.asm',
    sealed: false,
    techniques: ['native'],
    display: 'text',
  },
  {
    id: 'nanobench',
    title: 'Nanobenchmarks',
    summary: 'What a system call, a page fault, a port access … costs: seven measurements of 2006.',
    main: 'nanobench/nanobench.asm',
    sealed: false,
    techniques: ['native', 'trap-and-emulate', 'binary-translation', 'vt-x', 'svm'],
    display: 'text',
  },
];

/** The entry of a guest, or undefined. */
export function guestEntry(id: string): GuestEntry | undefined {
  return GUESTS.find((guest) => guest.id === id);
}

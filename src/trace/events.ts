// The whole event vocabulary. A fact is written once, here, as a record of ten 32-bit words, and read by everyone:
// stage, timeline, event list, editor heat, lesson checks, console table, export, golden file.

/** Kinds of events. The comment gives the arguments a, b, c, d, e; `eip` is always the guest's instruction pointer. */
export const Kind = {
  /** Interrupt or exception delivered through an IDT by the processor: vector, error code (or -1), CPL before, CPL after, 1 if external | 2 if INT n. */
  interrupt: 1,
  /** Return to an outer ring (IRET, RETF, SYSEXIT): CPL before, CPL after. */
  ring: 2,
  /** Guest → hypervisor: reason (a code of the technique's exit namespace, see exits.ts), qualification, detail (linear address or error code), instruction length, vendor (Vendor.*). */
  exit: 3,
  /** Hypervisor → guest: injected vector or -1, CPL that it enters. `cost` = cycles from the exit to here. */
  entry: 4,
  /** Paravirtual hypercall handled: number, arg1 (EBX), arg2 (ECX), arg3 (EDX), result (EAX). */
  hypercall: 5,
  /** Hypervisor emulated an instruction: Emulated.* code, operand (CR number, port, MSR, leaf), value, size in bytes. */
  emulate: 6,
  /** Virtual interrupt or exception put into a guest: vector, error code or -1, Injected.* cause. */
  inject: 7,
  /** Event-channel upcall into a paravirtual guest: port, pending word, 1 if it was already pending. */
  upcall: 8,
  /** Shadow paging work: Shadow.* operation, guest-virtual, guest-physical, machine address. */
  shadow: 9,
  /** Validated page-table update of a paravirtual guest: machine address of the entry, new value, level 1..2, 0 ok or -errno, old value. */
  pageTable: 10,
  /** World switch on the physical processor: domain leaving (or -1), domain arriving (or -1 = idle), Switch.* reason. */
  schedule: 11,
  /** Access to a real or virtual device: Device.* id, 0 read / 1 write, port, value, size in bytes. */
  device: 12,
  /** Hardware interrupt request taken from the interrupt controller: vector, IRQ line or -1. */
  irq: 13,
  /** A character came out of a guest's console or serial port: character code, Channel.*. */
  output: 14,
  /** A guest gave up the processor until an event: 0 HLT / 1 SCHEDOP_block, wake-up time low word or 0. */
  idle: 15,
  /** Domain life: Life.*, detail. */
  domain: 16,
  /** A sensitive instruction ran silently wrong in a deprivileged kernel: form id of the instruction table, what the guest got, what bare hardware would have given; 1 when that is an exception, of this vector. */
  hole: 17,
  /** The guest switched address spaces by itself (MOV CR3, native or not intercepted): new CR3, old CR3. */
  addressSpace: 18,
  /** Binary translation made a block: guest-linear address, its length, cache address (linear), length there, 1 if made again for an instruction that trapped too often; 2: the whole cache was emptied. */
  translate: 19,
} as const;
export type KindName = keyof typeof Kind;

export const Vendor = { xen: 0, vmx: 1, svm: 2, trap: 3 } as const;
export const Shadow = { fill: 0, switchRoot: 1, flush: 2, invalidatePage: 3, guestFault: 4 } as const;
export const Emulated = {
  crRead: 0,
  crWrite: 1,
  clts: 2,
  lmsw: 3,
  ioIn: 4,
  ioOut: 5,
  cpuid: 6,
  rdmsr: 7,
  wrmsr: 8,
  hlt: 9,
  invlpg: 10,
  cli: 11,
  sti: 12,
  drAccess: 13,
  rdtsc: 14,
  wbinvd: 15,
  descriptorTable: 16,
  pushf: 17,
  popf: 18,
  iret: 19,
  /** A load of a segment register that ring 1 could not do itself: register, selector. */
  loadSegment: 20,
  /** RETF, far JMP or CALL, SYSENTER, SYSEXIT. */
  farTransfer: 21,
  /** A device at a guest-physical address: address, value, size. */
  mmioRead: 22,
  mmioWrite: 23,
  /** Instructions that the hypervisor's interpreter ran because the silicon cannot: how many, linear address of the first. */
  interpreted: 24,
  /** Selector of the TSS. */
  taskSwitch: 25,
} as const;
export const Injected = { reflected: 0, virtualInterrupt: 1, fault: 2 } as const;
export const Switch = { start: 0, sliceEnd: 1, blocked: 2, woken: 3, stopped: 4, yielded: 5 } as const;
export const Device = {
  pic: 0,
  pit: 1,
  serial: 2,
  keyboard: 3,
  cmos: 4,
  vga: 5,
  debug: 6,
  disk: 7,
  mouse: 8,
  power: 9,
  other: 10,
  pci: 11,
  floppy: 12,
  dma: 13,
} as const;
export const Channel = { serial: 0, console: 1, debug: 2 } as const;
export const Life = {
  created: 0,
  booted: 1,
  halted: 2,
  rebooted: 3,
  crashed: 4,
  tripleFault: 5,
  destroyed: 6,
  paused: 7,
  resumed: 8,
} as const;

/** Words of one packed record: head (kind, domain, virtual processor, cost 39:32), time low, time high, eip, a, b, c, d, e, cost. */
export const RECORD_WORDS = 10;

/** Time, in cycles, of the record that starts at word `at`. */
export function timeOf(words: Int32Array, at: number): number {
  return (words[at + 1] >>> 0) + words[at + 2] * 0x100000000;
}

/** Its cost, in cycles. */
export function costOf(words: Int32Array, at: number): number {
  return (words[at + 9] >>> 0) + (words[at] >>> 24) * 0x100000000;
}

/** One event, unpacked. Time and cost in cycles; `domain` -1 is the host itself. */
export interface TraceEvent {
  seq: number;
  time: number;
  kind: number;
  domain: number;
  vcpu: number;
  eip: number;
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  cost: number;
}

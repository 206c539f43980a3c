// Xen's i386 ABI without PAE: numbers and structure offsets (xen/include/public/xen.h, arch-x86_32.h, event_channel.h,
// sched.h, vcpu.h, memory.h, io/console.h of Xen 3.0). Offsets are in bytes.

export const HYPERCALL = {
  set_trap_table: 0,
  mmu_update: 1,
  set_gdt: 2,
  stack_switch: 3,
  set_callbacks: 4,
  fpu_taskswitch: 5,
  sched_op_compat: 6,
  set_debugreg: 8,
  get_debugreg: 9,
  update_descriptor: 10,
  memory_op: 12,
  multicall: 13,
  update_va_mapping: 14,
  set_timer_op: 15,
  xen_version: 17,
  console_io: 18,
  vm_assist: 21,
  iret: 23,
  vcpu_op: 24,
  mmuext_op: 26,
  sched_op: 29,
  event_channel_op: 32,
} as const;

export const ERROR = {
  perm: -1,
  srch: -3,
  nomem: -12,
  fault: -14,
  busy: -16,
  exist: -17,
  inval: -22,
  nospc: -28,
  nosys: -38,
} as const;

/** struct start_info. */
export const START_INFO = {
  magic: 0,
  nrPages: 32,
  sharedInfo: 36,
  flags: 40,
  storeMfn: 44,
  storeEvtchn: 48,
  consoleMfn: 52,
  consoleEvtchn: 56,
  ptBase: 60,
  nrPtFrames: 64,
  mfnList: 68,
  modStart: 72,
  modLen: 76,
  cmdLine: 80,
  cmdLineSize: 1024,
  size: 1104,
} as const;
export const START_INFO_MAGIC = 'xen-3.0-x86_32';

/** struct shared_info and its first vcpu_info. */
export const SHARED_INFO = {
  upcallPending: 0,
  upcallMask: 1,
  pendingSelector: 4,
  cr2: 8,
  timeVersion: 32,
  tscTimestamp: 40,
  systemTime: 48,
  tscMultiplier: 56,
  tscShift: 60,
  evtchnPending: 2048,
  evtchnMask: 2176,
  wallclockVersion: 2304,
  wallclockSeconds: 2308,
  wallclockNanoseconds: 2312,
} as const;
/** Ports of a 32-bit guest: 32 words of 32 bits. */
export const EVENT_PORTS = 1024;

/** struct xencons_interface. */
export const CONSOLE = {
  in: 0,
  inSize: 1024,
  out: 1024,
  outSize: 2048,
  inCons: 3072,
  inProd: 3076,
  outCons: 3080,
  outProd: 3084,
} as const;

export const MMU = { normal: 0, machphys: 1, preserveAd: 2 } as const;
export const MMUEXT = {
  pinL1: 0,
  pinL2: 1,
  pinL3: 2,
  pinL4: 3,
  unpin: 4,
  newBasePointer: 5,
  tlbFlushLocal: 6,
  invlpgLocal: 7,
  tlbFlushMulti: 8,
  invlpgMulti: 9,
  tlbFlushAll: 10,
  invlpgAll: 11,
  flushCache: 12,
  setLdt: 13,
} as const;
export const EVTCHNOP = {
  bindInterdomain: 0,
  bindVirq: 1,
  bindPirq: 2,
  close: 3,
  send: 4,
  status: 5,
  allocUnbound: 6,
  bindIpi: 7,
  bindVcpu: 8,
  unmask: 9,
} as const;
export const VIRQ = { timer: 0, debug: 1, console: 2 } as const;
export const SCHEDOP = { yield: 0, block: 1, shutdown: 2, poll: 3 } as const;
export const SHUTDOWN = { poweroff: 0, reboot: 1, suspend: 2, crash: 3 } as const;
export const VCPUOP = { isUp: 3, getRunstate: 4 } as const;
export const XENMEM = { maximumRamPage: 2, currentReservation: 3, maximumReservation: 4 } as const;
export const DOMID_SELF = 0x7ff0;

/** struct trap_info: vector u8, flags u8, cs u16, address u32. */
export const TRAP_INFO_SIZE = 8;

/** Page-table entry bits (SDM vol. 3 §4.3). */
export const PTE = {
  present: 1,
  writable: 2,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  large: 0x80,
  global: 0x100,
} as const;
/** First page-directory entry that belongs to the hypervisor. */
export const FIRST_HYPERVISOR_PDE = 1008;

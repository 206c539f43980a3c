// Xen's i386 ABI without PAE: numbers and structure offsets (xen/include/public/xen.h, arch-x86_32.h, event_channel.h,
// sched.h, vcpu.h, memory.h, io/console.h of Xen 3.0). Offsets are in bytes.

export { CONSOLE, DOMID_SELF, ERROR, EVENT_PORTS, EVTCHNOP, SHARED_INFO, VIRQ } from '../xen/abi.ts';

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
  grant_table_op: 20,
  vm_assist: 21,
  iret: 23,
  vcpu_op: 24,
  mmuext_op: 26,
  sched_op: 29,
  event_channel_op: 32,
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
  newUserBasePointer: 15,
  clearPage: 16,
  copyPage: 17,
} as const;
export const SCHEDOP = { yield: 0, block: 1, shutdown: 2, poll: 3 } as const;
export const SHUTDOWN = { poweroff: 0, reboot: 1, suspend: 2, crash: 3 } as const;

/** Bytes of struct vcpu_info: shared_info begins with one for each of 32 virtual processors. */
export const VCPU_INFO_SIZE = 64;

/** struct trap_info: vector u8, flags u8, cs u16, address u32. */
export const TRAP_INFO_SIZE = 8;

/** In the machine-to-physical table: this machine frame is no page of a guest's. */
export const INVALID_M2P = 0x55555555;

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

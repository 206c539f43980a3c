// Numbers of the part of Xen's interface that only foreign kernels use (xen/include/public/xen.h, version.h, vcpu.h,
// sched.h, memory.h, callback.h, features.h of Xen 3.x). Offsets are in bytes.

export const NUMBER = {
  set_debugreg: 8,
  get_debugreg: 9,
  memory_op: 12,
  event_channel_op_compat: 16,
  xen_version: 17,
  physdev_op_compat: 19,
  vm_assist: 21,
  update_va_mapping_otherdomain: 22,
  vcpu_op: 24,
  set_segment_base: 25,
  nmi_op: 28,
  sched_op: 29,
  callback_op: 30,
  physdev_op: 33,
} as const;

export const ETIME = -62;
export const EPERM = -1;
export const ENOENT = -2;

export const XENVER = {
  extraversion: 1,
  compileInfo: 2,
  capabilities: 3,
  changeset: 4,
  platformParameters: 5,
  getFeatures: 6,
  pageSize: 7,
  guestHandle: 8,
  commandLine: 9,
} as const;

/** XENFEAT_*: bits of submap 0. */
export const FEATURE = {
  paePgdirAbove4gb: 4,
  preserveAd: 5,
  highmemAssist: 6,
  gnttabMapAvailBits: 7,
} as const;

export const XENMEM = {
  increaseReservation: 0,
  decreaseReservation: 1,
  maximumRamPage: 2,
  currentReservation: 3,
  maximumReservation: 4,
  machphysMfnList: 5,
  populatePhysmap: 6,
  memoryMap: 9,
  exchange: 11,
  machphysMapping: 12,
} as const;

/** struct xen_memory_reservation; struct xen_memory_exchange holds two, then nr_exchanged. */
export const RESERVATION = {
  extentStart: 0,
  extents: 4,
  order: 8,
  addressBits: 12,
  domain: 16,
  size: 20,
} as const;

export const VCPUOP = {
  initialise: 0,
  up: 1,
  down: 2,
  isUp: 3,
  getRunstateInfo: 4,
  registerRunstateArea: 5,
  setPeriodicTimer: 6,
  stopPeriodicTimer: 7,
  setSingleshotTimer: 8,
  stopSingleshotTimer: 9,
  registerVcpuInfo: 10,
  sendNmi: 11,
  getPhysid: 12,
  registerTimeArea: 13,
} as const;

export const VMASST = {
  segments4gb: 0,
  segments4gbNotify: 1,
  writablePageTables: 2,
  paeExtendedCr3: 3,
} as const;
export const CALLBACK = {
  event: 0,
  failsafe: 1,
  syscall: 2,
  sysenterDeprecated: 3,
  nmi: 4,
  sysenter: 5,
  syscall32: 7,
} as const;

/** struct vcpu_guest_context of i386: an FXSAVE image, flags, struct cpu_user_regs, and what hypercalls set later. */
export const CONTEXT = {
  flags: 512,
  userRegs: 516,
  traps: 584,
  ldtBase: 2632,
  ldtEntries: 2636,
  gdtFrames: 2640,
  gdtFramesMost: 14,
  gdtEntries: 2704,
  kernelSs: 2708,
  kernelSp: 2712,
  cr3: 2728,
  debugRegisters: 2748,
  eventCallback: 2780,
  failsafeCallback: 2788,
  size: 2800,
} as const;
export const USER_REGS = {
  ebx: 0,
  ecx: 4,
  edx: 8,
  esi: 12,
  edi: 16,
  ebp: 20,
  eax: 24,
  eip: 32,
  cs: 36,
  eflags: 40,
  esp: 44,
  ss: 48,
  es: 52,
  ds: 56,
  fs: 60,
  gs: 64,
} as const;
export const VGCF_I387_VALID = 1;

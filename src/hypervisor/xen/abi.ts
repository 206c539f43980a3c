// Numbers and structure offsets of Xen's i386 interface that paravirtualized guests and unmodified guests with paravirtual
// drivers share (xen/include/public/xen.h, event_channel.h, grant_table.h, memory.h, io/*.h of Xen 3.x). Offsets are in bytes.

export const ERROR = {
  perm: -1,
  noent: -2,
  srch: -3,
  nomem: -12,
  fault: -14,
  busy: -16,
  exist: -17,
  inval: -22,
  nospc: -28,
  nosys: -38,
} as const;
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
  reset: 10,
} as const;
export const VIRQ = { timer: 0, debug: 1, console: 2 } as const;
export const XENMEM = {
  maximumRamPage: 2,
  currentReservation: 3,
  maximumReservation: 4,
  addToPhysmap: 7,
} as const;
export const DOMID_SELF = 0x7ff0;

/** grant_table.h, version 1: the commands, what a request may answer, an entry {u16 flags, u16 domid, u32 frame}. */
export const GNTTABOP = {
  mapGrantRef: 0,
  unmapGrantRef: 1,
  setupTable: 2,
  dumpTable: 3,
  transfer: 4,
  copy: 5,
  querySize: 6,
} as const;
export const GNTST = {
  okay: 0,
  generalError: -1,
  badDomain: -2,
  badGntref: -3,
  badHandle: -4,
  badVirtAddr: -5,
  noDeviceSpace: -7,
  permissionDenied: -8,
  badPage: -9,
  badCopyArg: -10,
} as const;
export const GTF = {
  typeMask: 3,
  permitAccess: 1,
  acceptTransfer: 2,
  readonly: 4,
  reading: 8,
  writing: 16,
  /** Of an entry that accepts a transfer. */
  transferCommitted: 4,
  transferCompleted: 8,
} as const;
/** How a grant is to be mapped. */
export const GNTMAP = {
  deviceMap: 1,
  hostMap: 2,
  readonly: 4,
  applicationMap: 8,
  containsPte: 16,
} as const;
export const GRANT_ENTRY_SIZE = 8;

/** struct xenstore_domain_interface (io/xs_wire.h). */
export const STORE = {
  request: 0,
  reply: 1024,
  size: 1024,
  requestCons: 2048,
  requestProd: 2052,
  replyCons: 2056,
  replyProd: 2060,
} as const;

/** enum xenbus_state (io/xenbus.h). */
export const XENBUS = {
  unknown: 0,
  initialising: 1,
  initWait: 2,
  initialised: 3,
  connected: 4,
  closing: 5,
  closed: 6,
} as const;

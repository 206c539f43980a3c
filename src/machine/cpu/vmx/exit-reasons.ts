// Basic exit reasons (SDM vol. 3 app. C) that VT-x can give here (from 48 on: second generation), and the formats of the fields around them.

export const EXIT = {
  exceptionOrNmi: 0,
  externalInterrupt: 1,
  tripleFault: 2,
  interruptWindow: 7,
  nmiWindow: 8,
  taskSwitch: 9,
  cpuid: 10,
  hlt: 12,
  invd: 13,
  invlpg: 14,
  rdpmc: 15,
  rdtsc: 16,
  vmcall: 18,
  vmclear: 19,
  vmlaunch: 20,
  vmptrld: 21,
  vmptrst: 22,
  vmread: 23,
  vmresume: 24,
  vmwrite: 25,
  vmxoff: 26,
  vmxon: 27,
  crAccess: 28,
  drAccess: 29,
  ioInstruction: 30,
  msrRead: 31,
  msrWrite: 32,
  invalidGuestState: 33,
  msrLoading: 34,
  mwait: 36,
  monitor: 39,
  pause: 40,
  eptViolation: 48,
  eptMisconfiguration: 49,
  invept: 50,
  invvpid: 53,
  wbinvd: 54,
} as const;

/** Bit 31 of the exit-reason field: the VM entry itself failed. */
export const ENTRY_FAILURE = 0x80000000;

/** Interruption types, bits 10:8 of the interruption-information fields (SDM vol. 3 tables 24-14 to 24-17). */
export const TYPE = {
  externalInterrupt: 0,
  nmi: 2,
  hardwareException: 3,
  softwareInterrupt: 4,
  privilegedSoftwareException: 5,
  softwareException: 6,
} as const;

/** Bits 31 and 11 of the interruption-information fields. */
export const INFO_VALID = 0x80000000;
export const INFO_ERROR_CODE = 0x800;

/** Composes an interruption-information field, as int32. @param errorCode only whether it is there (>= 0) matters */
export const interruptionInfo = (vector: number, type: number, errorCode: number): number =>
  INFO_VALID | (errorCode >= 0 ? INFO_ERROR_CODE : 0) | (type << 8) | vector | 0;

/** Exit-qualification access types of control registers, bits 5:4 (SDM vol. 3 table 27-3). */
export const CR_ACCESS = { toCr: 0, fromCr: 1, clts: 2, lmsw: 3 } as const;

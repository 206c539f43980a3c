// The virtual machine control block: what lies where in its 4 KiB (APM vol. 2 app. B). One table for people and for the
// silicon: the control area from 000h, the save area from 400h. A host state-save area (VM_HSAVE_PA) has the same save area;
// the manual leaves its format to the processor.

export type VmcbArea = 'control' | 'exit' | 'guest';

export interface VmcbField {
  readonly name: string;
  /** Byte offset in the VMCB. */
  readonly offset: number;
  readonly bits: 8 | 16 | 32 | 64;
  readonly area: VmcbArea;
}

const field = (area: VmcbArea, offset: number, bits: VmcbField['bits'], name: string): VmcbField => ({
  name,
  offset,
  bits,
  area,
});

/** Order of segment registers in the save area, 16 bytes each from 400h: selector, attributes, limit, base. */
export const SAVED_SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'GDTR', 'LDTR', 'IDTR', 'TR'] as const;

const segmentFields = SAVED_SEGMENTS.flatMap((name, n) => {
  const at = 0x400 + n * 16;
  return [
    field('guest', at, 16, `${name}.selector`),
    field('guest', at + 2, 16, `${name}.attrib`),
    field('guest', at + 4, 32, `${name}.limit`),
    field('guest', at + 8, 64, `${name}.base`),
  ];
});

/** Every field, by rising offset. */
export const VMCB_FIELDS: readonly VmcbField[] = [
  field('control', 0x000, 16, 'INTERCEPT_CR_READ'),
  field('control', 0x002, 16, 'INTERCEPT_CR_WRITE'),
  field('control', 0x004, 16, 'INTERCEPT_DR_READ'),
  field('control', 0x006, 16, 'INTERCEPT_DR_WRITE'),
  field('control', 0x008, 32, 'INTERCEPT_EXCEPTION'),
  field('control', 0x00c, 32, 'INTERCEPT_GENERAL1'),
  field('control', 0x010, 32, 'INTERCEPT_GENERAL2'),
  field('control', 0x040, 64, 'IOPM_BASE_PA'),
  field('control', 0x048, 64, 'MSRPM_BASE_PA'),
  field('control', 0x050, 64, 'TSC_OFFSET'),
  field('control', 0x058, 32, 'GUEST_ASID'),
  field('control', 0x05c, 8, 'TLB_CONTROL'),
  field('control', 0x060, 64, 'VINTR'),
  field('control', 0x068, 64, 'INTERRUPT_SHADOW'),
  field('exit', 0x070, 64, 'EXITCODE'),
  field('exit', 0x078, 64, 'EXITINFO1'),
  field('exit', 0x080, 64, 'EXITINFO2'),
  field('exit', 0x088, 64, 'EXITINTINFO'),
  field('control', 0x090, 64, 'NP_ENABLE'),
  field('control', 0x0a8, 64, 'EVENTINJ'),
  field('control', 0x0b0, 64, 'N_CR3'),
  field('control', 0x0b8, 64, 'LBR_VIRTUALIZATION_ENABLE'),
  field('exit', 0x0c8, 64, 'NRIP'),
  ...segmentFields,
  field('guest', 0x4cb, 8, 'CPL'),
  field('guest', 0x4d0, 64, 'EFER'),
  field('guest', 0x548, 64, 'CR4'),
  field('guest', 0x550, 64, 'CR3'),
  field('guest', 0x558, 64, 'CR0'),
  field('guest', 0x560, 64, 'DR7'),
  field('guest', 0x568, 64, 'DR6'),
  field('guest', 0x570, 64, 'RFLAGS'),
  field('guest', 0x578, 64, 'RIP'),
  field('guest', 0x5d8, 64, 'RSP'),
  field('guest', 0x5f8, 64, 'RAX'),
  field('guest', 0x600, 64, 'STAR'),
  field('guest', 0x608, 64, 'LSTAR'),
  field('guest', 0x610, 64, 'CSTAR'),
  field('guest', 0x618, 64, 'SFMASK'),
  field('guest', 0x620, 64, 'KernelGsBase'),
  field('guest', 0x628, 64, 'SYSENTER_CS'),
  field('guest', 0x630, 64, 'SYSENTER_ESP'),
  field('guest', 0x638, 64, 'SYSENTER_EIP'),
  field('guest', 0x640, 64, 'CR2'),
  field('guest', 0x668, 64, 'G_PAT'),
  field('guest', 0x670, 64, 'DBGCTL'),
];

/** Word indices (4 bytes each) of what the silicon reads and writes; the upper half of a 64-bit field follows its lower. */
export const V = {
  cr: 0x000 >> 2,
  dr: 0x004 >> 2,
  exceptions: 0x008 >> 2,
  general1: 0x00c >> 2,
  general2: 0x010 >> 2,
  iopm: 0x040 >> 2,
  msrpm: 0x048 >> 2,
  tscOffset: 0x050 >> 2,
  asid: 0x058 >> 2,
  tlbControl: 0x05c >> 2,
  vintr: 0x060 >> 2,
  interruptShadow: 0x068 >> 2,
  exitCode: 0x070 >> 2,
  exitInfo1: 0x078 >> 2,
  exitInfo2: 0x080 >> 2,
  exitIntInfo: 0x088 >> 2,
  nestedPaging: 0x090 >> 2,
  eventInj: 0x0a8 >> 2,
  nestedCr3: 0x0b0 >> 2,
  nextRip: 0x0c8 >> 2,
  gdtr: 0x460 >> 2,
  idtr: 0x480 >> 2,
  /** CPL is the uppermost byte of this word. */
  cplWord: 0x4c8 >> 2,
  efer: 0x4d0 >> 2,
  cr4: 0x548 >> 2,
  cr3: 0x550 >> 2,
  cr0: 0x558 >> 2,
  dr7: 0x560 >> 2,
  dr6: 0x568 >> 2,
  rflags: 0x570 >> 2,
  rip: 0x578 >> 2,
  rsp: 0x5d8 >> 2,
  rax: 0x5f8 >> 2,
  sysenterCs: 0x628 >> 2,
  sysenterEsp: 0x630 >> 2,
  sysenterEip: 0x638 >> 2,
  cr2: 0x640 >> 2,
  gPat: 0x668 >> 2,
} as const;

/** First word of a segment register, in the order of `Cpu.segments` (ES CS SS DS FS GS LDTR TR). */
export const SEGMENT_WORD = [0x400, 0x410, 0x420, 0x430, 0x440, 0x450, 0x470, 0x490].map((at) => at >> 2);

/** Bits of VINTR, lower word (APM vol. 2 §15.21.1, app. B). The vector is the low byte of the upper word. */
export const VINTR = {
  tpr: 0xff,
  irq: 1 << 8,
  priority: 0xf << 16,
  ignoreTpr: 1 << 20,
  masking: 1 << 24,
} as const;

/** Bits of EVENTINJ and EXITINTINFO beside the vector: type in 10:8 (§15.20). */
export const EVENT = { errorCode: 1 << 11, valid: 1 << 31 } as const;
export const EVENT_TYPE = { interrupt: 0, nmi: 2, exception: 3, software: 4 } as const;

// One line of help for each register. Intel SDM vol. 1 §3.4 (general, segment), vol. 3A §2.5 (control), vol. 3B "Debug Registers".
import {
  CONTROL_REGISTERS,
  DEBUG_REGISTERS,
  REGISTERS_8,
  REGISTERS_16,
  REGISTERS_32,
  SEGMENT_REGISTERS,
} from '../machine/isa/registers.ts';

export interface RegisterHelp {
  readonly title: string;
  readonly help: string;
  readonly manual: string;
}

const GENERAL_ROLES = [
  'accumulator; results of calls and of `mul`, `in`, system calls',
  'counter of `rep`, `loop` and shifts',
  'high half of `mul` and `div`; port number of `in` and `out`',
  'base; no fixed role',
  'stack pointer: the top of the stack; `push` and `call` lower it',
  'base of the stack frame; addresses through it use SS',
  'source of string instructions',
  'destination of string instructions',
];

const SEGMENT_ROLES: Record<string, string> = {
  cs: 'code segment; its two lowest bits are the ring in which the processor runs (CPL)',
  ss: 'stack segment; its privilege is always that of the code',
  ds: 'data segment: memory operands use it unless they say otherwise',
  es: 'extra segment: destination of string instructions',
  fs: 'segment without a fixed role',
  gs: 'segment without a fixed role',
};

const CONTROL_ROLES: Record<string, string> = {
  cr0: 'protected mode (PE), paging (PG), write protection for the kernel (WP), task switched (TS)',
  cr2: 'the address that caused the last page fault',
  cr3: 'physical address of the page directory: the address space. Writing it empties the TLB',
  cr4: 'extensions: 4 MiB pages (PSE), global pages (PGE), VMX (VMXE), time stamp only for ring 0 (TSD)',
};

const HELP = new Map<string, RegisterHelp>();

function add(
  names: readonly string[],
  bits: number,
  help: (name: string, number: number) => string,
  manual: string,
): void {
  names.forEach((name, number) => {
    HELP.set(name, { title: `${name.toUpperCase()} · ${bits} bits`, help: help(name, number), manual });
  });
}
add(REGISTERS_32, 32, (_, n) => sentence(GENERAL_ROLES[n]), 'SDM 1 §3.4.1');
add(
  REGISTERS_16,
  16,
  (_, n) => `Low half of ${REGISTERS_32[n].toUpperCase()}: ${GENERAL_ROLES[n]}.`,
  'SDM 1 §3.4.1',
);
add(
  REGISTERS_8,
  8,
  (_, n) => `${n < 4 ? 'Low' : 'High'} byte of ${REGISTERS_16[n & 3].toUpperCase()}.`,
  'SDM 1 §3.4.1',
);
add(SEGMENT_REGISTERS, 16, (name) => sentence(SEGMENT_ROLES[name]), 'SDM 1 §3.4.2');
add(
  CONTROL_REGISTERS,
  32,
  (name) =>
    CONTROL_ROLES[name]
      ? `${sentence(CONTROL_ROLES[name])} Reading and writing it is privileged.`
      : 'Does not exist: using it is an invalid opcode (#UD).',
  'SDM 3A §2.5',
);
add(
  DEBUG_REGISTERS,
  32,
  (_, n) =>
    `${n < 4 ? 'Address of a hardware breakpoint.' : n === 6 ? 'Which breakpoint was hit.' : n === 7 ? 'Which breakpoints are on, and for what.' : 'Reserved.'} Reading and writing it is privileged.`,
  'SDM 3B "Debug Registers"',
);

function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** Help for a register name in any case; undefined when it is none. */
export function describeRegister(name: string): RegisterHelp | undefined {
  return HELP.get(name.toLowerCase());
}

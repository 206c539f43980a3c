// The shape of one row of THE instruction table. Encodings are data: the decoder, the assembler and the
// disassembler are three readers of the same rows. Notation follows the Intel SDM vol. 2 §3.1.1
// ("/r", "/0".."/7", "ib", "iw", "iv", "cb", "cv", "+r", "ap"), with `v` for "16 or 32 bits by operand size".

/** What an operand position accepts. `v` = 16 or 32 bits by the operand-size attribute. */
export type OperandKind =
  // in ModRM.reg
  | 'r8'
  | 'r16'
  | 'r32'
  | 'rv'
  | 'sreg'
  | 'cr'
  | 'dr'
  // in ModRM.rm: register or memory
  | 'rm8'
  | 'rm16'
  | 'rm32'
  | 'rmv'
  // in ModRM.rm: register only (mov cr/dr; ud-less forms; `rrv`: mov r,sreg, smsw r, sldt r, str r)
  | 'rr32'
  | 'rrv'
  // in ModRM.rm: memory only. `m` = address without size (lea, invlpg); the number is its size in bits
  | 'm'
  | 'm8'
  | 'm16'
  | 'm32'
  | 'm64'
  | 'm128'
  // x87: 80-bit real or decimal; environment (14 or 28 bytes); whole state (94 or 108); FXSAVE's 512 bytes
  | 'm80'
  | 'menv'
  | 'msave'
  | 'm512'
  | 'mv'
  | 'mpair'
  | 'mfar'
  | 'mdesc'
  // x87 stack registers: in ModRM.rm; the same, written `to st1`; the top
  | 'sti'
  | 'tosti'
  | 'st0'
  // MMX and SSE: in ModRM.reg; in rm, register only; in rm, register or memory of so many bits (mmrm: 64)
  | 'mm'
  | 'mmrr'
  | 'mmrm'
  | 'xmm'
  | 'xmmrr'
  | 'xmmrm32'
  | 'xmmrm64'
  | 'xmmrm128'
  // in the opcode's low three bits
  | 'r8+'
  | 'r16+'
  | 'r32+'
  | 'rv+'
  // fixed
  | 'al'
  | 'ax'
  | 'eax'
  | 'av'
  | 'cl'
  | 'cx'
  | 'dx'
  | 'ecx'
  | 'edx'
  | 'es'
  | 'cs'
  | 'ss'
  | 'ds'
  | 'fs'
  | 'gs'
  | 'one'
  | 'three'
  // immediates; `imm8s` is sign-extended to the operand size
  | 'imm8'
  | 'imm8s'
  | 'imm16'
  | 'imm32'
  | 'immv'
  // relative branches, far pointers, absolute offsets (mov al,[moffs])
  | 'rel8'
  | 'relv'
  | 'far'
  | 'moffs8'
  | 'moffsv';

/**
 * Popek–Goldberg class *as the manuals state it* (SDM vol. 3 §5.9 and §24/25; Robin & Irvine 2000):
 * `privileged`: #GP at CPL>0. `io`: #GP when CPL>IOPL. `sensitive`: reads or changes privileged state but does not trap
 * (the 17/18 of Robin & Irvine, and IRET). `innocuous`: neither.
 */
export type PrivilegeClass = 'innocuous' | 'privileged' | 'io' | 'sensitive';

/** One encoding of one instruction. */
export interface Form {
  /** Index of this row in the table; stable within one build. */
  readonly id: number;
  /** Canonical NASM mnemonic: `jz`, `movsd` (string), `retf`. */
  readonly mnemonic: string;
  /** Other spellings NASM accepts for exactly this encoding: `je`. */
  readonly aliases: readonly string[];
  /** What the processor does, shared by all forms that do the same: `add`, `jcc`, `setcc`, `cmovcc`, `movs`. Key of the executors. */
  readonly operation: string;
  readonly operands: readonly OperandKind[];
  /** 0 = one-byte opcode, 1 = 0F xx, 2 = 0F 38 xx, 3 = 0F 3A xx. */
  readonly map: 0 | 1 | 2 | 3;
  /** Last opcode byte. With an `+` operand the low three bits are 0. */
  readonly opcode: number;
  /** `r`: ModRM with a register in reg; 0..7: ModRM.reg is this opcode extension; undefined: no ModRM. */
  readonly modrm?: 'r' | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
  /** Whole ModRM byte fixed (0F 01 C1 = vmcall). Implies no operands in ModRM. */
  readonly modrmByte?: number;
  /** A mandatory prefix that is part of the opcode: 0x66 (vmclear), 0xF3 (vmxon, pause), 0xF2. */
  readonly prefix?: 0x66 | 0xf2 | 0xf3;
  /** Mnemonic fixes the operand size whatever the operands (`pushfd` 32, `iretw` 16, `cwde` 32, `movsw` 16). Encoded by 66h when it differs from the mode. */
  readonly size?: 16 | 32;
  /** Mnemonic fixes the *address* size (`jecxz` 32, `jcxz` 16). */
  readonly addressSize?: 16 | 32;
  /** 66, F2 and F3 are not allowed in front (the manual's "NP": vmread, vmptrld). */
  readonly noPrefix?: boolean;
  /** The processor accepts it but assemblers do not write it (82 /0, C0 /6, F6 /1, bswap r16): decoder only. */
  readonly decodeOnly?: boolean;
  /** NASM's spelling with 9Bh (FWAIT, an instruction of its own) in front: assembler only. */
  readonly wait?: boolean;
  /** Another spelling of what a form above decodes to: assembler only. */
  readonly assemblerOnly?: boolean;
  /** Condition number 0..15 (SDM vol. 1 app. B) for jcc, setcc, cmovcc. */
  readonly condition?: number;
  /** May take LOCK (SDM vol. 2A "LOCK"). */
  readonly lock?: boolean;
  /** `rep`: ins outs movs stos lods. `repcc`: cmps scas. */
  readonly rep?: 'rep' | 'repcc';
  readonly privilege: PrivilegeClass;
  /** One line in our own words, for hover help. */
  readonly summary: string;
  /** Where to read more: `SDM 2A LGDT`, `APM 3 VMRUN`, and for sensitive ones the place that says what happens. */
  readonly manual: string;
}

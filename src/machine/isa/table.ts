// THE instruction table: every encoding of every instruction from the 8086 to the Pentium Pro in 16- and 32-bit code,
// x87, MMX, SSE and SSE2 included, with VT-x and SVM (Intel SDM vol. 2, vol. 3C; AMD APM vol. 3). Decoder, assembler, disassembler and editor read it.
//
// How to read a form:
// - Order is preference. Among forms of one mnemonic that accept the operands as written, an assembler takes the first
//   (with NASM: `add eax,1` 83 /0, `add eax,1000h` 05, `mov eax,[x]` A1, `push 1` 6A, `jmp near-by` EB). An operand that
//   is written with an explicit size matches only kinds of that size: `shl eax,byte 1` is C1, `push dword 1` still 6A.
// - When two forms share an encoding, the decoder takes the first; the later is another way to write the same bytes.
// - `66h` is emitted when an operand of kind *v, or `size`, differs from the mode. Kinds of fixed size (rm16, m16, r32)
//   never ask for it: `mov ds,ax`, `lldt ax`, `movzx eax,bx` have the same bytes in both modes but for their v operand.
// - A form `/r` whose only register operand is in ModRM.reg and that has no r/m operand (`imul eax,5`) repeats it in rm.
// - A second fixed byte without 0F (`aam` = D4 0A) is the implied immediate.
// - far, moffsv, mfar, mdesc, immv, relv and mpair follow the operand size; moffs *addresses* follow the address size.
import type { Form } from './form.ts';
import { ALU } from './table/alu.ts';
import { BITS } from './table/bits.ts';
import { CONTROL } from './table/control.ts';
import { DATA_MOVEMENT } from './table/data-movement.ts';
import { FLAGS } from './table/flags.ts';
import { PACKED } from './table/packed.ts';
import { SSE } from './table/sse.ts';
import { STACK } from './table/stack.ts';
import { STRING } from './table/string.ts';
import { SVM } from './table/svm.ts';
import { SYSTEM } from './table/system.ts';
import { VMX } from './table/vmx.ts';
import { X87 } from './table/x87.ts';

/** All forms; `FORMS[id].id === id`. */
export const FORMS: readonly Form[] = [
  ...ALU,
  ...DATA_MOVEMENT,
  ...BITS,
  ...STACK,
  ...CONTROL,
  ...STRING,
  ...FLAGS,
  ...SYSTEM,
  ...X87,
  ...PACKED,
  ...SSE,
  ...VMX,
  ...SVM,
].map((row, id): Form => ({ id, ...row }));

/** Forms an assembler may choose for a mnemonic or alias (lower case), in order of preference. */
export const formsByMnemonic: ReadonlyMap<string, readonly Form[]> = index(FORMS);

function index(forms: readonly Form[]): Map<string, Form[]> {
  const map = new Map<string, Form[]>();
  for (const form of forms) {
    if (form.decodeOnly) continue;
    for (const name of [form.mnemonic, ...form.aliases]) {
      const list = map.get(name);
      if (list) list.push(form);
      else map.set(name, [form]);
    }
  }
  return map;
}

// For the tests of this room: every operation in every shape that forms.ts can give a number to, found by decoding all
// opcodes with all ModRM bytes, with an instruction to name it by.
import { decode } from '../../../isa/decode.ts';
import { disassemble } from '../../../isa/disassemble.ts';
import type { Instruction } from '../../../isa/instruction.ts';
import { fastForm } from '../forms.ts';

/** Operation and shape: the two lowest fields of `Instruction.fast`. */
export const OPERATION_AND_SHAPE = 0x7ff;
export const OPERATION = 0x3f;

/** An instruction of each form, by operation | shape << 6. */
export function allForms(): Map<number, Instruction> {
  const found = new Map<number, Instruction>();
  const bytes = new Uint8Array(16);
  for (let opcode = 0; opcode < 0x200; opcode++)
    for (let modrm = 0; modrm < 0x100; modrm++) {
      bytes.fill(2);
      const start = opcode < 0x100 ? [opcode, modrm] : [0x0f, opcode & 0xff, modrm];
      bytes.set(start);
      const i = decode(bytes, 0, 32);
      if (typeof i === 'string') continue;
      const form = fastForm(i) & OPERATION_AND_SHAPE;
      if (form !== 0 && !found.has(form)) found.set(form, i);
    }
  return found;
}

/** What forms of a set are called: a number for the operation, one for the shape, and an instruction of them. */
export function namesOf(forms: Iterable<number>, all = allForms()): string[] {
  return [...forms].map((form) => {
    const example = all.get(form);
    return `${form & OPERATION}/${form >> 6} ${example ? disassemble(example, 0) : '?'}`;
  });
}

// Warnings about instructions that assemble and yet cannot be meant: the processor will refuse them, or do something else.
import type { Position } from './encode/encode.ts';
import { factsOf } from './encode/match.ts';
import type { Candidate, InstructionBody } from './statement.ts';

/** Reports what is suspicious about an instruction that has an encoding. */
export function advise(chosen: Candidate, body: InstructionBody, at: Position): void {
  const { form } = chosen;
  const [first] = body.operands;
  if (body.prefixes.length > 0) prefixes(chosen, body, at);
  if (form.operation === 'mov-to-sreg' && first.register!.name === 'cs')
    at.warn(first.place, 'loading `cs` with `mov` raises #UD', 'jump far: `jmp selector:label`');
  if (body.name === 'retw' && at.bits === 32 && form.operands.length === 1)
    at.warn(body.place, 'NASM 2.16 assembles `retw n` as a 32-bit return', 'write `o16 ret n`');
}

function prefixes(chosen: Candidate, body: InstructionBody, at: Position): void {
  const { form, operandSize } = chosen;
  for (const { prefix, place } of body.prefixes) {
    if (prefix.slot === 'lock') {
      // XCHG may name its memory operand second.
      const memory = body.operands.some((o) => o.type === 'memory') && body.operands[0].type === 'memory';
      const exchange = form.operation === 'xchg' && body.operands.some((o) => o.type === 'memory');
      if (!form.lock || !(memory || exchange))
        at.warn(place, `\`lock ${body.name}\` raises #UD here`, 'lock needs a memory destination');
    } else if (
      prefix.slot === 'operand' &&
      prefix.value !== operandSize &&
      factsOf(form).followsOperandSize
    ) {
      at.warn(place, `\`${prefix.name}\` contradicts the ${operandSize}-bit operands`);
    }
  }
}

// The stack: push and pop of everything, frames.
// SDM vol. 2 PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE; sensitivity after Robin & Irvine 2000.
import { type Row, rows } from './row.ts';

export const STACK: Row[] = rows(`
  # push | SDM 2B PUSH | Puts the operand on the stack.
  push rv+    50
  push imm8s  6A
  push immv   68
  push rmv    FF /6
  # pop | SDM 2B POP | Takes the top of the stack.
  pop rv+  58
  pop rmv  8F /0

  # push-sreg sensitive | SDM 2B PUSH; Robin & Irvine 2000 | Pushes a segment selector; bits 1:0 of CS and SS show the real privilege level, and nothing traps.
  push es  06
  push cs  0E
  push ss  16
  push ds  1E
  push fs  0F A0
  push gs  0F A8
  # pop-sreg sensitive | SDM 2B POP, SDM 3A §5; Robin & Irvine 2000 | Loads a segment register from the stack, checked against the real privilege level.
  pop es  07
  pop ss  17
  pop ds  1F
  pop fs  0F A1
  pop gs  0F A9

  # pusha | SDM 2B PUSHA/PUSHAD | Pushes the eight general registers, (E)SP as it was before.
  pushad -  60 o32
  pushaw -  60 o16
  pusha  -  60
  # popa | SDM 2B POPA/POPAD | Pops the eight general registers; the saved (E)SP is skipped.
  popad -  61 o32
  popaw -  61 o16
  popa  -  61

  # pushf sensitive | SDM 2B PUSHF/PUSHFD; Robin & Irvine 2000 | Pushes the flags; a deprivileged kernel sees the real IF and IOPL, and nothing traps (V86 with IOPL < 3: #GP).
  pushfd -  9C o32
  pushfw -  9C o16
  pushf  -  9C
  # popf sensitive | SDM 2B POPF/POPFD; Robin & Irvine 2000 | Pops the flags; at CPL > 0 IOPL, and at CPL > IOPL also IF, silently keep their values (V86 with IOPL < 3: #GP).
  popfd -  9D o32
  popfw -  9D o16
  popf  -  9D

  # enter | SDM 2A ENTER | Builds a stack frame with room for locals and up to 31 outer frame pointers.
  enter imm16,imm8  C8
  # leave | SDM 2A LEAVE | Undoes ENTER: (E)SP = (E)BP, then pops (E)BP.
  leave -  C9
`);

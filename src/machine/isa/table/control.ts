// Control transfer: jumps, calls, returns, loops, interrupts.
// SDM vol. 2 JMP, CALL, RET, Jcc, LOOP, INT, IRET; vol. 3A §5.8 and §6 for far transfers and gates.
import { conditional, hex, type Row, rows } from './row.ts';

const jumps = Array.from({ length: 16 }, (_, cc) => {
  const names = conditional('j', cc);
  return `${names} rel8  ${hex(0x70 + cc)} cc=${cc}
          ${names} relv  0F ${hex(0x80 + cc)} cc=${cc}`;
}).join('\n');

export const CONTROL: Row[] = rows(`
  # jcc | SDM 2A Jcc | Jumps when the condition holds.
  ${jumps}
  # jcxz | SDM 2A Jcc | Jumps when CX, or ECX, is zero; the address size chooses the register.
  jecxz rel8  E3 a32
  jcxz rel8   E3 a16
  # loop | SDM 2A LOOP/LOOPcc | Subtracts 1 from CX or ECX (by address size) and jumps unless it became zero.
  loop rel8      E2
  loop rel8,ecx  E2 a32
  loop rel8,cx   E2 a16
  # loope | SDM 2A LOOP/LOOPcc | As LOOP, and only while ZF=1.
  loope/loopz rel8      E1
  loope/loopz rel8,ecx  E1 a32
  loope/loopz rel8,cx   E1 a16
  # loopne | SDM 2A LOOP/LOOPcc | As LOOP, and only while ZF=0.
  loopne/loopnz rel8      E0
  loopne/loopnz rel8,ecx  E0 a32
  loopne/loopnz rel8,cx   E0 a16

  # jmp | SDM 2A JMP | Continues at the target in the same code segment.
  jmp rel8  EB
  jmp relv  E9
  jmp rmv   FF /4
  # jmp-far sensitive | SDM 2A JMP, SDM 3A §5.8; Robin & Irvine 2000 | Continues in another code segment, through a gate or task; checks and task switch use the real CPL and tables.
  jmp far   EA
  jmp mfar  FF /5
  # call | SDM 2A CALL | Pushes the return address and continues at the target in the same code segment.
  call relv  E8
  call rmv   FF /2
  # call-far sensitive | SDM 2A CALL, SDM 3A §5.8; Robin & Irvine 2000 | Calls into another code segment, through a gate or task; a change of ring uses the real CPL and TSS.
  call far   9A
  call mfar  FF /3
  # ret | SDM 2B RET | Returns to the address on the stack, dropping the given number of argument bytes.
  ret/retn -          C3
  ret/retn imm16      C2
  retd/retnd -        C3 o32
  retd/retnd imm16    C2 o32
  retw/retnw -        C3 o16
  retw/retnw imm16    C2 o16
  # ret-far sensitive | SDM 2B RET, SDM 3A §5.8; Robin & Irvine 2000 | Returns to CS:(E)IP on the stack; judged by the real CPL, it may empty DS ES FS GS and never returns inward.
  retf -       CB
  retf imm16   CA
  retfd -      CB o32
  retfd imm16  CA o32
  retfw -      CB o16
  retfw imm16  CA o16

  # int3 sensitive | SDM 2A INT n/INTO/INT3 | Breakpoint: vector 3 through the real IDT, in one byte.
  int3/int03 -  CC
  # int sensitive | SDM 2A INT n/INTO/INT3; Robin & Irvine 2000 | Software interrupt through the real IDT; #GP only when the gate's DPL < CPL.
  int imm8  CD
  # into sensitive | SDM 2A INT n/INTO/INT3 | Vector 4 through the real IDT when OF=1.
  into -  CE
  # int1 sensitive | SDM 2A INT n/INTO/INT3/INT1 | Debug exception, vector 1, without a check of the gate's DPL.
  int1/int01/icebp/smi -  F1
  # iret sensitive | SDM 2A IRET/IRETD, SDM 3A §6.12 | Returns from an interrupt: (E)IP, CS, EFLAGS; at CPL > 0 IOPL, and at CPL > IOPL also IF, silently keep their values.
  iretd -  CF o32
  iretw -  CF o16
  iret  -  CF
`);

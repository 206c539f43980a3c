// The floating-point unit: every x87 instruction of the 387 and the Pentium Pro, and FXSAVE/FXRSTOR (SDM vol. 1 ch. 8, vol. 2).
// The spelling with both registers is the one that decoder and disassembler use; NASM's shorter ones are `asm-only`, and those
// that wait first (a 9Bh in front, an instruction of its own) are `wait`.
import { hex, type Row, rows } from './row.ts';

/** The six arithmetic operations: name, digit of `op m`, what they do, and the manual's name for them. */
const ARITHMETIC = [
  ['fadd', 0, 0, 'Adds', 'FADD/FADDP/FIADD'],
  ['fmul', 1, 1, 'Multiplies', 'FMUL/FMULP/FIMUL'],
  ['fsub', 4, 5, 'Subtracts the source from the destination', 'FSUB/FSUBP/FISUB'],
  ['fsubr', 5, 4, 'Subtracts the destination from the source', 'FSUBR/FSUBRP/FISUBR'],
  ['fdiv', 6, 7, 'Divides the destination by the source', 'FDIV/FDIVP/FIDIV'],
  ['fdivr', 7, 6, 'Divides the source by the destination', 'FDIVR/FDIVRP/FIDIVR'],
] as const;

const arithmetic = ARITHMETIC.map(([name, digit, reverse, does, manual]) => {
  const integer = name.replace('f', 'fi');
  return `
  # ${name} | SDM 2A ${manual} | ${does}, rounding as the control word says.
  ${name} m32        D8 /${digit}
  ${name} m64        DC /${digit}
  ${name} tosti      DC /${reverse} asm-only
  ${name} sti        D8 /${digit} asm-only
  ${name} sti,st0    DC /${reverse}
  ${name} st0,sti    D8 /${digit}
  ${integer} m32     DA /${digit}
  ${integer} m16     DE /${digit}
  # ${name}p | SDM 2A ${manual} | ${does}, then pops the register stack.
  ${name}p sti       DE /${reverse} asm-only
  ${name}p sti,st0   DE /${reverse}
  ${name}p -         DE ${hex(0xc1 + 8 * reverse)} asm-only
  ${name} -          DE ${hex(0xc1 + 8 * reverse)} asm-only`;
}).join('\n');

const CONDITIONAL = [
  ['fcmovb', 'DA', 0, 'CF=1'],
  ['fcmove', 'DA', 1, 'ZF=1'],
  ['fcmovbe', 'DA', 2, 'CF=1 or ZF=1'],
  ['fcmovu', 'DA', 3, 'PF=1'],
  ['fcmovnb', 'DB', 0, 'CF=0'],
  ['fcmovne', 'DB', 1, 'ZF=0'],
  ['fcmovnbe', 'DB', 2, 'CF=0 and ZF=0'],
  ['fcmovnu', 'DB', 3, 'PF=0'],
] as const;

const conditional = CONDITIONAL.map(
  ([name, opcode, digit, when]) => `
  # ${name} | SDM 2A FCMOVcc | Copies ST(i) to ST(0) when ${when}.
  ${name} sti       ${opcode} /${digit} asm-only
  ${name} st0,sti   ${opcode} /${digit}
  ${name} -         ${opcode} ${hex(0xc1 + 8 * digit)} asm-only`,
).join('\n');

/** Without operands: name, second byte behind D9, what it does. */
const PLAIN = [
  ['fchs', 0xe0, 'Changes the sign of ST(0)'],
  ['fabs', 0xe1, 'Clears the sign of ST(0)'],
  ['ftst', 0xe4, 'Compares ST(0) with zero; the result is in C3, C2, C0'],
  ['fxam', 0xe5, 'Tells in C3, C2, C0 what class of value ST(0) holds, and its sign in C1'],
  ['fld1', 0xe8, 'Pushes one'],
  ['fldl2t', 0xe9, 'Pushes the binary logarithm of ten'],
  ['fldl2e', 0xea, 'Pushes the binary logarithm of e'],
  ['fldpi', 0xeb, 'Pushes pi'],
  ['fldlg2', 0xec, 'Pushes the decimal logarithm of two'],
  ['fldln2', 0xed, 'Pushes the natural logarithm of two'],
  ['fldz', 0xee, 'Pushes zero'],
  ['f2xm1', 0xf0, 'Replaces ST(0), between -1 and 1, by two to its power, minus one'],
  ['fyl2x', 0xf1, 'ST(1) times the binary logarithm of ST(0); pops'],
  ['fptan', 0xf2, 'Replaces ST(0) by its tangent and pushes one; C2=1 when it is too large'],
  ['fpatan', 0xf3, 'The angle whose tangent is ST(1)/ST(0), in the right quadrant; pops'],
  ['fxtract', 0xf4, 'Splits ST(0) into its exponent and, pushed, its significand'],
  ['fprem1', 0xf5, 'The IEEE remainder of ST(0) by ST(1), in steps; C2=1 until it is complete'],
  ['fdecstp', 0xf6, 'Turns the register stack by one; nothing is written'],
  ['fincstp', 0xf7, 'Turns the register stack back by one; nothing is freed'],
  ['fprem', 0xf8, 'The truncated remainder of ST(0) by ST(1), in steps; C2=1 until it is complete'],
  ['fyl2xp1', 0xf9, 'ST(1) times the binary logarithm of ST(0)+1; pops'],
  ['fsqrt', 0xfa, 'Replaces ST(0) by its square root'],
  ['fsincos', 0xfb, 'Replaces ST(0) by its sine and pushes its cosine; C2=1 when it is too large'],
  ['frndint', 0xfc, 'Rounds ST(0) to an integer, as the control word says'],
  ['fscale', 0xfd, 'Adds the truncated ST(1) to the exponent of ST(0)'],
  ['fsin', 0xfe, 'Replaces ST(0) by its sine; C2=1 when it is too large'],
  ['fcos', 0xff, 'Replaces ST(0) by its cosine; C2=1 when it is too large'],
] as const;

const plain = PLAIN.map(
  ([name, byte, does]) => `
  # ${name} | SDM 2A ${name.toUpperCase()} | ${does}.
  ${name} -  D9 ${hex(byte)}`,
).join('\n');

export const X87: Row[] = rows(`
  ${arithmetic}

  # fcom | SDM 2A FCOM/FCOMP/FCOMPP | Compares ST(0) with the source; the result is in C3, C2, C0. A NaN is an invalid operation.
  fcom m32       D8 /2
  fcom m64       DC /2
  fcom sti       D8 /2 asm-only
  fcom st0,sti   D8 /2
  fcom st0,sti   DC /2 decode-only
  fcom -         D8 D1 asm-only
  ficom m32      DA /2
  ficom m16      DE /2
  # fcomp | SDM 2A FCOM/FCOMP/FCOMPP | As FCOM, then pops the register stack.
  fcomp m32      D8 /3
  fcomp m64      DC /3
  fcomp sti      D8 /3 asm-only
  fcomp st0,sti  D8 /3
  fcomp st0,sti  DC /3 decode-only
  fcomp st0,sti  DE /2 decode-only
  fcomp -        D8 D9 asm-only
  ficomp m32     DA /3
  ficomp m16     DE /3
  # fcompp | SDM 2A FCOM/FCOMP/FCOMPP | Compares ST(0) with ST(1), then pops both.
  fcompp -       DE D9
  # fucom | SDM 2A FUCOM/FUCOMP/FUCOMPP | As FCOM, but only a signaling NaN is an invalid operation.
  fucom sti      DD /4 asm-only
  fucom st0,sti  DD /4
  fucom -        DD E1 asm-only
  # fucomp | SDM 2A FUCOM/FUCOMP/FUCOMPP | As FUCOM, then pops the register stack.
  fucomp sti     DD /5 asm-only
  fucomp st0,sti DD /5
  fucomp -       DD E9 asm-only
  # fucompp | SDM 2A FUCOM/FUCOMP/FUCOMPP | As FUCOM with ST(1), then pops both.
  fucompp -      DA E9
  # fcomi | SDM 2A FCOMI/FCOMIP/FUCOMI/FUCOMIP | Compares ST(0) with ST(i); the result is in ZF, PF, CF.
  fcomi sti      DB /6 asm-only
  fcomi st0,sti  DB /6
  fcomi -        DB F1 asm-only
  # fcomip | SDM 2A FCOMI/FCOMIP/FUCOMI/FUCOMIP | As FCOMI, then pops the register stack.
  fcomip sti     DF /6 asm-only
  fcomip st0,sti DF /6
  fcomip -       DF F1 asm-only
  # fucomi | SDM 2A FCOMI/FCOMIP/FUCOMI/FUCOMIP | As FCOMI, but only a signaling NaN is an invalid operation.
  fucomi sti      DB /5 asm-only
  fucomi st0,sti  DB /5
  fucomi -        DB E9 asm-only
  # fucomip | SDM 2A FCOMI/FCOMIP/FUCOMI/FUCOMIP | As FUCOMI, then pops the register stack.
  fucomip sti     DF /5 asm-only
  fucomip st0,sti DF /5
  fucomip -       DF E9 asm-only
  ${conditional}

  # fld | SDM 2A FLD | Pushes a value, widened to 80 bits.
  fld m32   D9 /0
  fld m64   DD /0
  fld m80   DB /5
  fld sti   D9 /0
  fld -     D9 C1 asm-only
  # fst | SDM 2A FST/FSTP | Copies ST(0), rounded to the destination's format.
  fst m32   D9 /2
  fst m64   DD /2
  fst sti   DD /2
  fst -     DD D1 asm-only
  # fstp | SDM 2A FST/FSTP | Copies ST(0), rounded to the destination's format, then pops.
  fstp m32  D9 /3
  fstp m64  DD /3
  fstp m80  DB /7
  fstp sti  DD /3
  fstp sti  DF /2 decode-only
  fstp sti  DF /3 decode-only
  fstp -    DD D9 asm-only
  # fstpnce | SDM 2 appendix A (alias of FSTP) | Copies ST(0) to ST(i) and pops; an empty register raises nothing.
  fstpnce sti  D9 /3 decode-only
  # fild | SDM 2A FILD | Pushes a signed integer.
  fild m32   DB /0
  fild m16   DF /0
  fild m64   DF /5
  # fist | SDM 2A FIST/FISTP | Stores ST(0), rounded to a signed integer.
  fist m32   DB /2
  fist m16   DF /2
  # fistp | SDM 2A FIST/FISTP | Stores ST(0), rounded to a signed integer, then pops.
  fistp m32  DB /3
  fistp m16  DF /3
  fistp m64  DF /7
  # fbld | SDM 2A FBLD | Pushes an integer of eighteen decimal digits, packed two a byte.
  fbld m80   DF /4
  # fbstp | SDM 2A FBSTP | Stores ST(0), rounded to eighteen packed decimal digits, then pops.
  fbstp m80  DF /6
  # fxch | SDM 2A FXCH | Exchanges ST(0) with ST(i).
  fxch sti      D9 /1 asm-only
  fxch sti,st0  D9 /1 asm-only
  fxch st0,sti  D9 /1
  fxch st0,sti  DD /1 decode-only
  fxch st0,sti  DF /1 decode-only
  fxch -        D9 C9 asm-only
  # ffree | SDM 2A FFREE | Marks ST(i) as empty.
  ffree sti  DD /0
  ffree -    DD C1 asm-only
  # ffreep | SDM 2 appendix A (undocumented) | Marks ST(i) as empty, then pops.
  ffreep sti  DF /0
  ffreep -    DF C1 asm-only
  # fnop | SDM 2A FNOP | Does nothing, but waits for pending exceptions.
  fnop -  D9 D0
  ${plain}

  # fninit | SDM 2A FINIT/FNINIT | Resets the floating-point unit: control word 37Fh, all registers empty.
  fninit -   DB E3
  finit -    DB E3 wait
  # fnclex | SDM 2A FCLEX/FNCLEX | Clears the exception flags.
  fnclex -   DB E2
  fclex -    DB E2 wait
  # fnsetpm | SDM 2 appendix A (80287 only) | Does nothing since the 387.
  fsetpm -   DB E4
  fneni -    DB E0
  feni -     DB E0 wait
  fndisi -   DB E1
  fdisi -    DB E1 wait
  # fldcw | SDM 2A FLDCW | Loads the control word: exception masks, precision, rounding.
  fldcw m16   D9 /5
  # fnstcw | SDM 2A FSTCW/FNSTCW | Stores the control word.
  fnstcw m16  D9 /7
  fstcw m16   D9 /7 wait
  # fnstsw | SDM 2A FSTSW/FNSTSW | Stores the status word: exceptions, condition codes, top of stack.
  fnstsw m16  DD /7
  fnstsw ax   DF E0
  fstsw m16   DD /7 wait
  fstsw ax    DF E0 wait
  # fnstenv | SDM 2A FSTENV/FNSTENV | Stores the environment (control, status and tag words, pointers) and masks all exceptions.
  fnstenv menv  D9 /6
  fstenv menv   D9 /6 wait
  # fldenv | SDM 2A FLDENV | Loads the environment.
  fldenv menv   D9 /4
  # fnsave | SDM 2A FSAVE/FNSAVE | Stores environment and registers, then resets the unit.
  fnsave msave  DD /6
  fsave msave   DD /6 wait
  # frstor | SDM 2A FRSTOR | Loads environment and registers.
  frstor msave  DD /4
  # fxsave | SDM 2A FXSAVE | Stores the state of x87, MMX and SSE into 512 bytes; nothing is reset.
  fxsave m512   0F AE /0 np
  # fxrstor | SDM 2A FXRSTOR | Loads the state of x87, MMX and SSE from 512 bytes.
  fxrstor m512  0F AE /1 np
`);

// SSE and SSE2 floating point (SDM vol. 1 ch. 10 and 11; vol. 2): packed and scalar singles and doubles, conversions, comparisons,
// MXCSR, and the instructions about caches that came with them.
import { hex, type Row, rows } from './row.ts';

/** All four kinds: opcode, stem, what it does. */
const ARITHMETIC = [
  ['51', 'sqrt', 'Takes the square root'],
  ['58', 'add', 'Adds'],
  ['59', 'mul', 'Multiplies'],
  ['5C', 'sub', 'Subtracts the source from the destination'],
  ['5D', 'min', 'Takes the smaller; the source when they are equal or one is a NaN'],
  ['5E', 'div', 'Divides the destination by the source'],
  ['5F', 'max', 'Takes the larger; the source when they are equal or one is a NaN'],
] as const;

const arithmetic = ARITHMETIC.map(
  ([opcode, stem, does]) => `
  # sse-${stem} | SDM 2 ${stem.toUpperCase()}PS/PD/SS/SD | ${does}.
  ${stem}ps xmm,xmmrm128     0F ${opcode} /r np
  ${stem}pd xmm,xmmrm128  66 0F ${opcode} /r
  ${stem}ss xmm,xmmrm32   F3 0F ${opcode} /r
  ${stem}sd xmm,xmmrm64   F2 0F ${opcode} /r`,
).join('\n');

/** Bits and places: packed only. */
const LOGIC = [
  ['54', 'and', 'Ands all bits'],
  ['55', 'andn', 'Ands the source with the inverted destination'],
  ['56', 'or', 'Ors all bits'],
  ['57', 'xor', 'Exclusive-ors all bits'],
  ['14', 'unpckl', 'Interleaves the low halves'],
  ['15', 'unpckh', 'Interleaves the high halves'],
] as const;

const logic = LOGIC.map(
  ([opcode, stem, does]) => `
  # sse-${stem} | SDM 2 ${stem.toUpperCase()}PS/PD | ${does}.
  ${stem}ps xmm,xmmrm128     0F ${opcode} /r np
  ${stem}pd xmm,xmmrm128  66 0F ${opcode} /r`,
).join('\n');

/** The r/m field of the fences says nothing; assemblers write zero. */
const fences = ['lfence', 'mfence', 'sfence']
  .flatMap((name, n) =>
    [1, 2, 3, 4, 5, 6, 7].map((rm) => `${name} -  0F AE ${hex(0xe8 + 8 * n + rm)} np decode-only`),
  )
  .join('\n');

export const SSE: Row[] = rows(`
  ${arithmetic}
  ${logic}
  # sse-rsqrt | SDM 2B RSQRTPS/RSQRTSS | Approximates one over the square root, to twelve bits.
  rsqrtps xmm,xmmrm128    0F 52 /r np
  rsqrtss xmm,xmmrm32  F3 0F 52 /r
  # sse-rcp | SDM 2B RCPPS/RCPSS | Approximates the reciprocal, to twelve bits.
  rcpps xmm,xmmrm128    0F 53 /r np
  rcpss xmm,xmmrm32  F3 0F 53 /r
  # sse-cmp | SDM 2A CMPPS/PD/SS/SD | Compares by the predicate in the immediate; all ones where it holds.
  cmpps xmm,xmmrm128,imm8     0F C2 /r np
  cmppd xmm,xmmrm128,imm8  66 0F C2 /r
  cmpss xmm,xmmrm32,imm8   F3 0F C2 /r
  cmpsd xmm,xmmrm64,imm8   F2 0F C2 /r
  # sse-shuf | SDM 2B SHUFPS/SHUFPD | Chooses elements from destination and source.
  shufps xmm,xmmrm128,imm8     0F C6 /r np
  shufpd xmm,xmmrm128,imm8  66 0F C6 /r
  # sse-ucomi | SDM 2B UCOMISS/UCOMISD | Compares scalars into ZF, PF, CF; only a signaling NaN is invalid.
  ucomiss xmm,xmmrm32     0F 2E /r np
  ucomisd xmm,xmmrm64  66 0F 2E /r
  # sse-comi | SDM 2A COMISS/COMISD | Compares scalars into ZF, PF, CF; any NaN is invalid.
  comiss xmm,xmmrm32     0F 2F /r np
  comisd xmm,xmmrm64  66 0F 2F /r
  # sse-movmsk | SDM 2B MOVMSKPS/MOVMSKPD | Collects the signs in a general register.
  movmskps r32,xmmrr     0F 50 /r np
  movmskpd r32,xmmrr  66 0F 50 /r

  # movss | SDM 2B MOVSS | Copies a single; from memory the rest becomes zero.
  movss xmm,xmmrm32  F3 0F 10 /r
  movss xmmrm32,xmm  F3 0F 11 /r
  # movsd-scalar | SDM 2B MOVSD | Copies a double; from memory the rest becomes zero.
  movsd xmm,xmmrm64  F2 0F 10 /r
  movsd xmmrm64,xmm  F2 0F 11 /r
  # movu | SDM 2B MOVUPS/MOVUPD | Copies sixteen bytes.
  movups xmm,xmmrm128     0F 10 /r np
  movups xmmrm128,xmm     0F 11 /r np
  movupd xmm,xmmrm128  66 0F 10 /r
  movupd xmmrm128,xmm  66 0F 11 /r
  # mova | SDM 2B MOVAPS/MOVAPD | Copies sixteen bytes; memory must be aligned.
  movaps xmm,xmmrm128     0F 28 /r np
  movaps xmmrm128,xmm     0F 29 /r np
  movapd xmm,xmmrm128  66 0F 28 /r
  movapd xmmrm128,xmm  66 0F 29 /r
  # movl | SDM 2B MOVLPS/MOVLPD | Copies a quadword to or from the low half; the other half stays.
  movlps xmm,m64     0F 12 /r np
  movlps m64,xmm     0F 13 /r np
  movlpd xmm,m64  66 0F 12 /r
  movlpd m64,xmm  66 0F 13 /r
  # movh | SDM 2B MOVHPS/MOVHPD | Copies a quadword to or from the high half; the other half stays.
  movhps xmm,m64     0F 16 /r np
  movhps m64,xmm     0F 17 /r np
  movhpd xmm,m64  66 0F 16 /r
  movhpd m64,xmm  66 0F 17 /r
  # movhlps | SDM 2B MOVHLPS | Copies the high half of the source to the low half.
  movhlps xmm,xmmrr  0F 12 /r np
  # movlhps | SDM 2B MOVLHPS | Copies the low half of the source to the high half.
  movlhps xmm,xmmrr  0F 16 /r np
  # movnt | SDM 2B MOVNTPS/MOVNTPD | Stores sixteen aligned bytes around the caches.
  movntps m128,xmm     0F 2B /r np
  movntpd m128,xmm  66 0F 2B /r

  # cvtpi2ps | SDM 2A CVTPI2PS | Two integers of an mm register to singles.
  cvtpi2ps xmm,mmrm  0F 2A /r np
  # cvtpi2pd | SDM 2A CVTPI2PD | Two integers of an mm register to doubles.
  cvtpi2pd xmm,mmrm  66 0F 2A /r
  # cvtsi2ss | SDM 2A CVTSI2SS | An integer to a single.
  cvtsi2ss xmm,rm32  F3 0F 2A /r
  # cvtsi2sd | SDM 2A CVTSI2SD | An integer to a double.
  cvtsi2sd xmm,rm32  F2 0F 2A /r
  # cvttps2pi | SDM 2A CVTTPS2PI | Two singles to integers, truncated.
  cvttps2pi mm,xmmrm64  0F 2C /r np
  # cvttpd2pi | SDM 2A CVTTPD2PI | Two doubles to integers, truncated.
  cvttpd2pi mm,xmmrm128  66 0F 2C /r
  # cvttss2si | SDM 2A CVTTSS2SI | A single to an integer, truncated.
  cvttss2si r32,xmmrm32  F3 0F 2C /r
  # cvttsd2si | SDM 2A CVTTSD2SI | A double to an integer, truncated.
  cvttsd2si r32,xmmrm64  F2 0F 2C /r
  # cvtps2pi | SDM 2A CVTPS2PI | Two singles to integers.
  cvtps2pi mm,xmmrm64  0F 2D /r np
  # cvtpd2pi | SDM 2A CVTPD2PI | Two doubles to integers.
  cvtpd2pi mm,xmmrm128  66 0F 2D /r
  # cvtss2si | SDM 2A CVTSS2SI | A single to an integer.
  cvtss2si r32,xmmrm32  F3 0F 2D /r
  # cvtsd2si | SDM 2A CVTSD2SI | A double to an integer.
  cvtsd2si r32,xmmrm64  F2 0F 2D /r
  # cvtps2pd | SDM 2A CVTPS2PD | Two singles to doubles.
  cvtps2pd xmm,xmmrm64  0F 5A /r np
  # cvtpd2ps | SDM 2A CVTPD2PS | Two doubles to singles.
  cvtpd2ps xmm,xmmrm128  66 0F 5A /r
  # cvtss2sd | SDM 2A CVTSS2SD | A single to a double.
  cvtss2sd xmm,xmmrm32  F3 0F 5A /r
  # cvtsd2ss | SDM 2A CVTSD2SS | A double to a single.
  cvtsd2ss xmm,xmmrm64  F2 0F 5A /r
  # cvtdq2ps | SDM 2A CVTDQ2PS | Four integers to singles.
  cvtdq2ps xmm,xmmrm128  0F 5B /r np
  # cvtps2dq | SDM 2A CVTPS2DQ | Four singles to integers.
  cvtps2dq xmm,xmmrm128  66 0F 5B /r
  # cvttps2dq | SDM 2A CVTTPS2DQ | Four singles to integers, truncated.
  cvttps2dq xmm,xmmrm128  F3 0F 5B /r
  # cvttpd2dq | SDM 2A CVTTPD2DQ | Two doubles to integers, truncated.
  cvttpd2dq xmm,xmmrm128  66 0F E6 /r
  # cvtdq2pd | SDM 2A CVTDQ2PD | Two integers to doubles.
  cvtdq2pd xmm,xmmrm64  F3 0F E6 /r
  # cvtpd2dq | SDM 2A CVTPD2DQ | Two doubles to integers.
  cvtpd2dq xmm,xmmrm128  F2 0F E6 /r

  # ldmxcsr | SDM 2A LDMXCSR | Loads the control and status register of SSE.
  ldmxcsr m32  0F AE /2 np
  # stmxcsr | SDM 2B STMXCSR | Stores the control and status register of SSE.
  stmxcsr m32  0F AE /3 np
  # fence | SDM 2 LFENCE, MFENCE, SFENCE | Orders memory accesses; here they are in order anyway.
  lfence -  0F AE E8 np
  mfence -  0F AE F0 np
  sfence -  0F AE F8 np
  ${fences}
  # clflush | SDM 2A CLFLUSH | Writes a cache line back; here only the address is checked.
  clflush m  0F AE /7 np
`);

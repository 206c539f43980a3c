// Case templates of MMX, SSE and SSE2: every opcode with registers and memory. Encodings are written from the manual, not with our
// own table. MASKMOV is not here (it stores through EDI, which the native program does not set), nor RCP and RSQRT, whose results
// differ from processor to processor.
import type { Random } from './random.ts';
import type { X87Template } from './templates-x87.ts';
import { AT, freshState, type X87Case } from './x87-case.ts';
import { double, single } from './x87-values.ts';

/** ModRM with [ebx], or with a register; the other register by chance. */
function modrm(random: Random, memory: boolean): number {
  const reg = random.below(8);
  return memory ? (reg << 3) | 3 : 0xc0 | (reg << 3) | random.below(8);
}

function state(random: Random, fill: 'bits' | 'single' | 'double'): Uint8Array {
  const state = freshState(random);
  const view = new DataView(state.buffer);
  state[AT.tags] = random.word();
  view.setUint16(AT.status, random.word() & 0x7f00, true);
  if (fill !== 'bits') {
    for (const [from, count] of [
      [AT.xmm, 8],
      [AT.memory, 1],
    ]) {
      for (let at = from; at < from + 16 * count; at += 8) {
        if (fill === 'single') {
          view.setUint32(at, single(random), true);
          view.setUint32(at + 4, single(random), true);
        } else {
          const [hi, lo] = double(random);
          view.setUint32(at, lo, true);
          view.setUint32(at + 4, hi, true);
        }
      }
    }
    // Rounding of all kinds, flags set here and there, masks mostly set, sometimes flush to zero.
    const masks = random.oneIn(3) ? random.below(64) : 0x3f;
    const flags = random.oneIn(2) ? 0 : random.below(64);
    const flush = random.oneIn(6) ? 0x8000 : 0;
    const rounding = random.oneIn(2) ? 0 : random.below(4);
    view.setUint32(AT.mxcsr, flags | (masks << 7) | (rounding << 13) | flush, true);
  } else {
    // Small values and edges as well as any bits.
    for (let at: number = AT.st; at < AT.xmm + 128; at += 2)
      if (random.oneIn(3)) view.setUint16(at, random.value(), true);
  }
  return state;
}

const templates: X87Template[] = [];

function template(
  name: string,
  count: number,
  fill: 'bits' | 'single' | 'double',
  bytes: (random: Random) => number[],
): void {
  templates.push({
    name,
    count,
    make: (random): X87Case => ({ name, bytes: bytes(random), state: state(random, fill) }),
  });
}

const hex = (n: number) => n.toString(16);

const BINARY = [
  0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x74, 0x75, 0x76, 0xd1, 0xd2, 0xd3,
  0xd4, 0xd5, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe8, 0xe9,
  0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd,
  0xfe,
];
for (const opcode of BINARY) {
  template(`mmx ${hex(opcode)}`, 60, 'bits', (r) => [0x0f, opcode, modrm(r, r.oneIn(3))]);
  template(`sse2 ${hex(opcode)}`, 60, 'bits', (r) => [0x66, 0x0f, opcode, modrm(r, r.oneIn(3))]);
}
for (const opcode of [0x6c, 0x6d])
  template(`sse2 ${hex(opcode)}`, 40, 'bits', (r) => [0x66, 0x0f, opcode, modrm(r, r.oneIn(3))]);

/** Shifts by an immediate. */
const count = (r: Random) => (r.oneIn(4) ? r.below(256) : r.below(66));
for (const [opcode, digits] of [
  [0x71, [2, 4, 6]],
  [0x72, [2, 4, 6]],
  [0x73, [2, 6]],
] as const) {
  for (const digit of digits) {
    const second = (r: Random) => 0xc0 | (digit << 3) | r.below(8);
    template(`mmx ${hex(opcode)}/${digit}`, 40, 'bits', (r) => [0x0f, opcode, second(r), count(r)]);
    template(`sse2 ${hex(opcode)}/${digit}`, 40, 'bits', (r) => [0x66, 0x0f, opcode, second(r), count(r)]);
  }
}
for (const digit of [3, 7])
  template(`sse2 73/${digit}`, 40, 'bits', (r) => [
    0x66,
    0x0f,
    0x73,
    0xc0 | (digit << 3) | r.below(8),
    r.below(20),
  ]);

/** With an immediate that chooses. */
for (const [name, prefix, opcode] of [
  ['pshufw', [], 0x70],
  ['pshufd', [0x66], 0x70],
  ['pshufhw', [0xf3], 0x70],
  ['pshuflw', [0xf2], 0x70],
  ['shufps', [], 0xc6],
  ['shufpd', [0x66], 0xc6],
] as const)
  template(name, 60, 'bits', (r) => [...prefix, 0x0f, opcode, modrm(r, r.oneIn(3)), r.below(256)]);

/** Only EAX is set by the native program: it is the general register of these. */
for (const prefix of [[], [0x66]]) {
  const kind = prefix.length ? 'sse2' : 'mmx';
  template(`pinsrw ${kind}`, 60, 'bits', (r) => [
    ...prefix,
    0x0f,
    0xc4,
    (r.oneIn(2) ? 3 : 0xc0) | (r.below(8) << 3),
    r.below(256),
  ]);
  template(`pextrw ${kind}`, 40, 'bits', (r) => [...prefix, 0x0f, 0xc5, 0xc0 | r.below(8), r.below(256)]);
  template(`pmovmskb ${kind}`, 40, 'bits', (r) => [...prefix, 0x0f, 0xd7, 0xc0 | r.below(8)]);
  template(`movd ${kind}`, 60, 'bits', (r) => [
    ...prefix,
    0x0f,
    r.pick([0x6e, 0x7e]),
    (r.oneIn(2) ? 3 : 0xc0) | (r.below(8) << 3),
  ]);
  template(`movmskp ${kind}`, 40, 'bits', (r) => [...prefix, 0x0f, 0x50, 0xc0 | r.below(8)]);
}
for (const [name, bytes, registers] of [
  ['movq mm', [0x0f, 0x6f], true],
  ['movq to mm/m64', [0x0f, 0x7f], true],
  ['movq xmm', [0xf3, 0x0f, 0x7e], true],
  ['movq to xmm/m64', [0x66, 0x0f, 0xd6], true],
  ['movdqa', [0x66, 0x0f, 0x6f], true],
  ['movdqa to', [0x66, 0x0f, 0x7f], true],
  ['movdqu', [0xf3, 0x0f, 0x6f], true],
  ['movdqu to', [0xf3, 0x0f, 0x7f], true],
  ['movntq', [0x0f, 0xe7], false],
  ['movntdq', [0x66, 0x0f, 0xe7], false],
  ['movups', [0x0f, 0x10], true],
  ['movups to', [0x0f, 0x11], true],
  ['movss', [0xf3, 0x0f, 0x10], true],
  ['movss to', [0xf3, 0x0f, 0x11], true],
  ['movsd', [0xf2, 0x0f, 0x10], true],
  ['movsd to', [0xf2, 0x0f, 0x11], true],
  ['movlps, movhlps', [0x0f, 0x12], true],
  ['movlps to', [0x0f, 0x13], false],
  ['movhps, movlhps', [0x0f, 0x16], true],
  ['movhps to', [0x0f, 0x17], false],
  ['movaps', [0x0f, 0x28], true],
  ['movaps to', [0x0f, 0x29], true],
  ['movntps', [0x0f, 0x2b], false],
  ['unpcklps', [0x0f, 0x14], true],
  ['unpckhps', [0x0f, 0x15], true],
  ['unpcklpd', [0x66, 0x0f, 0x14], true],
  ['unpckhpd', [0x66, 0x0f, 0x15], true],
  ['andps', [0x0f, 0x54], true],
  ['andnps', [0x0f, 0x55], true],
  ['orps', [0x0f, 0x56], true],
  ['xorps', [0x0f, 0x57], true],
] as const)
  template(name, 30, 'bits', (r) => [...bytes, modrm(r, !registers || r.oneIn(2))]);
template('movq2dq', 30, 'bits', (r) => [0xf3, 0x0f, 0xd6, modrm(r, false)]);
template('movdq2q', 30, 'bits', (r) => [0xf2, 0x0f, 0xd6, modrm(r, false)]);
template('emms', 20, 'bits', () => [0x0f, 0x77]);

/** ps pd ss sd. */
const KINDS = [
  ['ps', [], 'single'],
  ['pd', [0x66], 'double'],
  ['ss', [0xf3], 'single'],
  ['sd', [0xf2], 'double'],
] as const;
for (const [suffix, prefix, fill] of KINDS) {
  for (const [stem, opcode] of [
    ['sqrt', 0x51],
    ['add', 0x58],
    ['mul', 0x59],
    ['sub', 0x5c],
    ['min', 0x5d],
    ['div', 0x5e],
    ['max', 0x5f],
  ] as const)
    template(stem + suffix, 300, fill, (r) => [...prefix, 0x0f, opcode, modrm(r, r.oneIn(4))]);
  template(`cmp${suffix}`, 300, fill, (r) => [...prefix, 0x0f, 0xc2, modrm(r, r.oneIn(4)), r.below(8)]);
}
for (const [suffix, prefix, fill] of KINDS.slice(0, 2)) {
  template(`ucomis ${suffix}`, 200, fill, (r) => [...prefix, 0x0f, 0x2e, modrm(r, r.oneIn(4))]);
  template(`comis ${suffix}`, 200, fill, (r) => [...prefix, 0x0f, 0x2f, modrm(r, r.oneIn(4))]);
}
for (const [name, bytes, fill] of [
  ['cvtpi2ps', [0x0f, 0x2a], 'bits'],
  ['cvtpi2pd', [0x66, 0x0f, 0x2a], 'bits'],
  ['cvttps2pi', [0x0f, 0x2c], 'single'],
  ['cvttpd2pi', [0x66, 0x0f, 0x2c], 'double'],
  ['cvtps2pi', [0x0f, 0x2d], 'single'],
  ['cvtpd2pi', [0x66, 0x0f, 0x2d], 'double'],
  ['cvtps2pd', [0x0f, 0x5a], 'single'],
  ['cvtpd2ps', [0x66, 0x0f, 0x5a], 'double'],
  ['cvtss2sd', [0xf3, 0x0f, 0x5a], 'single'],
  ['cvtsd2ss', [0xf2, 0x0f, 0x5a], 'double'],
  ['cvtdq2ps', [0x0f, 0x5b], 'single'],
  ['cvtps2dq', [0x66, 0x0f, 0x5b], 'single'],
  ['cvttps2dq', [0xf3, 0x0f, 0x5b], 'single'],
  ['cvttpd2dq', [0x66, 0x0f, 0xe6], 'double'],
  ['cvtdq2pd', [0xf3, 0x0f, 0xe6], 'single'],
  ['cvtpd2dq', [0xf2, 0x0f, 0xe6], 'double'],
] as const)
  template(name, 200, fill, (r) => [...bytes, modrm(r, r.oneIn(4))]);
for (const [name, bytes, fill] of [
  ['cvtsi2ss', [0xf3, 0x0f, 0x2a], 'single'],
  ['cvtsi2sd', [0xf2, 0x0f, 0x2a], 'double'],
] as const)
  template(name, 200, fill, (r) => [...bytes, (r.oneIn(2) ? 3 : 0xc0) | (r.below(8) << 3)]);
for (const [name, bytes, fill] of [
  ['cvttss2si', [0xf3, 0x0f, 0x2c], 'single'],
  ['cvttsd2si', [0xf2, 0x0f, 0x2c], 'double'],
  ['cvtss2si', [0xf3, 0x0f, 0x2d], 'single'],
  ['cvtsd2si', [0xf2, 0x0f, 0x2d], 'double'],
] as const)
  template(name, 200, fill, (r) => [...bytes, r.oneIn(2) ? 3 : 0xc0 | r.below(8)]);
template('stmxcsr', 40, 'single', () => [0x0f, 0xae, 0x1b]);

export const SIMD_TEMPLATES: readonly X87Template[] = templates;

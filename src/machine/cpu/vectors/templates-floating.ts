// Case templates of the floating-point unit, MMX and SSE that complete the others: second encodings, moves under another name,
// masked stores, and short sequences, in which each instruction finds what the one before has left: registers, tags, flags, exceptions.
import type { Random } from './random.ts';
import { SIMD_TEMPLATES } from './templates-simd.ts';
import { X87_TEMPLATES, type X87Template } from './templates-x87.ts';
import { AT, type X87Case } from './x87-case.ts';

const templates: X87Template[] = [];

/** A case in the state of some other template. */
function like(
  name: string,
  count: number,
  of: readonly X87Template[],
  bytes: (random: Random) => number[],
): void {
  templates.push({
    name,
    count,
    make: (random): X87Case => ({ name, bytes: bytes(random), state: random.pick(of).make(random).state }),
  });
}

/** ModRM with [ebx], or with a register; the other register by chance. */
function modrm(random: Random, memory: boolean): number {
  const reg = random.below(8);
  return memory ? (reg << 3) | 3 : 0xc0 | (reg << 3) | random.below(8);
}

/** Encodings that the manual does not list, but that every processor has had since the 8087. */
for (const [name, opcode, base] of [
  ['fcom (dc)', 0xdc, 0xd0],
  ['fcomp (dc)', 0xdc, 0xd8],
  ['fcomp (de)', 0xde, 0xd0],
  ['fxch (dd)', 0xdd, 0xc8],
  ['fxch (df)', 0xdf, 0xc8],
  ['fstp (df d0)', 0xdf, 0xd0],
  ['fstp (df d8)', 0xdf, 0xd8],
  ['fstpnce', 0xd9, 0xd8],
] as const)
  like(name, 150, X87_TEMPLATES, (r) => [opcode, base | r.below(8)]);
for (const [name, second] of [
  ['fneni', 0xe0],
  ['fndisi', 0xe1],
  ['fsetpm', 0xe4],
] as const)
  like(name, 40, X87_TEMPLATES, () => [0xdb, second]);

for (const [name, bytes, registers] of [
  ['andpd', [0x66, 0x0f, 0x54], true],
  ['andnpd', [0x66, 0x0f, 0x55], true],
  ['orpd', [0x66, 0x0f, 0x56], true],
  ['xorpd', [0x66, 0x0f, 0x57], true],
  ['movupd', [0x66, 0x0f, 0x10], true],
  ['movupd to', [0x66, 0x0f, 0x11], true],
  ['movapd', [0x66, 0x0f, 0x28], true],
  ['movapd to', [0x66, 0x0f, 0x29], true],
  ['movlpd', [0x66, 0x0f, 0x12], false],
  ['movlpd to', [0x66, 0x0f, 0x13], false],
  ['movhpd', [0x66, 0x0f, 0x16], false],
  ['movhpd to', [0x66, 0x0f, 0x17], false],
  ['movntpd', [0x66, 0x0f, 0x2b], false],
] as const)
  like(name, 50, SIMD_TEMPLATES, (r) => [...bytes, modrm(r, !registers || r.oneIn(2))]);
// EDI holds the same address as EBX.
like('maskmovq', 150, SIMD_TEMPLATES, (r) => [0x0f, 0xf7, modrm(r, false)]);
like('maskmovdqu', 150, SIMD_TEMPLATES, (r) => [0x66, 0x0f, 0xf7, modrm(r, false)]);
like('movnti', 30, SIMD_TEMPLATES, () => [0x0f, 0xc3, 0x03]);
like('fences', 240, SIMD_TEMPLATES, (r) => [0x0f, 0xae, 0xe8 + r.below(24)]);
like('clflush', 10, SIMD_TEMPLATES, () => [0x0f, 0xae, 0x3b]);
like('fxsave', 200, [...SIMD_TEMPLATES, ...X87_TEMPLATES], () => [0x0f, 0xae, 0x03]);
templates.push({
  name: 'ldmxcsr',
  count: 120,
  make(random) {
    const { state } = random.pick(SIMD_TEMPLATES).make(random);
    // Reserved bits are #GP, and leave it as it was.
    new DataView(state.buffer).setUint32(
      AT.memory,
      random.oneIn(4) ? random.word() : random.word() & 0xffbf,
      true,
    );
    return { name: 'ldmxcsr', bytes: [0x0f, 0xae, 0x13], state };
  },
});

/** An environment holds where the last instruction stood: not in sequences. */
const UNIT = X87_TEMPLATES.filter((t) => !/^fn(stenv|save)|^fldenv|^frstor/.test(t.name));

/** Up to a handful of instructions, in the state of the first. */
function sequence(name: string, count: number, from: readonly (readonly X87Template[])[]): void {
  templates.push({
    name,
    count,
    make(random): X87Case {
      const first = random.pick(random.pick(from)).make(random);
      const bytes = [...first.bytes];
      for (;;) {
        const next = random.pick(random.pick(from)).make(random).bytes;
        if (bytes.length + next.length > 16) return { name, bytes, state: first.state };
        bytes.push(...next);
      }
    },
  });
}
sequence('x87 sequence', 12_000, [UNIT]);
sequence('simd sequence', 14_000, [SIMD_TEMPLATES]);
sequence('mixed sequence', 6_000, [UNIT, SIMD_TEMPLATES]);

export const FLOATING_TEMPLATES: readonly X87Template[] = templates;

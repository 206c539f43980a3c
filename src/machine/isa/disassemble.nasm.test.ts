// Round trip through NASM: every form of the table, several operands each, both modes.
// bytes → decode → text → NASM → bytes. iced-x86 judges whether the bytes mean the same as before.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86';
import { describe, expect, test } from 'vitest';
import { decode } from './decode.ts';
import { disassemble } from './disassemble.ts';
import type { Form } from './form.ts';
import type { Instruction } from './instruction.ts';
import { FORMS } from './table.ts';

const nasmIsInstalled = spawnSync('nasm', ['-v']).status === 0;

/** Bytes kept for each line, so that line n starts at n × SLOT. Longer than any instruction. */
const SLOT = 16;

/**
 * Assembles each line on its own 16-byte slot with NASM.
 * @returns per line its slot, padded with NOPs, or NASM's error message
 */
function nasm(lines: readonly string[], mode: 16 | 32): (Uint8Array | string)[] {
  const directory = mkdtempSync(join(tmpdir(), 'ringside-isa-'));
  const source = join(directory, 'batch.asm');
  const binary = join(directory, 'batch.bin');
  const errors = new Map<number, string>();
  try {
    // A first run finds the lines that NASM refuses; the second leaves them out.
    for (let attempt = 0; attempt < 4; attempt++) {
      const slots = lines.map(
        (line, n) => `${errors.has(n) ? 'nop' : line}\ntimes ${(n + 1) * SLOT}-($-$$) nop\n`,
      );
      writeFileSync(source, `bits ${mode}\norg 0\n${slots.join('')}`);
      try {
        execFileSync('nasm', ['-w-all', '-f', 'bin', '-o', binary, source], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        const image = readFileSync(binary);
        return lines.map((_, n) => errors.get(n) ?? new Uint8Array(image.subarray(n * SLOT, (n + 1) * SLOT)));
      } catch (failure) {
        for (const line of String((failure as { stderr?: Buffer }).stderr).split('\n')) {
          const match = /batch\.asm:(\d+): error: (.*)/.exec(line);
          if (match) errors.set(Math.floor((Number(match[1]) - 3) / 2), match[2]);
        }
      }
    }
    throw new Error(`nasm: ${[...errors.values()][0]}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const formatter = new Formatter(FormatterSyntax.Nasm);

/** iced's disassembly; F3 BSF is not TZCNT for our processor. */
function icedText(bytes: Uint8Array, mode: 16 | 32, address: number): string {
  const options = DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd;
  const decoder = new Decoder(mode, bytes, options);
  decoder.ip = BigInt(address);
  const i = decoder.decode();
  const text = formatter.format(i);
  i.free();
  decoder.free();
  return text;
}

/** A small linear congruential generator: the same bytes in every run. */
function pseudoRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

const VARIATIONS = 24;
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
/** Values at the edges of sign extension come up often. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff];

/** What NASM 2.16 does not accept, and why we print it all the same. */
const REFUSED: Readonly<Record<string, string>> = {
  'bswap r16+': 'result undefined by the manual, no assembler writes it; processors execute it',
  'movzx rv,rm16': '16 to 16 bits: a plain MOV that no assembler writes; processors execute it',
  'movsx rv,rm16': '16 to 16 bits: a plain MOV that no assembler writes; processors execute it',
  'fstpnce sti': 'an alias of fstp for the decoder; it has no name in NASM',
  'skinit ': 'NASM knows it in 64-bit code only; APM vol. 3 allows it in any protected mode',
};

const isBranch = (form: Form) => form.operands.some((kind) => kind === 'rel8' || kind === 'relv');

/** Bytes for one form: prefixes by the number of the variation, ModRM and what follows by chance. */
function encode(form: Form, variation: number, random: (below: number) => number): Uint8Array {
  const bytes: number[] = [];
  const sized = form.prefix === undefined && !form.noPrefix;
  if (variation & 1 && sized) bytes.push(0x66);
  // Branches get no idle prefixes: NASM leaves them out, and the distance would not fit any more.
  if (variation & 2 && (!isBranch(form) || form.operation.startsWith('loop') || form.addressSize))
    bytes.push(0x67);
  if (variation % 5 === 0 && !isBranch(form)) bytes.push(SEGMENT_PREFIXES[random(6)]);
  if (form.lock && variation % 3 === 0) bytes.push(0xf0);
  if (form.rep && variation % 3 !== 0) bytes.push(variation % 3 === 1 && form.rep === 'repcc' ? 0xf2 : 0xf3);
  if (form.prefix !== undefined) bytes.push(form.prefix);
  if (form.map > 0) bytes.push(0x0f);
  if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
  bytes.push(form.opcode + (form.operands.some((kind) => kind.endsWith('+')) ? random(8) : 0));
  if (form.modrmByte !== undefined) bytes.push(form.modrmByte);
  else if (form.modrm === 'r') bytes.push(random(256));
  else if (form.modrm !== undefined) bytes.push((random(256) & 0xc7) | (form.modrm << 3));
  while (bytes.length < SLOT) bytes.push(random(3) === 0 ? EDGES[random(EDGES.length)] : random(256));
  return Uint8Array.from(bytes);
}

interface Sample {
  readonly i: Instruction;
  readonly bytes: Uint8Array;
}

function samples(mode: 16 | 32): Sample[] {
  const random = pseudoRandom(2006 + mode);
  const result: Sample[] = [];
  for (const form of FORMS) {
    for (let variation = 0; variation < VARIATIONS; variation++) {
      const bytes = encode(form, variation, random);
      const i = decode(bytes, 0, mode);
      // LOCK with a register, memory-only forms with a register: #UD, nothing to print.
      if (typeof i !== 'string') result.push({ i, bytes: bytes.slice(0, i.length) });
    }
  }
  return result;
}

/** iced's text without what NASM may choose freely. */
function normalized(text: string): string {
  return text
    .replace(/\b(cs|ds) (j\w+)/, '$2') // branch hints
    .replace('notrack ', '')
    .replace(/^(f\w+) to st0$/, '$1 st0') // st0 with itself: either direction
    .replace(/\bsal /, 'shl ') // the /6 encodings
    .replace(/\[(\w+):/, '[$1:') // segment
    .replace(/(\w+)\*2([+-])/, '$1+$1$2') // [ecx*2+5] and [ecx+ecx+5]
    .replace(/([[:])(\w+)\*1/, '$1$2') // [ecx*1+5] and [ecx+5]
    .replace(/\bo(16|32) (?=(cs )?(lldt|ltr|lmsw|verr|verw|sldt|str|smsw|mov) )/, '') // selectors have 16 bits
    .replace(/^mov (es|ss|ds|fs|gs),e/, 'mov $1,')
    .replace(/^((a16|a32) )?(cs |ds |es |ss |fs |gs )?xchg e?ax,e?ax$/, 'nop')
    .replace(/^xchg (\w+),(\w+)$/, (_, a, b) => `xchg ${[a, b].sort().join()}`)
    .replace(/\b(word|dword) (?=[0-9A-F]+h?\]$)/, '') // moffs of the other address size
    .replace(/\[(word|dword) /, '[')
    .replace(/^o(16|32) push /, 'push ');
}

describe.skipIf(!nasmIsInstalled)(
  'disassembly assembles back with NASM (skipped when nasm is not installed)',
  () => {
    test.each([16, 32] as const)('every form, %i-bit code', (mode) => {
      const all = samples(mode);
      expect(new Set(all.map(({ i }) => i.form.operation)).size).toBe(
        new Set(FORMS.map((form) => form.operation)).size,
      );
      const problems: Record<string, string> = {};
      // 16-bit code has 64 KiB: chunks that fit.
      for (let start = 0; start < all.length; start += 4000) {
        const chunk = all.slice(start, start + 4000);
        const texts = chunk.map(({ i }, n) => disassemble(i, n * SLOT));
        const images = nasm(texts, mode);
        chunk.forEach(({ i, bytes }, n) => {
          const row = `${i.form.mnemonic} ${i.form.operands}`;
          const image = images[n];
          if (typeof image === 'string') {
            if (!(row in REFUSED)) problems[`${row}: ${image}`] ??= texts[n];
            return;
          }
          const before = normalized(icedText(bytes, mode, n * SLOT));
          const after = normalized(icedText(image, mode, n * SLOT));
          if (before !== after) problems[`${row}: other meaning`] ??= `${texts[n]}: ${before} → ${after}`;

          // NASM must not have found a later form of ours than the one that we started from.
          const again = decode(image, 0, mode);
          if (typeof again === 'string') problems[`${row}: ${again}`] ??= texts[n];
          else if (again.form.mnemonic === i.form.mnemonic && again.form.id > i.form.id) {
            problems[`${row}: NASM prefers ${again.form.operands}`] ??= texts[n];
          }
        });
      }
      expect(problems).toEqual({});
    });
  },
);

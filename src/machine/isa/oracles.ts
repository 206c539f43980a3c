// For tests only: what iced-x86 and NASM say about bytes and text. Neither was written here.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CpuidFeature,
  Decoder,
  DecoderOptions,
  Formatter,
  FormatterSyntax,
  type Instruction as IcedInstruction,
  Mnemonic,
} from 'iced-x86';

/** BSF and BSR with F3 are not TZCNT and LZCNT on our processor, and WBINVD with F3 is no WBNOINVD. */
const OPTIONS = DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd;

/** Decodes with iced and hands the instruction to `read`; frees the WebAssembly objects afterwards. */
export function withIced<T>(
  bytes: Uint8Array,
  mode: 16 | 32,
  address: number,
  read: (i: IcedInstruction, needsMore: boolean) => T,
): T {
  const decoder = new Decoder(mode, bytes, OPTIONS);
  decoder.ip = BigInt(address);
  const i = decoder.decode();
  try {
    return read(i, decoder.lastError === 2);
  } finally {
    i.free();
    decoder.free();
  }
}

const features = new Map<number, readonly string[]>();

/** The processor features an instruction belongs to, as iced names them. */
export function icedFeatures(i: IcedInstruction): readonly string[] {
  let names = features.get(i.code);
  if (!names) {
    names = Array.from(i.cpuidFeatures(), (feature) => CpuidFeature[feature]);
    features.set(i.code, names);
  }
  return names;
}

export const icedMnemonic = (i: IcedInstruction): string => Mnemonic[i.mnemonic].toLowerCase();

const formatter = new Formatter(FormatterSyntax.Nasm);

/** iced's own disassembly. */
export const icedText = (bytes: Uint8Array, mode: 16 | 32, address: number): string =>
  withIced(bytes, mode, address, (i) => formatter.format(i));

export const nasmIsInstalled = spawnSync('nasm', ['-v']).status === 0;

/** Bytes kept for each line, so that line n starts at n × SLOT. Longer than any instruction. */
export const SLOT = 16;

/**
 * Assembles each line on its own 16-byte slot with NASM.
 * @returns per line its slot, padded with NOPs, or NASM's error message
 */
export function nasm(lines: readonly string[], mode: 16 | 32): (Uint8Array | string)[] {
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

/** A small linear congruential generator: the same bytes in every run. */
export function pseudoRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

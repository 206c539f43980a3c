// The decoder against iced-x86: every opcode of the maps × every ModRM byte × prefixes, then random strings.
// Where the two differ, the reason stands here.
import {
  CpuidFeature,
  Decoder,
  DecoderOptions,
  type Instruction as IcedInstruction,
  Mnemonic,
  OpKind,
  Register,
} from 'iced-x86';
import { describe, expect, test } from 'vitest';
import { decode } from './decode.ts';
import { operandTexts } from './disassemble.ts';
import type { Instruction } from './instruction.ts';

/** BSF and BSR with F3 are not TZCNT and LZCNT on our processor, and WBINVD with F3 is no WBNOINVD. */
const OPTIONS = DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd;

/** Decodes with iced and hands the instruction to `read`; frees the WebAssembly objects afterwards. */
function withIced<T>(
  bytes: Uint8Array,
  mode: 16 | 32,
  read: (i: IcedInstruction, needsMore: boolean) => T,
): T {
  const decoder = new Decoder(mode, bytes, OPTIONS);
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
function icedFeatures(i: IcedInstruction): readonly string[] {
  let names = features.get(i.code);
  if (!names) {
    names = Array.from(i.cpuidFeatures(), (feature) => CpuidFeature[feature]);
    features.set(i.code, names);
  }
  return names;
}

const icedMnemonic = (i: IcedInstruction): string => Mnemonic[i.mnemonic].toLowerCase();

/** A small linear congruential generator: the same bytes in every run. */
function pseudoRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

/** The features of our processor. Instructions of any other must be #UD. */
const OURS = new Set([
  ...['INTEL8086', 'INTEL8086_ONLY', 'INTEL186', 'INTEL286', 'INTEL386', 'INTEL486', 'CPUID'],
  ...['CMOV', 'CX8', 'MSR', 'TSC', 'RDPMC', 'SEP', 'SMM', 'MULTIBYTENOP', 'PAUSE', 'MONITOR'],
  ...['FPU', 'FPU287', 'FPU387', 'FPU287XL_ONLY', 'FPU387SL_ONLY', 'FXSR'],
  ...['MMX', 'SSE', 'SSE2', 'CLFSH'],
  ...['VMX', 'INVEPT', 'INVVPID', 'SVM', 'SKINIT_or_SVM'],
]);

/** What we call invalid although iced names it, with features of ours. */
const NOT_OURS: Readonly<Record<string, string>> = {
  ud0: 'raises #UD by definition, which is what "invalid" means',
  ud1: 'raises #UD by definition, which is what "invalid" means',
  vmfunc: 'came with EPTP switching in 2013, after the processors simulated here',
  reservednop: '0F 0D with a register became a hint after the Pentium Pro (with 3DNow!)',
};

/** What we know although iced files it under a later feature. */
const OURS_TOO: Readonly<Record<string, string>> = {
  vmgexit: 'F3 or F2 VMMCALL: a name of its own for guests with encrypted state only (2020); VMMCALL before',
};

/** iced's mnemonic → ours, where the same encoding has another name. */
const RENAMED: Readonly<Record<string, string>> = {
  iret: 'iretw',
  popa: 'popaw',
  pusha: 'pushaw',
  popf: 'popfw',
  pushf: 'pushfw',
  vmgexit: 'vmmcall',
  fnsetpm: 'fsetpm',
};

/** 0F 18..1F is one space of hints for us; iced gives some of them the names they got later. */
const isHint = (i: Instruction) =>
  i.form.operation === 'hint-nop' || (i.form.operation === 'nop' && i.form.map === 1);

const PREFIXES = [
  { name: 'none', bytes: [] },
  { name: '66', bytes: [0x66] },
  { name: '67', bytes: [0x67] },
  { name: 'F3', bytes: [0xf3] },
  { name: 'F2', bytes: [0xf2] },
  { name: 'F0', bytes: [0xf0] },
];
const PREFIX_BYTES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f]);

/** Why the two decoders disagree on these bytes; undefined when they do not. */
function disagreement(bytes: Uint8Array, mode: 16 | 32): string | undefined {
  const ours = decode(bytes, 0, mode);
  return withIced(bytes, mode, (theirs, needsMore) => {
    if (theirs.isInvalid) {
      if (needsMore)
        return ours === 'short' || ours === 'invalid' ? undefined : `iced needs more, ours ${named(ours)}`;
      return typeof ours === 'string' ? undefined : `iced invalid, ours ${named(ours)}`;
    }
    const name = icedMnemonic(theirs);
    const known = name in OURS_TOO || icedFeatures(theirs).every((feature) => OURS.has(feature));
    if (typeof ours === 'string') {
      if (!known || name in NOT_OURS) return undefined;
      return `iced ${name} (${icedFeatures(theirs)}), ours ${ours}`;
    }
    if (ours.length !== theirs.length) return `length of ${name}: iced ${theirs.length}, ours ${ours.length}`;
    if (isHint(ours)) return undefined;
    if (!known) return `iced ${name} (${icedFeatures(theirs)}), ours ${named(ours)}`;
    const names = [ours.form.mnemonic, ...ours.form.aliases];
    if (!names.includes(RENAMED[name] ?? name)) return `iced ${name}, ours ${named(ours)}`;
    return operandDisagreement(ours, theirs);
  });
}

const named = (i: Instruction | string) => (typeof i === 'string' ? i : i.form.mnemonic);

/** Compares each written operand with iced's: registers by name, memory by its parts, numbers by value. */
function operandDisagreement(ours: Instruction, theirs: IcedInstruction): string | undefined {
  const texts = operandTexts(ours, 0);
  for (let n = 0; n < texts.length; n++) {
    const kind = ours.form.operands[n];
    // XCHG swaps either way round; we write it as NASM encodes it, register first.
    // MASKMOV's implied memory operand is iced's first.
    const { operation } = ours.form;
    const theirPlace = operation === 'xchg' ? 1 - n : operation === 'maskmov' ? n + 1 : n;
    const theirKind = theirs.opKind(theirPlace);
    let expected: string;
    let got = texts[n];
    if (theirKind === OpKind.Register) {
      expected = Register[theirs.opRegister(theirPlace)].toLowerCase();
      // Selectors have 16 bits; iced names the register by the operand size all the same.
      if (kind === 'rm16' || kind === 'r16') expected = expected.replace(/^e/, '');
      if (kind === 'rv' && SELECTOR_READERS.has(ours.form.operation)) {
        expected = expected.replace(/^e/, '');
        got = got.replace(/^e/, '');
      }
    } else if (theirKind === OpKind.Memory) {
      const bits = ours.addressSize;
      const displacement = BigInt.asIntN(bits, theirs.memoryDisplacement);
      expected = [
        Register[theirs.memorySegment],
        theirs.memoryBase,
        theirs.memoryIndex,
        theirs.memoryIndex === Register.None ? 1 : theirs.memoryIndexScale,
        displacement,
      ].join();
      const first = bits === 32 ? Register.EAX : Register.AX;
      const register = (r: number) => (r < 0 ? Register.None : first + r);
      got = [
        Register[Register.ES + ours.segment],
        register(ours.base),
        register(ours.index),
        1 << ours.scale,
        BigInt.asIntN(bits, BigInt(ours.displacement)),
      ].join();
    } else if (theirKind === OpKind.FarBranch16 || theirKind === OpKind.FarBranch32) {
      const offset = theirKind === OpKind.FarBranch16 ? theirs.farBranch16 : theirs.farBranch32;
      expected = `${theirs.farBranchSelector}:${offset}`;
      got = `${ours.immediate2}:${ours.immediate >>> 0}`;
    } else if (theirKind === OpKind.NearBranch16 || theirKind === OpKind.NearBranch32) {
      expected = String(theirs.nearBranchTarget);
      const target = ours.length + ours.immediate;
      got = String(ours.operandSize === 16 ? target & 0xffff : target >>> 0);
    } else {
      // iced keeps the constant 1 of the D0/D1 shifts as an immediate.
      const value =
        kind === 'one' ? 1 : ours.form.operation === 'enter' && n === 1 ? ours.immediate2 : ours.immediate;
      const bits = kind === 'imm8' ? 8 : kind === 'imm16' ? 16 : ours.operandSize;
      expected = String(BigInt.asUintN(bits, theirs.immediate(n)));
      got = String(BigInt.asUintN(bits, BigInt(value)));
    }
    if (expected !== got) return `${ours.form.mnemonic} operand ${n} (${kind})|iced ${expected}, ours ${got}`;
  }
  return undefined;
}

/** iced names even the destination by the size of the selector when that lies in memory. */
const SELECTOR_READERS = new Set(['lar', 'lsl']);

const hexText = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Disagreements by reason, each with its first example. */
class Findings {
  readonly byReason: Record<string, string> = {};
  check(bytes: Uint8Array, mode: 16 | 32): void {
    const [reason, detail = ''] = disagreement(bytes, mode)?.split('|') ?? [];
    if (reason !== undefined) this.byReason[reason] ??= `${mode}-bit ${hexText(bytes)} ${detail}`;
  }
}

describe.each([16, 32] as const)('decoder against iced-x86, %i-bit code', (mode) => {
  test.each(PREFIXES)('every opcode × ModRM after prefix $name', ({ bytes: prefix }) => {
    const findings = new Findings();
    const bytes = new Uint8Array(15);
    for (const map of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]]) {
      for (let opcode = 0; opcode < 256; opcode++) {
        if (map.length === 0 && PREFIX_BYTES.has(opcode)) continue;
        if (map.length === 1 && (opcode === 0x38 || opcode === 0x3a)) continue;
        for (let modrm = 0; modrm < 256; modrm++) {
          bytes.fill(0x8c);
          bytes.set([...prefix, ...map, opcode, modrm]);
          findings.check(bytes, mode);
        }
      }
    }
    expect(findings.byReason).toEqual({});
  });

  test('every SIB byte with every mod', () => {
    const findings = new Findings();
    for (const modrm of [0x04, 0x44, 0x84]) {
      for (let sib = 0; sib < 256; sib++) {
        for (const segment of [0x3e, 0x65]) {
          const prefix = mode === 16 ? [segment, 0x67] : [segment];
          findings.check(
            Uint8Array.from([...prefix, 0x8b, modrm, sib, 0x80, 0x01, 0x02, 0xff, 0, 0, 0, 0, 0]),
            mode,
          );
        }
      }
    }
    expect(findings.byReason).toEqual({});
  });

  test('200 000 random strings, whole and cut off', () => {
    const findings = new Findings();
    const random = pseudoRandom(mode);
    const prefixes = [...PREFIX_BYTES].filter((byte) => byte !== 0x0f);
    for (let n = 0; n < 200_000; n++) {
      const bytes = new Uint8Array(15);
      for (let k = 0; k < 15; k++) bytes[k] = random(256);
      const count = random(4);
      for (let k = 0; k < count; k++) bytes[k] = prefixes[random(prefixes.length)];
      if (random(3) === 0) bytes[count] = 0x0f;
      findings.check(random(4) === 0 ? bytes.subarray(0, 1 + random(8)) : bytes, mode);
    }
    expect(findings.byReason).toEqual({});
  });
});

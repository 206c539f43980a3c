// A page that is written to all the time, from outside and by itself, in its loops and beside them: what was compiled of it and
// is hung in again must do what the interpreter does. Two linear addresses, user and supervisor, 16 and 32 bits, limits of CS
// that cut the page, two processors; garbage leads to a handler that begins again.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Recorder } from '../../trace/recorder.ts';
import { Cpu } from '../cpu/cpu.ts';
import { run } from '../cpu/execute.ts';
import { getFlags } from '../cpu/flags.ts';
import { reset } from '../cpu/reset.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;
const ALIAS = 0x410000;
const STACK = 0x70000;
const [GDT, IDT, TSS] = [0x5000, 0x4000, 0x5800];
const CS = 1;
const SS = 2;
const TR = 7;
const PROGRAMS = Number(process.env.ENGINE_RUNS ?? 8);
const RUNS = 60;

/** Mulberry32. */
function randomOf(seed: number) {
  let s = seed | 0;
  const next = () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (n: number) => next() % n;
  return { next, below, pick: <T>(of: readonly T[]): T => of[below(of.length)] };
}
type Random = ReturnType<typeof randomOf>;

const PLAIN = [
  'add eax, ebx',
  'adc edx, ecx',
  'sbb ebx, eax',
  'inc edx',
  'rol ebx, 5',
  'shl eax, 3',
  'imul eax, ebx',
  'xor edi, eax',
  'lea esi, [esi + ecx]',
  'setc al',
  'add [data], edx',
  'mov ebx, [data + 4]',
  'mov [data + 8], eax',
  'mov [near_data], edx',
  'add edx, [near_data + 4]',
  'push eax\n pop edx',
  'cpuid',
];

/** A program of one page, with immediates that may be changed at `sites`, and one more page that calls into it. */
function programOf(r: Random) {
  const functions = 3 + r.below(5);
  let sites = 0;
  let counters = 0;
  const lines = (n: number) =>
    Array.from({ length: n }, () => {
      switch (r.below(9)) {
        case 0:
          return `site${sites++}: add eax, 0x${(0x1000000 + r.below(0x1000000)).toString(16)}`;
        case 1:
          return `site${sites++}: xor edx, 0x${(0x1000000 + r.below(0x1000000)).toString(16)}`;
        case 2:
          return `cmp ecx, ${r.below(40)}\n je near f${r.below(functions)}_tail`;
        default:
          return r.pick(PLAIN);
      }
    });
  /** What is done once in a while: a store into code, of the same or of something else. */
  const seldom = () => {
    const n = counters++;
    const site = `site${r.below(Math.max(1, sites))}`;
    const what = r.pick([
      `xor byte [${site} + 1], 3`,
      `inc byte [${site} + 2]`,
      `mov bl, [${site}]\n mov [${site}], bl`,
      `inc byte [once + 2]\n call once`,
      `call once\n mov byte [once + 3], 7`,
      `xor byte [f${r.below(functions)}_round], 1`,
      `mov esi, f${r.below(functions)}\n mov edi, spare\n mov ecx, 12\n rep movsb`,
      `mov dword [spare], eax`,
    ]);
    return `dec dword [counters + ${n * 4}]\n jnz near over${n}\n mov dword [counters + ${n * 4}], ${1 + r.below(60)}\n ${what}\nover${n}:`;
  };
  const bodies = Array.from({ length: functions }, (_, n) => {
    const inner = [...lines(1 + r.below(7)), ...(r.below(3) === 0 ? [seldom()] : [])];
    const more =
      r.below(3) === 0
        ? [r.below(2) === 0 ? `call leaf` : `mov ebp, [table + ${r.below(8) * 4}]\n call ebp`]
        : [];
    return `
f${n}:
  push ecx
  mov ecx, ${20 + r.below(r.pick([30, 300, 2000]))}
f${n}_round:
  ${[...inner, ...(r.below(4) === 0 ? more : [])].join('\n ')}
  dec ecx
  jg near f${n}_round
f${n}_tail:
  pop ecx
  ${r.below(2) === 0 ? seldom() : ''}
  ret`;
  });
  const calls = (n: number) =>
    Array.from({ length: n }, () =>
      r.pick([
        `call f${r.below(functions)}`,
        `call f${r.below(functions)}`,
        `mov ebp, [table + ${r.below(8) * 4}]\n call ebp`,
        seldom(),
        'nop',
      ]),
    ).join('\n ');
  const text = `
bits 32
org ${CODE}
main:
  mov esp, ${STACK}
again:
  ${calls(5)}
  ${r.below(2) === 0 ? 'call other' : ''}
  jmp again
${bodies.join('\n')}
leaf:
  rol edx, 3
  add edx, eax
  xor eax, edx
  ret
once:
  mov ebx, 5
  add edx, ebx
  ret
spare: times 16 nop
  ret
site${sites++}: add eax, 0x1000000
align 16
near_data: dd 1, 2, 3, 4
align 4096
other:
  mov ecx, ${5 + r.below(50)}
other_round:
  call leaf
  ${calls(2)}
  dec ecx
  jg near other_round
  ret
handler:
  inc dword [faults]
  mov esp, ${STACK}
  jmp main
align 4096
data: times 8 dd 0x12345678
faults: dd 0
table: dd ${Array.from({ length: 8 }, () => r.pick(['leaf', 'once', 'leaf', 'spare'])).join(', ')}
counters: times 64 dd 3
`;
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', text]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const at = (name: string) => symbols.get(name)!;
  return {
    bytes,
    at,
    sites: Array.from({ length: sites }, (_, n) => at(`site${n}`)),
    end: at('near_data') - CODE,
  };
}
type Program = ReturnType<typeof programOf>;

function machineOf({ bytes, at }: Program, compiled: boolean) {
  const m = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  const { memory } = m;
  const cpus = [m.cpu, new Cpu(memory, m.cpu.cost, new Recorder(16), m.bus, m.pin)];
  reset(cpus[1]);
  [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300].forEach((word, n) =>
    memory.write32(GDT + n * 4, word),
  );
  for (let n = 0; n < 32; n++) m.interruptGate(IDT, n, at('handler'));
  memory.write32(TSS + 4, STACK);
  memory.write32(TSS + 8, 0x10);
  memory.write32(0x1000, 0x2067);
  memory.write32(0x1004, 0x3067);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | 0x67);
  for (let n = 0; n < 0x80; n++) memory.write32(0x3000 + n * 4, (n << 12) | 0x67);
  for (const cpu of cpus) {
    cpu.segments.forEach((s, n) => Object.assign(s, m.cpu.segments[n]));
    cpu.compiledAllowed = compiled;
    Object.assign(cpu.gdtr, { base: GDT, limit: 0x27 });
    Object.assign(cpu.idtr, { base: IDT, limit: 0xff });
    Object.assign(cpu.segments[TR], { selector: 0x28, base: TSS, limit: 0x67, access: 0x8b });
    cpu.cr3 = 0x1000;
    cpu.cr0 = 0x80000011 | 0;
    cpu.tlb.flush();
    cpu.regs[4] = STACK;
  }
  return { memory, cpus };
}

/** Runs of random lengths with something done to the page in between. @returns what there was to see behind each */
function finish(program: Program, seed: number, compiled: boolean) {
  const r = randomOf(seed ^ 0x5bd1e995);
  const { memory, cpus } = machineOf(program, compiled);
  const wild = r.below(3) === 0;
  const two = r.below(3) === 0;
  const seen: string[] = [];
  const setPrivilege = (cpu: Cpu, user: boolean) => {
    cpu.cpl = user ? 3 : 0;
    for (let n = 0; n < 6; n++) {
      const code = n === CS;
      cpu.segments[n].selector = code ? (user ? 0x1b : 8) : user || n !== SS ? 0x23 : 0x10;
      cpu.segments[n].access = code ? (user ? 0xc0fb : 0xc09b) : user || n !== SS ? 0xc0f3 : 0xc093;
      cpu.segments[n].base = 0;
      cpu.segments[n].limit = 0xffffffff;
    }
    cpu.tlb.generation++;
  };
  const begin = (cpu: Cpu, name = 'main') => {
    cpu.halted = false;
    cpu.regs[4] = STACK - (cpu === cpus[1] ? 0x8000 : 0);
    cpu.eip = program.at(name);
  };
  for (const cpu of cpus) {
    setPrivilege(cpu, false);
    begin(cpu);
  }
  for (let n = 0; n < RUNS; n++) {
    const cpu = cpus[two ? r.below(2) : 0];
    const what = r.below(wild ? 16 : 12);
    const offset = r.below(program.end);
    const site = r.pick(program.sites);
    const value = r.next();
    switch (what) {
      case 0:
      case 1:
        memory.write8(CODE + offset, memory.read8(CODE + offset));
        break;
      case 2:
        memory.load(CODE, program.bytes.slice(0, program.end));
        break;
      case 3:
        memory.write8(site + 2 + (value & 1), value >>> 8);
        break;
      case 4:
        memory.write8(site + 1, value >>> 8);
        memory.write8(site + 1, program.bytes[site + 1 - CODE]);
        break;
      case 5:
        memory.write8(program.at('once') + 1, value >>> 8);
        break;
      case 6:
        setPrivilege(cpu, (value & 1) === 1);
        begin(cpu);
        break;
      case 7:
        begin(cpu);
        if (value & 1) cpu.eip += ALIAS - CODE;
        break;
      case 8:
        memory.write8(program.at('spare') + (value & 15), value & 256 ? 0x90 : 0x40 + ((value >>> 12) & 3));
        break;
      case 9:
        memory.clear(0x30000, 4096);
        break;
      case 12:
        memory.write8(CODE + offset, value);
        break;
      case 13:
        cpu.segments[CS].limit = value & 1 ? 0xffffffff : CODE + (value & 2 ? 0xfff : offset);
        begin(cpu);
        break;
      case 14:
        if (cpu.cpl === 0) cpu.segments[CS].access &= ~0x4000;
        cpu.eip = CODE + offset;
        cpu.tlb.generation++;
        break;
      case 15:
        memory.load(CODE, program.bytes.slice(0, 4096));
        begin(cpu);
        break;
    }
    const length = r.pick([50, 3000, 9000, 30_000, 30_000, 90_000]);
    const end = cpu.cycles + 1 + r.below(length);
    let stop = 0;
    for (let k = 0; k < 40 && cpu.cycles < end && !cpu.halted; k++) stop = run(cpu, end);
    seen.push(
      [what, stop, cpu.cycles, cpu.instructions, cpu.eip, getFlags(cpu), cpu.cpl, ...cpu.regs].join(' '),
    );
    if (cpu.halted || cpu.cycles < end) {
      memory.load(CODE, program.bytes.slice(0, 8192));
      setPrivilege(cpu, false);
      begin(cpu);
    }
  }
  return { seen, memory: Buffer.from(memory.bytes.slice(CODE)).toString('base64') };
}

it('runs pages that change all the time as the interpreter does', () => {
  const prototype = Engine.prototype as unknown as { restore: (...args: unknown[]) => boolean };
  const { restore } = prototype;
  let restored = 0;
  prototype.restore = function (...args) {
    const done = restore.apply(this, args);
    if (done) restored++;
    return done;
  };
  try {
    const first = Number(process.env.ENGINE_SEED ?? 1);
    for (let seed = first; seed < first + PROGRAMS; seed++) {
      const program = programOf(randomOf(seed));
      const plain = finish(program, seed, false);
      const compiled = finish(program, seed, true);
      expect({ seed, ...compiled }).toEqual({ seed, ...plain });
    }
  } finally {
    prototype.restore = restore;
  }
  expect(restored).toBeGreaterThan(PROGRAMS * 3);
});

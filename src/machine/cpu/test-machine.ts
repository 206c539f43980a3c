// For the tests of this room: a bare processor with 1 MiB of memory, a bus that remembers what was written to its ports,
// an interrupt pin, and nasm to assemble programs with.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHARGES, type CostModel } from '../../cost/model.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { InterruptController, PortBus } from '../devices/device.ts';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import { Cpu, Stop } from './cpu.ts';
import { run } from './execute.ts';
import { reset } from './reset.ts';

/** Every instruction costs one cycle and everything else nothing, so tests count instructions by cycles. */
export const unitCost = {
  name: 'unit',
  title: 'one cycle an instruction',
  clockHz: 1_000_000,
  charges: Object.fromEntries(CHARGES.map((name) => [name, { cycles: 0, mark: 'D', source: 'test' }])),
  instructions: {},
} as unknown as CostModel;

/** Remembers writes; reads give what `input` holds for the port, or all ones. */
export class RecordingBus implements PortBus {
  readonly written: [port: number, value: number, size: number][] = [];
  readonly input = new Map<number, number>();
  read(port: number, size: 1 | 2 | 4): number {
    return this.input.get(port) ?? (size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff);
  }
  write(port: number, value: number, size: 1 | 2 | 4): void {
    this.written.push([port, value, size]);
  }
  /** What was written to one port, in order. */
  on(port: number): number[] {
    return this.written.filter(([p]) => p === port).map(([, value]) => value);
  }
}

/** One interrupt request with a vector. */
export class Pin implements InterruptController {
  vector = -1;
  pending(): boolean {
    return this.vector >= 0;
  }
  acknowledge(): number {
    const vector = this.vector;
    this.vector = -1;
    return vector;
  }
}

export class TestMachine {
  readonly memory: PhysicalMemory;
  readonly bus = new RecordingBus();
  readonly pin = new Pin();
  readonly recorder = new Recorder(1 << 10);
  readonly cpu: Cpu;

  constructor(bytes = 1 << 20, cost: CostModel = unitCost) {
    this.memory = new PhysicalMemory(bytes);
    this.cpu = new Cpu(this.memory, cost, this.recorder, this.bus, this.pin);
    reset(this.cpu);
  }

  /** Real mode at 0000:`address`, with the code there. */
  real(code: Uint8Array, address = 0x7c00): this {
    this.memory.load(address, code);
    const cs = this.cpu.segments[1];
    cs.selector = 0;
    cs.base = 0;
    this.cpu.eip = address;
    this.cpu.regs[4] = 0x7000;
    return this;
  }

  /** Flat 32-bit protected mode at ring 0, without descriptor tables: for programs that need no segment loads. */
  flat(code: Uint8Array, address = 0x1000): this {
    this.memory.load(address, code);
    this.cpu.cr0 |= 1;
    this.cpu.segments.slice(0, 6).forEach((s, n) => {
      s.selector = n === 1 ? 8 : 16;
      s.base = 0;
      s.limit = 0xffffffff;
      s.access = n === 1 ? 0xc09b : 0xc093;
    });
    this.cpu.eip = address;
    this.cpu.regs[4] = 0x80000;
    return this;
  }

  /** A GDT at an address: 8 is flat code, 16 flat data, of ring 0. */
  flatDescriptors(at: number): this {
    [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300].forEach((word, n) => this.memory.write32(at + n * 4, word));
    Object.assign(this.cpu.gdtr, { base: at, limit: 0x17 });
    return this;
  }

  /** An interrupt gate to code segment 8 in the IDT at an address. */
  interruptGate(idt: number, vector: number, handler: number): this {
    this.memory.write32(idt + vector * 8, (8 << 16) | (handler & 0xffff));
    this.memory.write32(idt + vector * 8 + 4, (handler & 0xffff0000) | 0x8e00);
    return this;
  }

  /** Runs until something other than the slice ends it, at most `cycles`. */
  run(cycles = 1_000_000): number {
    const end = this.cpu.cycles + cycles;
    let stop: number = Stop.budget;
    while (stop === Stop.budget && this.cpu.cycles < end) stop = run(this.cpu, end);
    return stop;
  }
}

let found: boolean | undefined;
/** Whether nasm can be run here; tests skip without it. */
export function hasNasm(): boolean {
  return (found ??= available('nasm', ['-v']));
}

/** Whether a program can be started. */
export function available(program: string, args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Assembles a flat binary with nasm. @param includes folder where %include looks */
export function nasm(source: string, includes = '.'): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-'));
  try {
    writeFileSync(join(folder, 'a.asm'), source);
    const files = ['-o', join(folder, 'a.bin'), join(folder, 'a.asm')];
    execFileSync('nasm', ['-f', 'bin', '-w-all', `-I${includes}/`, ...files], { stdio: 'pipe' });
    return new Uint8Array(readFileSync(join(folder, 'a.bin')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

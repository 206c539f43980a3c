// One instruction, executed once on the simulated processor from a state made for it, and everything that came of it: what a
// program can see of the result, and what became of the machine's resources. The processor is bare; where a kernel stands,
// and on whose tables, is the trial's choice.
import { costModel } from '../../cost/processors.ts';
import { convert } from '../../hypervisor/deprivileged/convert.ts';
import { Cpu } from '../../machine/cpu/cpu.ts';
import { step } from '../../machine/cpu/execute.ts';
import { hasErrorCode } from '../../machine/cpu/fault.ts';
import { getFlags, IF, IOPL, NT, VM } from '../../machine/cpu/flags.ts';
import { reset } from '../../machine/cpu/reset.ts';
import { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import { Recorder } from '../../trace/recorder.ts';

export const CODE = 0x1000;
export const DATA = 0x3000;
const STACK = 0x5000;
const TASK = 0x9000;
const HANDLERS = 0xc000;
/** Where far transfers lead, and the stack that they bring. */
export const LANDING = 0x2000;
export const RETURN_STACK = 0x5100;
/** Overflow is set, so that INTO does something. */
const FLAGS = 0x802;
const CR4_OSFXSR = 0x200;
/** Selectors worth trying: null, kernel code and data with RPL 0 and 1, user code and data, LDT, an available TSS, none. */
export const SELECTORS = [0, 0x08, 0x09, 0x10, 0x11, 0x1b, 0x23, 0x28, 0x30, 0xfff8];
const DESCRIPTORS: readonly [low: number, high: number][] = [
  [0, 0],
  [0x0000ffff, 0x00cf9b00],
  [0x0000ffff, 0x00cf9300],
  [0x0000ffff, 0x00cffb00],
  [0x0000ffff, 0x00cff300],
  [0x8000000f, 0x00008200],
  [0x90000067, 0x00008900],
  [0x98000067, 0x00008b00],
  [0x8800000f, 0x00008200],
  [0x9c000067, 0x00008b00],
];

/** Who executes, and on whose tables. */
export interface Stand {
  ring: 0 | 1 | 3;
  /** The segments are those of a deprivileged kernel: DPL 1, cut off below the monitor (as trap-and-emulate makes them). */
  compressed: boolean;
  /** Two hosts that a program should not be able to tell apart: other addresses of tables, other selectors, another CR0.NE. */
  host: 0 | 1;
  /** EFLAGS.IF. */
  interrupts: boolean;
}

/** What goes in beside the instruction. */
export interface Input {
  bytes: Uint8Array;
  /** ECX and the word at DATA + 4. */
  selector: number;
  /** Doublewords from ESP upwards. */
  stack: readonly number[];
}

export interface Result {
  /** -1, or the vector of the exception, and its error code. */
  vector: number;
  error: number;
  /** Registers, arithmetic flags, memory, data segments, where it goes on. */
  visible: string;
  /** Control registers, tables, interrupt flag, ring, ports: what a monitor must keep for itself. */
  control: string;
}

class Ports {
  touched = '';
  read(port: number, size: number): number {
    this.touched += `r${port}/${size} `;
    return 0x5a5a5a5a;
  }
  write(port: number, value: number, size: number): void {
    this.touched += `w${port}/${size}=${value} `;
  }
}

export class Trials {
  private readonly ports = new Ports();
  private readonly memory = new PhysicalMemory(1 << 20);
  private readonly cpu: Cpu;
  private readonly words = { low: 0, high: 0 };

  constructor() {
    const nobody = { pending: () => false, acknowledge: () => 0 };
    this.cpu = new Cpu(this.memory, costModel('prescott'), new Recorder(64), this.ports, nobody);
    this.buildHandlers(0xa000);
    this.buildHandlers(0x1a000);
  }

  run(stand: Stand, input: Input): Result {
    this.prepare(stand, input);
    const { cpu, ports } = this;
    const before = this.control();
    step(cpu);
    const at = cpu.eip >>> 0;
    const handled = at >= HANDLERS && at < HANDLERS + 0x2000;
    // A gate of INT n leads there too, but on purpose: its vectors are above the exceptions.
    const vector = handled ? (at - HANDLERS) >>> 4 : -1;
    const trapped = vector >= 0 && vector < 32 && vector !== 3 && vector !== 4 && vector !== 1;
    const error = trapped ? this.memory.read32(cpu.regs[4]) : 0;
    const after = this.control();
    return {
      vector: trapped ? vector : -1,
      error: hasErrorCode(vector) ? error : 0,
      visible: trapped ? '' : this.visible(),
      control: trapped || after === before ? '' : after + ports.touched,
    };
  }

  private prepare(stand: Stand, { bytes, selector, stack }: Input): void {
    const { cpu, memory } = this;
    const base = stand.host ? 0x1a000 : 0xa000;
    reset(cpu);
    cpu.cycles = 0;
    cpu.shadow = cpu.attention = cpu.stop = 0;
    cpu.halted = false;
    cpu.tlb.flush();
    this.ports.touched = '';
    this.buildTables(stand, base);
    this.fill(CODE, 32, 0x90);
    bytes.forEach((byte, n) => {
      memory.write8(CODE + n, byte);
    });
    this.fill(LANDING, 16, 0x90);
    this.fill(DATA, 0x100, 0);
    memory.write32(DATA, LANDING);
    memory.write32(DATA + 4, selector);
    this.fill(STACK - 64, 128, 0);
    stack.forEach((word, n) => {
      memory.write32(STACK + n * 4, word);
    });
    // Small enough that a division comes to its end.
    cpu.regs.set([0x12340078, selector, 1, DATA, STACK, STACK, DATA, DATA + 0x40]);
    cpu.eip = cpu.instructionStart = CODE;
    cpu.flags = FLAGS | (stand.interrupts ? IF : 0);
    cpu.lazyMask = 0;
    cpu.cr0 = 0x11 | (stand.host ? 0x20 : 0);
    cpu.cr4 = CR4_OSFXSR;
    this.segments(stand, base);
  }

  private fill(start: number, length: number, value: number): void {
    for (let at = start; at < start + length; at++) this.memory.write8(at, value);
  }

  private buildTables(stand: Stand, base: number): void {
    const { memory, words } = this;
    DESCRIPTORS.forEach(([low, high], n) => {
      words.low = low;
      words.high = high;
      // System descriptors stay: what the processor itself needs must be there.
      if (stand.compressed && high & 0x1000) convert(low, high, words);
      memory.write32(base + n * 8, words.low);
      memory.write32(base + n * 8 + 4, words.high);
    });
    // Handlers of the bare machine or of the monitor: ring 0 code through a selector of its own.
    memory.write32(base + 0x58, 0x0000ffff);
    memory.write32(base + 0x5c, 0x00cf9b00);
    memory.write32(base + 0x60, 0x0000ffff);
    memory.write32(base + 0x64, 0x00cf9300);
  }

  /** Gates and task segments of both hosts: no trial writes to them. */
  private buildHandlers(base: number): void {
    const { memory } = this;
    for (let vector = 0; vector < 256; vector++) {
      const open = vector === 3 || vector === 4 || vector >= 32;
      memory.write32(base + 0x1000 + vector * 8, (0x58 << 16) | (HANDLERS + vector * 16));
      memory.write32(base + 0x1004 + vector * 8, open ? 0xee00 : 0x8e00);
    }
    for (const task of [TASK, TASK + 0x800, TASK + 0xc00]) {
      memory.write32(task + 4, 0x8000);
      memory.write16(task + 8, 0x60);
      memory.write16(task + 0x66, 0x68);
    }
  }

  private segments(stand: Stand, base: number): void {
    const { cpu } = this;
    cpu.gdtr.base = base;
    cpu.gdtr.limit = 0x6f;
    cpu.idtr.base = base + 0x1000;
    cpu.idtr.limit = 0x7ff;
    cpu.cpl = stand.ring;
    const user = stand.ring === 3;
    const limit = stand.compressed ? 0xfbffffff : 0xffffffff;
    for (let n = 0; n < 6; n++) {
      const s = cpu.segments[n];
      s.selector = user
        ? n === 1
          ? 0x1b
          : 0x23
        : (n === 1 ? 0x08 : 0x10) | (n === 1 || n === 2 ? stand.ring : 0);
      s.base = 0;
      s.limit = limit;
      s.access = (n === 1 ? 0xc09b : 0xc093) | (stand.ring << 5);
    }
    const [ldt, task] = [cpu.segments[6], cpu.segments[7]];
    ldt.selector = stand.host ? 0x40 : 0x28;
    ldt.base = stand.host ? 0x8800 : 0x8000;
    ldt.limit = 0x0f;
    ldt.access = 0x82;
    task.selector = stand.host ? 0x48 : 0x38;
    task.base = stand.host ? TASK + 0xc00 : TASK + 0x800;
    task.limit = 0x67;
    task.access = 0x8b;
  }

  private visible(): string {
    const { cpu, memory } = this;
    const parts: number[] = [...cpu.regs, cpu.eip, getFlags(cpu) & 0xcd5];
    for (const n of [0, 3, 4, 5]) parts.push(cpu.segments[n].selector);
    for (let at = DATA; at < DATA + 0x100; at += 4) parts.push(memory.read32(at));
    for (let at = STACK - 64; at < STACK + 32; at += 4) parts.push(memory.read32(at));
    return parts.join();
  }

  private control(): string {
    const { cpu } = this;
    const tables = [cpu.gdtr.base, cpu.gdtr.limit, cpu.idtr.base, cpu.idtr.limit];
    const registers = [cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4, ...cpu.dr];
    const selectors = [cpu.segments[6].selector, cpu.segments[7].selector];
    const flags = getFlags(cpu) & (IF | IOPL | VM | NT);
    const msrs = [...cpu.msrs].map(([index, value]) => `${index}=${value}`);
    return `${[...tables, ...registers, ...selectors, flags, cpu.cpl, cpu.halted].join()} ${msrs.join()} `;
  }
}

// For the tests of this room: a guest assembled by nasm, run in non-root operation by the smallest monitor there is.
import { describe } from 'vitest';
import { type Cpu, Stop } from '../cpu.ts';
import { run } from '../execute.ts';
import { hasNasm, nasm } from '../test-machine.ts';
import { PROC } from './capabilities.ts';
import { FIELD, LATER_FIELD } from './fields.ts';
import { vmlaunch, vmread, vmresume, vmwrite } from './operations.ts';
import { AT, guestTables, readyVmcs } from './testing.ts';

const F = { ...FIELD, ...LATER_FIELD };
export type Fields = Partial<Record<keyof typeof F, number>>;
/** Control words with nothing but what first-generation VT-x requires. */
export const PROC_BASE = 0x0401e172;
export const PIN_BASE = 0x16;
/** Where the guest's interrupt handlers stand, 16 bytes apart. */
export const HANDLERS = 0x40000;

/** `describe`, or a skip that says why. */
export const needsNasm = hasNasm() ? describe : describe.skip;
if (!hasNasm()) console.warn('nasm is not installed: the tests of VM exits are skipped');

/** `run` may come back early with Stop.budget, after a port access for one. */
function untilStopped(cpu: Cpu): number {
  const end = cpu.cycles + 100_000;
  let stop: number = Stop.budget;
  while (stop === Stop.budget && cpu.cycles < end) stop = run(cpu, end);
  return stop;
}

/** A guest program between entry and exit. HLT leaves it; handlers that are not given are HLT. */
export class Guest {
  readonly machine: ReturnType<typeof readyVmcs>;
  readonly cpu: Cpu;
  private launched = false;

  /** @param handlers source by vector */
  constructor(
    source: string,
    fields: Fields = {},
    handlers: Record<number, string> = {},
    processor = 'prescott',
  ) {
    this.machine = readyVmcs(processor);
    this.cpu = this.machine.cpu;
    const { memory } = this.cpu;
    guestTables(memory, HANDLERS);
    memory.load(HANDLERS, new Uint8Array(256 * 16).fill(0xf4));
    for (const [vector, code] of Object.entries(handlers)) {
      const at = HANDLERS + Number(vector) * 16;
      memory.load(at, nasm(`bits 32\norg ${at}\n${code}`));
    }
    memory.load(AT.code, nasm(`bits 32\norg ${AT.code}\n${source}`));
    this.set({ CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.hlt, ...fields });
  }

  set(fields: Fields): this {
    for (const [name, value] of Object.entries(fields)) {
      if (vmwrite(this.cpu, F[name as keyof typeof F], value) !== 0)
        throw new Error(`VMWRITE ${name} failed`);
    }
    return this;
  }

  /** Enters and runs to the next exit; the basic reason. */
  exit(): number {
    const error = this.launched ? vmresume(this.cpu) : vmlaunch(this.cpu);
    if (error !== 0) throw new Error(`VM entry failed with error ${error}`);
    this.launched = true;
    const stop = untilStopped(this.cpu);
    if (stop !== Stop.monitor || this.cpu.intercepts !== null || this.cpu.eip !== AT.monitor) {
      throw new Error(`no exit: the run ended with ${stop} at ${this.cpu.eip.toString(16)}h`);
    }
    return this.read('VM_EXIT_REASON');
  }

  read(name: keyof typeof F): number {
    return vmread(this.cpu, F[name]);
  }

  /** Goes on behind the instruction that exited. */
  skip(): this {
    return this.set({ GUEST_RIP: this.read('GUEST_RIP') + this.read('VM_EXIT_INSTRUCTION_LEN') });
  }
}

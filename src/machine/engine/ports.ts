// IN and OUT in compiled code: a call to here in the middle of a region. The devices see the cycle that they would see from
// the interpreter (cpu/executors/io.ts), and the trace hears what came before first. Whatever a device has done that the
// region did not reckon with makes it leave behind the instruction.
import type { Cpu } from '../cpu/cpu.ts';
import { accessed } from '../cpu/executors/io.ts';
import type { Links } from './links.ts';
import { State } from './state.ts';

/** What is passed beside the port: size in bytes less one, and the direction. */
export const PORT_SIZE_SHIFT = 16;
export const PORT_INPUT = 1 << 18;

/** What regions import. @param left cycle budget left behind the instruction @param eip of the instruction */
export type PortAccess = (left: number, eip: number, what: number, value: number) => number;

/** Accesses of the ports of a processor. The charge and whether to leave are in its state's words. */
export function portAccessOf(cpu: Cpu, links: Links): PortAccess {
  const state = cpu.compiledState;
  return (left, eip, what, value) => {
    if (state[State.logged] !== 0) links.tell();
    const { cycles } = cpu;
    const now = links.start + links.budget - left;
    const { generation, stamp } = cpu.tlb;
    const { touched } = cpu.memory;
    cpu.cycles = now;
    cpu.instructionStart = eip >>> 0;
    const port = what & 0xffff;
    const size = (((what >>> PORT_SIZE_SHIFT) & 3) + 1) as 1 | 2 | 4;
    let result = 0;
    if (what & PORT_INPUT) result = cpu.ports.read(port, size);
    else cpu.ports.write(port, size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff), size);
    accessed(cpu, port, size);
    state[State.charge] = cpu.cycles - now;
    cpu.cycles = cycles;
    state[State.disturbed] =
      (cpu.stop | cpu.attention | cpu.shadow) !== 0 ||
      cpu.tlb.generation !== generation ||
      cpu.tlb.stamp !== stamp ||
      cpu.memory.touched !== touched
        ? 1
        : 0;
    return result;
  };
}

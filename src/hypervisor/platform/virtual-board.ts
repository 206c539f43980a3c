// The PC that an unmodified guest believes it has: the same board as the real one, with the domain's own video memory, and
// the host's date. Everything that happens on it is recorded for the domain.
import { Board } from '../../machine/devices/board.ts';
import { civilFromSeconds, secondsFromCivil } from '../../machine/devices/calendar.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { VIDEO_BASE, VIDEO_SIZE } from '../../machine/pc.ts';
import { Channel, Kind } from '../../trace/events.ts';
import type { Domain } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { GuestBus } from './guest-bus.ts';

/**
 * Builds the board. The domain's video frames lie in one row in machine memory.
 * @param map for devices that want accesses to guest-physical addresses; without it the adapter shows its simple modes only
 */
export function virtualBoard(hypervisor: Hypervisor, domain: Domain, map?: MemoryMap): Board {
  const { pc } = hypervisor;
  const video = domain.memory.toMachine(VIDEO_BASE);
  const board = new Board({
    clock: pc.clock,
    memoryBytes: domain.memory.size,
    memory: new GuestBus(domain.memory),
    drives: domain.drives,
    map,
    videoMemory: pc.memory.bytes.subarray(video, video + VIDEO_SIZE),
    startDate: powerOnDate(hypervisor),
  });
  const vcpu = domain.vcpus[0];
  board.onAccess = (device, write, port, value, size) =>
    hypervisor.record(vcpu, Kind.device, device, write ? 1 : 0, port, value, size);
  board.serial.onTransmit = (byte) => hypervisor.record(vcpu, Kind.output, byte, Channel.serial);
  return board;
}

/** When the host was switched on: what its clock chip says, less what has passed since. */
function powerOnDate(hypervisor: Hypervisor): string {
  const { board, clock } = hypervisor.pc;
  const read = (register: number): number => {
    board.write(0x70, register, 1);
    const bcd = board.read(0x71, 1);
    return (bcd >> 4) * 10 + (bcd & 15);
  };
  const now = secondsFromCivil({
    year: read(0x32) * 100 + read(0x09),
    month: read(0x08),
    day: read(0x07),
    hour: read(0x04),
    minute: read(0x02),
    second: read(0x00),
  });
  const c = civilFromSeconds(now - Math.floor(clock.now() / clock.frequency));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${c.year}-${two(c.month)}-${two(c.day)}T${two(c.hour)}:${two(c.minute)}:${two(c.second)}`;
}

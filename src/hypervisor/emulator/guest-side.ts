// What the emulator's processor sees instead of a machine: the domain's memory through its p2m, the domain's devices at
// memory addresses and at ports. Nothing else can be reached from here, whatever a guest's registers and tables say.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { Allows } from '../../machine/cpu/guest-physical.ts';
import { Access, type SecondDimension } from '../../machine/cpu/nested-walk.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { PortBus } from '../../machine/devices/device.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import type { GuestMemory } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';

/** Guest-physical addresses of devices lie here on the emulator's bus, beyond all memory; those above it are as they are. */
const DEVICES = 0x40000000;
const HIGH = 0x80000000;
/** Where nobody is. */
const NOWHERE = 0x7ffff000;

/** Guest-physical to machine addresses by the p2m. */
export class DomainDimension implements SecondDimension {
  readonly allows = Allows.read | Allows.write | Allows.fetch;
  constructor(
    private readonly memory: GuestMemory,
    private readonly devices: MemoryMap,
  ) {}

  translate(_: Cpu, physical: number, access: number): number {
    const machine = this.find(physical);
    if (access & Access.write && machine < DEVICES) this.memory.onDeviceWrite?.(physical >>> 12);
    return machine;
  }

  peek(_: Cpu, physical: number): number {
    return this.find(physical);
  }

  private find(physical: number): number {
    if (physical >= 2 ** 32) return NOWHERE;
    const machine = this.devices.answers(physical) ? -1 : this.memory.toMachine(physical);
    if (machine >= 0) return machine;
    if (physical >= HIGH) return physical;
    return physical < DEVICES ? physical + DEVICES : NOWHERE | (physical & 0xfff);
  }
}

/** Who wants to know that a device at a memory address was accessed. */
export interface DeviceListener {
  deviceAccess: boolean;
}

/** The machine's memory with the domain's devices beside it, instead of the host's. */
export function memoryOf(
  hypervisor: Hypervisor,
  vcpu: Vcpu,
  devices: MemoryMap,
  listener: DeviceListener,
): PhysicalMemory {
  const host = hypervisor.pc.memory;
  const back = (address: number): number => (address < HIGH ? address - DEVICES : address);
  const seen = (write: boolean, address: number, value: number, size: number): void => {
    listener.deviceAccess = true;
    hypervisor.charge.emulateDevice();
    hypervisor.record(
      vcpu,
      Kind.emulate,
      write ? Emulated.mmioWrite : Emulated.mmioRead,
      back(address) | 0,
      value,
      size,
    );
  };
  const map = {
    // No device lies over the host's memory here: all of it is plain.
    mapped: new Uint8Array(host.size >>> 12),
    onChange: (changed: () => void) => devices.onChange(changed),
    read(address: number, size: 1 | 2 | 4): number {
      const value = devices.read(back(address), size);
      seen(false, address, value, size);
      return value;
    },
    write(address: number, value: number, size: 1 | 2 | 4): void {
      seen(true, address, value, size);
      devices.write(back(address), value, size);
    },
  };
  return Object.create(host, { map: { value: map }, takeShared: { value: () => -1 } }) as PhysicalMemory;
}

/** Ports of the domain's board. */
export function portsOf(hypervisor: Hypervisor, vcpu: Vcpu, board: Board): PortBus {
  return {
    read(port, size) {
      const value = board.read(port, size);
      hypervisor.record(vcpu, Kind.emulate, Emulated.ioIn, port, value, size);
      hypervisor.charge.emulateDevice();
      return value;
    },
    write(port, value, size) {
      board.write(port, value, size);
      hypervisor.record(vcpu, Kind.emulate, Emulated.ioOut, port, value, size);
      hypervisor.charge.emulateDevice();
    },
  };
}

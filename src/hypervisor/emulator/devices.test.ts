// What the emulator's processor remembers of where addresses lead, when a device takes a page from the memory and gives it back:
// a VGA does with A0000h whenever a mode with planes is set, in the middle of what is interpreted.
import { expect, it } from 'vitest';
import { CS, EAX } from '../../machine/isa/instruction.ts';
import { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { boot } from '../testing/alone.ts';
import { hypervisorOf } from '../testing/arena.ts';
import { Emulator } from './emulator.ts';

const CODE = 0x7000;
const PAGE = 0x5000;
const IN_MEMORY = 0x11;
const IN_DEVICE = 0x77;
/** MOV AL, [5000h] */
const READ = [0xa0, PAGE & 0xff, PAGE >>> 8];
/** MOV [5000h], AL */
const WRITE = [0xa2, PAGE & 0xff, PAGE >>> 8];

it('goes to the device as soon as a page is the device’s, and to memory as soon as it is not', () => {
  const session = boot('exercisers/holes/push.asm', 'binary-translation');
  const hypervisor = hypervisorOf(session);
  const domain = hypervisor.domains.get(0)!;
  const put = (physical: number, bytes: readonly number[]) =>
    bytes.forEach((byte, n) => {
      hypervisor.pc.memory.write8(domain.memory.toMachine(physical + n), byte);
    });
  put(PAGE, [IN_MEMORY]);
  put(CODE, [...READ, ...READ, ...WRITE, ...READ]);

  const written: number[] = [];
  const device = {
    readMemory: () => IN_DEVICE,
    writeMemory: (_: number, value: number) => void written.push(value),
  };
  const devices = new MemoryMap(domain.memory.size);
  const emulator = new Emulator(hypervisor, domain.vcpus[0], domain.board!, devices);
  const { cpu } = emulator;
  Object.assign(cpu.segments[CS], { selector: 0, base: 0 });
  cpu.eip = CODE;
  emulator.begin();
  const al = () => {
    emulator.step();
    return cpu.regs[EAX] & 0xff;
  };

  expect(al()).toBe(IN_MEMORY);
  devices.add(PAGE, 0x1000, device);
  expect(al()).toBe(IN_DEVICE);
  expect(emulator.deviceAccess).toBe(true);
  emulator.step();
  expect(written).toEqual([IN_DEVICE]);
  devices.remove(PAGE, device);
  expect(al()).toBe(IN_MEMORY);
  expect(emulator.shutdown).toBe(false);
});

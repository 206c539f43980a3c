// Devices at memory addresses: over memory, beyond it, moved, hidden, and seen by a program through the processor.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { MemoryMapped } from './memory-mapped.ts';
import { PhysicalMemory } from './physical-memory.ts';

/** 32-bit code. */
function code(source: string): Uint8Array {
  const text = `bits 32\norg 0x1000\n${source}`;
  const { bytes, diagnostics } = assemble((name) => (name === 'a.asm' ? text : undefined), 'a.asm');
  expect(diagnostics).toEqual([]);
  return bytes;
}

/** Says where it was asked, and remembers what it was told. */
class Probe implements MemoryMapped {
  readonly log: string[] = [];
  constructor(private readonly answer: number) {}
  readMemory(address: number, size: 1 | 2 | 4): number {
    this.log.push(`read ${address.toString(16)} ${size}`);
    return this.answer;
  }
  writeMemory(address: number, value: number, size: 1 | 2 | 4): void {
    this.log.push(`write ${address.toString(16)} ${value.toString(16)} ${size}`);
  }
}

describe('the map', () => {
  it('lets a device answer over memory, which is untouched below', () => {
    const memory = new PhysicalMemory(0x10000);
    const probe = new Probe(0x77);
    memory.map.add(0x4000, 0x1000, probe);
    memory.busWrite16(0x4010, 0x1234);
    expect([memory.busRead8(0x4010), memory.read8(0x4010)]).toEqual([0x77, 0]);
    expect(probe.log).toEqual(['write 4010 1234 2', 'read 4010 1']);
    memory.map.setMapped(0x4000, 0x1000, false);
    expect(memory.busRead8(0x4010)).toBe(0);
    memory.map.remove(0x4000, probe);
    expect(memory.isPlain(0x4000)).toBe(true);
  });

  it('reads ones where nobody is, and forgets what was written there', () => {
    const memory = new PhysicalMemory(0x10000);
    memory.busWrite32(0xfee00000, 1);
    expect([memory.busRead8(0x10000), memory.busRead16(0xfee00000), memory.busRead32(0xfffffffc)]).toEqual([
      0xff, 0xffff, -1,
    ]);
  });

  it('gives an address that two claim to who came first, whoever was asked last', () => {
    const { map } = new PhysicalMemory(0x10000);
    const [first, second] = [new Probe(1), new Probe(2)];
    map.add(0xfee00000, 0x1000, first);
    map.add(0xfe000000, 0x1000000, second);
    expect([map.read(0xfe000000, 1), map.read(0xfee00000, 1), map.read(0xfe000000, 1)]).toEqual([2, 1, 2]);
    map.remove(0xfee00000, first);
    expect(map.read(0xfee00000, 1)).toBe(2);
  });
});

describe('a program', () => {
  it('meets the device with every kind of access, and memory again when the device lets go', () => {
    const m = new TestMachine(0x100000);
    const probe = new Probe(0x11223344);
    m.memory.map.add(0x80000, 0x1000, probe);
    m.flat(
      code(`
      mov eax, [0x80004]
      mov [0x80008], al
      add word [0x8000c], 1
      mov edi, 0x80010
      mov ecx, 2
      rep stosd
      xchg al, [0x80020]
      mov byte [0x80fff], 5
      mov dword [0x80ffe], 0x04030201
      hlt`),
    ).run();
    expect(probe.log).toEqual([
      'read 80004 4',
      'write 80008 44 1',
      'read 8000c 2',
      'write 8000c 3345 2',
      'write 80010 11223344 4',
      'write 80014 11223344 4',
      'read 80020 1',
      'write 80020 44 1',
      'write 80fff 5 1',
      'write 80ffe 1 1',
      'write 80fff 2 1',
    ]);
    expect(m.memory.read16(0x81000)).toBe(0x0403);
  });

  it('notices at once when a page changes between device and memory', () => {
    const m = new TestMachine(0x100000);
    const probe = new Probe(0);
    m.memory.map.add(0x80000, 0x1000, probe);
    m.flat(code('again:\n mov byte [0x80000], 9\n hlt\n jmp again'));
    for (const mapped of [true, false, false, true, false, true]) {
      m.memory.map.setMapped(0x80000, 0x1000, mapped);
      m.memory.write8(0x80000, 0);
      probe.log.length = 0;
      m.cpu.halted = false;
      m.run();
      expect([m.memory.read8(0x80000), probe.log.length]).toEqual(mapped ? [0, 1] : [9, 0]);
    }
  });
});

// What lies in machine memory for the processor to find when it leaves a guest: the hypervisor's tables, as the silicon
// reads them (SDM vol. 3 ch. 3–6), at the addresses of Xen for i386 without PAE (xen/include/asm-x86/config.h).
import { describe, expect, it } from 'vitest';
import { costModel } from '../cost/processors.ts';
import { peek } from '../machine/cpu/paging.ts';
import { Pc } from '../machine/pc.ts';
import { Recorder } from '../trace/recorder.ts';
import { OWNER_HYPERVISOR } from './frames.ts';
import { Hypervisor } from './hypervisor.ts';
import {
  descriptor,
  ENTRY_STRIDE,
  HYPERVISOR_START,
  M2P_START,
  MONITOR_START,
  PER_DOMAIN_START,
  SELECTOR,
  VM_EXIT_ENTRY,
} from './monitor.ts';

const host = (memoryMiB = 8) =>
  new Hypervisor(
    new Pc(costModel('prescott'), new Recorder(), memoryMiB << 20, { startDate: '2005-12-05T10:00:00' }),
  );

describe('segment descriptors', () => {
  it('scatter base, limit and rights as figure 3-8 of the SDM does', () => {
    expect(descriptor(0x12345678, 0xabcde, 0x93, 4)).toEqual([0x5678bcde, 0x124a9334]);
    expect(descriptor(0, 0xffffffff, 0x9b, 4), 'a limit of more than 1 MiB counts pages').toEqual([
      0xffff, 0x00cf9b00,
    ]);
  });

  it('those of a guest end below the monitor, and none of them is ring 0’s', () => {
    const { monitor, pc } = host();
    const at = (selector: number) => {
      const machine = monitor.gdtPage + (selector & ~7) - SELECTOR.firstReserved;
      return [pc.memory.read32(machine) >>> 0, pc.memory.read32(machine + 4) >>> 0];
    };
    for (const [selector, ring] of [
      [SELECTOR.ring1Code, 1],
      [SELECTOR.ring1Data, 1],
      [SELECTOR.ring3Code, 3],
      [SELECTOR.ring3Data, 3],
    ]) {
      const [low, high] = at(selector);
      expect((high >>> 13) & 3, `DPL of ${selector.toString(16)}`).toBe(ring);
      expect(selector & 3).toBe(ring);
      expect(((low & 0xffff) | (high & 0xf0000)) * 4096 + 0xfff).toBe(MONITOR_START - 1);
    }
    for (const selector of [SELECTOR.hypervisorCode, SELECTOR.hypervisorData, SELECTOR.tss])
      expect((at(selector)[1] >>> 13) & 3).toBe(0);
  });
});

describe('the interrupt descriptor table', () => {
  it('leads from every vector to an entry point of its own, at ring 0, with interrupts off', () => {
    const { monitor, pc } = host();
    for (let vector = 0; vector < 256; vector++) {
      const low = pc.memory.read32(monitor.idt + vector * 8) >>> 0;
      const high = pc.memory.read32(monitor.idt + vector * 8 + 4) >>> 0;
      expect(((high & 0xffff0000) | (low & 0xffff)) >>> 0).toBe(MONITOR_START + vector * ENTRY_STRIDE);
      expect(low >>> 16).toBe(SELECTOR.hypervisorCode);
      expect((high >>> 8) & 0x1f, 'a 32-bit interrupt gate').toBe(0x0e);
      // INT 82h from ring 1 only, INT3 and INTO from anywhere; a guest's INT of any other vector is #GP.
      expect((high >>> 13) & 3).toBe(vector === 0x82 ? 1 : vector === 3 || vector === 4 ? 3 : 0);
    }
  });
});

describe('the hypervisor’s linear space', () => {
  it('is the same 64 MiB in every address space, and closed to all but rings 0 to 2', () => {
    const { monitor, pc } = host();
    expect(HYPERVISOR_START).toBe(0x100000000 - (64 << 20));
    for (let n = 0; n < 1008; n++) expect(pc.memory.read32(monitor.pageDirectory + n * 4)).toBe(0);
    for (let n = 0; n < 16; n++) {
      const pde = pc.memory.read32(monitor.pageDirectory + (1008 + n) * 4);
      expect(monitor.sharedEntries[n]).toBe(pde);
      if (!(pde & 1)) continue;
      expect(pde & 4, 'supervisor').toBe(0);
      for (let k = 0; k < 1024; k++) {
        const pte = pc.memory.read32((pde & ~0xfff) + k * 4);
        if (pte & 1) expect(pte & 4).toBe(0);
      }
    }
  });

  it('maps the machine-to-physical table read-only: guests look things up in it, and ask to change it', () => {
    const { monitor, cpu, pc } = host();
    monitor.setMachineToPhysical(0x123, 0x45);
    expect(peek(cpu, M2P_START + 0x123 * 4)).toBe(monitor.m2p + 0x123 * 4);
    expect(pc.memory.read32(monitor.m2p + 0x123 * 4)).toBe(0x45);
    const table = monitor.sharedEntries[(M2P_START >>> 22) - 1008] & ~0xfff;
    expect(pc.memory.read32(table + ((M2P_START >>> 12) & 1023) * 4) & 2).toBe(0);
  });

  it('has an entry of the table for each frame of the host, whatever its size', () => {
    for (const memoryMiB of [4, 5, 64]) {
      const { monitor, cpu, frames } = host(memoryMiB);
      expect(peek(cpu, M2P_START + (frames.count - 1) * 4)).toBe(monitor.m2p + (frames.count - 1) * 4);
    }
  });

  it('lies in frames that belong to it and to nobody else', () => {
    const { monitor, frames } = host();
    for (const at of [
      monitor.idt,
      monitor.gdtPage,
      monitor.tss,
      monitor.stack,
      monitor.m2p,
      monitor.pageDirectory,
    ])
      expect(frames.owner[at >>> 12]).toBe(OWNER_HYPERVISOR);
  });
});

describe('the processor after boot', () => {
  it('runs in the monitor at ring 0: protected, paged, with write protection', () => {
    const { monitor, cpu } = host();
    expect(cpu.cr0 >>> 0).toBe(0x80010033);
    expect(cpu.cr3 >>> 0).toBe(monitor.pageDirectory);
    expect(cpu.cpl).toBe(0);
    expect([cpu.segments[1].selector, cpu.segments[2].selector]).toEqual([0xe008, 0xe010]);
    expect(cpu.gdtr.base >>> 0).toBe(PER_DOMAIN_START);
    expect(peek(cpu, PER_DOMAIN_START + SELECTOR.tss)).toBe(monitor.gdtPage + SELECTOR.tss - 0xe000);
    expect(peek(cpu, cpu.idtr.base)).toBe(monitor.idt);
  });

  it('finds HLT at every entry point: what arrives there is the hypervisor’s, and never runs on', () => {
    const { cpu, pc } = host();
    for (const at of [MONITOR_START, MONITOR_START + 255 * ENTRY_STRIDE, VM_EXIT_ENTRY])
      expect(pc.memory.read8(peek(cpu, at))).toBe(0xf4);
    expect(cpu.monitorBase).toBe(MONITOR_START);
    expect(cpu.monitorBase + cpu.monitorSize).toBeGreaterThan(VM_EXIT_ENTRY);
  });

  it('finds the ring-0 stack in the TSS, and in its I/O bitmap no port that is open', () => {
    const { monitor, pc, cpu } = host();
    expect(pc.memory.read32(monitor.tss + 4) >>> 0).toBe(monitor.linear.stackTop);
    expect(pc.memory.read16(monitor.tss + 8)).toBe(SELECTOR.hypervisorData);
    expect(pc.memory.read16(monitor.tss + 0x66), 'bitmap offset').toBeGreaterThan(cpu.segments[7].limit);
    expect(peek(cpu, monitor.linear.stackTop - 4)).toBe(monitor.stack + 0x2000 - 4);
  });
});

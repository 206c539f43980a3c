// A bzImage made by hand, started by the 32-bit boot protocol (Linux Documentation/arch/x86/boot.rst, zero-page.rst).
import { describe, expect, it } from 'vitest';
import { applyEntryState, placeImage } from './boot.ts';
import { bzImage } from './fixtures.ts';
import { ImageError } from './image.ts';
import { parseImage } from './load.ts';

const MIB = 2 ** 20;
const machine = (size = 32 * MIB) => {
  const bytes = new Uint8Array(size);
  return { size, bytes, load: (address: number, data: Uint8Array) => bytes.set(data, address) };
};
const refusal = (bytes: Uint8Array, options = {}): string => {
  try {
    const image = parseImage(bytes, 'bzImage');
    placeImage(image, { commandLine: '', modules: [], ...options }, machine());
  } catch (error) {
    expect(error).toBeInstanceOf(ImageError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};

describe('Linux bzImage', () => {
  const initrd = { name: 'initrd', data: new Uint8Array(5000).fill(0x77) };
  const kernel = bzImage({ code: Uint8Array.of(0xfc, 0xfa, 0xf4) });

  it('is recognized by HdrS, whatever boot sector stands before it', () => {
    const image = parseImage(kernel, 'vmlinuz');
    expect(image).toMatchObject({ kind: 'linux', entry: 0x100000, bits: 32 });
    expect(image.description).toContain('6.1.0-test');
    expect(image.segments[0].data).toEqual(Uint8Array.of(0xfc, 0xfa, 0xf4));
  });

  it('enters at 1 MiB with ESI at boot_params, CS 10h and data 18h from a descriptor table in memory', () => {
    const target = machine();
    const state = placeImage(parseImage(kernel), { commandLine: 'quiet', modules: [] }, target);
    expect(state).toMatchObject({
      bits: 32,
      eip: 0x100000,
      eax: 0,
      ebx: 0,
      codeSelector: 0x10,
      dataSelector: 0x18,
    });
    const memory = new DataView(target.bytes.buffer);
    // Flat: limit FFFFFh in pages, base 0, 32 bits; 9Bh code, 93h data.
    expect(memory.getBigUint64(state.gdt.base + 0x10, true)).toBe(0x00cf9b000000ffffn);
    expect(memory.getBigUint64(state.gdt.base + 0x18, true)).toBe(0x00cf93000000ffffn);
    const cpu = {
      regs: new Int32Array(8),
      eip: 0,
      instructionStart: 0,
      flags: 0,
      lazyMask: 0,
      cpl: 3,
      cr0: 0,
      segments: Array.from({ length: 8 }, () => ({ selector: 9, base: 9, limit: 9, access: 9 })),
      gdtr: { base: 0, limit: 0 },
      idtr: { base: 0, limit: 0 },
    };
    applyEntryState(cpu, state);
    expect(cpu.regs[6]).toBe(state.esi);
    expect(cpu.flags & 0x200).toBe(0);
    expect(cpu.segments.slice(0, 6).map((s) => s.selector)).toEqual([0x18, 0x10, 0x18, 0x18, 0x18, 0x18]);
    expect(cpu.gdtr).toEqual(state.gdt);
  });

  it('fills boot_params: header, command line, screen, memory map', () => {
    const target = machine();
    const { esi } = placeImage(parseImage(kernel), { commandLine: 'console=ttyS0', modules: [] }, target);
    const memory = new DataView(target.bytes.buffer);
    const at = (offset: number) => memory.getUint32(esi + offset, true);
    expect(at(0x202)).toBe(0x53726448); // HdrS
    expect(target.bytes[esi + 0x210]).toBe(0xff); // type_of_loader: none of the registered ones
    expect(target.bytes[esi + 0x1ef]).toBe(0); // sentinel: what the loader does not know is zero
    const line = target.bytes.subarray(at(0x228), at(0x228) + 14);
    expect(String.fromCharCode(...line)).toBe('console=ttyS0\0');
    // screen_info: mode 3, 80 columns, 25 lines, a VGA
    expect([0x06, 0x07, 0x0e, 0x0f].map((o) => target.bytes[esi + o])).toEqual([3, 80, 25, 1]);
    const entries = target.bytes[esi + 0x1e8];
    const last = 0x2d0 + (entries - 1) * 20;
    expect([at(last), at(last + 8), at(last + 16)]).toEqual([MIB, 31 * MIB, 1]);
    expect(at(0x1e0)).toBe(31 * 1024); // alt_mem_k
  });

  it('puts the initrd on a page boundary, as high as memory and the kernel allow', () => {
    const place = (fields: Parameters<typeof bzImage>[0]) => {
      const target = machine();
      const image = parseImage(bzImage(fields));
      const { esi } = placeImage(image, { commandLine: '', modules: [initrd] }, target);
      const memory = new DataView(target.bytes.buffer);
      const at = memory.getUint32(esi + 0x218, true);
      expect(memory.getUint32(esi + 0x21c, true)).toBe(5000);
      expect(target.bytes.subarray(at, at + 5000)).toEqual(initrd.data);
      return at;
    };
    expect(place({})).toBe(32 * MIB - 0x2000);
    expect(place({ initrdMax: 0xffffff })).toBe(16 * MIB - 0x2000);
  });

  it('asks for the memory that the kernel unpacks itself into', () => {
    const large = bzImage({ preferred: 16 * MIB, initSize: 20 * MIB });
    expect(refusal(large)).toMatch(/needs at least 36 MiB of memory.*only 32 MiB/);
    const full = bzImage({ preferred: 16 * MIB, initSize: 16 * MIB });
    expect(refusal(full, { modules: [initrd] })).toMatch(/beside its initrd/);
  });

  it.each([
    ['a zImage', bzImage({ loadFlags: 0 }), /old Linux kernel \(zImage\)/],
    ['protocol 2.01', bzImage({ protocol: 0x201 }), /boot protocol is 2.01/],
    ['a 64-bit kernel', bzImage({ xloadFlags: 1 }), /64-bit Linux kernel/],
    ['no 32-bit entry', bzImage({ start: 0 }), /without a 32-bit entry: firmware must boot it/],
    ['a truncated file', bzImage({}).slice(0, 0x400), /truncated/],
  ])('refuses %s in one line', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });

  it('refuses a command line that the kernel would cut, and a second module', () => {
    expect(refusal(kernel, { commandLine: 'x'.repeat(3000) })).toMatch(/3000 characters.*takes 2047/);
    expect(refusal(kernel, { modules: [initrd, initrd] })).toMatch(/one initrd/);
  });
});

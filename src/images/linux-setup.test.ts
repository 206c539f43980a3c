// Where a kernel that is entered in real mode is put, and what its header is told (Linux Documentation/arch/x86/boot.rst).
import { describe, expect, it } from 'vitest';
import { bzImage } from './fixtures.ts';
import { needsFirmware } from './image.ts';
import { loadLinuxSetup } from './linux-setup.ts';
import { parseImage } from './load.ts';

const MIB = 2 ** 20;

describe('a kernel without a 32-bit entry', () => {
  const image = parseImage(bzImage({ start: 0, code: Uint8Array.of(1, 2, 3) }), 'ipxe.lkrn');

  it('is for firmware; others are not', () => {
    expect([image.kind, image.bits, needsFirmware(image)]).toEqual(['linux', 16, true]);
    expect(needsFirmware(parseImage(bzImage({})))).toBe(false);
  });

  it('lies at 10000h with its other part at 1 MiB, command line at 20000h, initrd high', () => {
    const bytes = new Uint8Array(16 * MIB);
    const target = { size: bytes.length, load: (at: number, data: Uint8Array) => bytes.set(data, at) };
    const initrd = { name: 'initrd', data: new Uint8Array(5000).fill(0x77) };
    loadLinuxSetup(target, image, { commandLine: 'dhcp', modules: [initrd] });
    const view = new DataView(bytes.buffer, 0x10000, 0x1000);
    expect(String.fromCharCode(...bytes.subarray(0x10202, 0x10206))).toBe('HdrS');
    expect([...bytes.subarray(0x100000, 0x100003)]).toEqual([1, 2, 3]);
    expect(String.fromCharCode(...bytes.subarray(0x20000, 0x20005))).toBe('dhcp\0');
    expect(view.getUint32(0x228, true)).toBe(0x20000);
    expect([view.getUint8(0x210), view.getUint8(0x211), view.getUint16(0x224, true)]).toEqual([
      0xff, 0x81, 0xde00,
    ]);
    const at = view.getUint32(0x218, true);
    expect([at % 4096, view.getUint32(0x21c, true)]).toEqual([0, 5000]);
    expect(bytes.subarray(at, at + 5000)).toEqual(initrd.data);
  });

  it('says what does not fit', () => {
    const target = { size: 2 * MIB, load: () => {} };
    const initrd = { name: 'initrd', data: new Uint8Array(2 * MIB) };
    expect(() => loadLinuxSetup(target, image, { modules: [initrd] })).toThrow(/ipxe.lkrn: its initrd/);
    expect(() => loadLinuxSetup(target, parseImage(bzImage({})))).toThrow(/no setup code to run/);
  });
});

import { describe, expect, it } from 'vitest';
import { applyEntryState, placeImage } from './boot.ts';
import { flatKernel } from './fixtures.ts';
import { ImageError } from './image.ts';
import { parseImage } from './load.ts';
import { loadMultiboot, pcMemoryMap } from './multiboot.ts';

const SIZE = 4 << 20;
function boot(modules: { name: string; data: Uint8Array }[] = [], size = SIZE) {
  const bytes = new Uint8Array(size).fill(0xcc);
  const target = { size, load: (at: number, data: Uint8Array) => bytes.set(data, at) };
  const image = parseImage(flatKernel(64), 'kernel');
  const entry = loadMultiboot(target, image.kind === 'multiboot' ? image : (undefined as never), {
    commandLine: 'root=/dev/ram',
    modules,
  });
  const view = new DataView(bytes.buffer);
  const word = (at: number) => view.getUint32(at, true);
  const text = (at: number) => String.fromCharCode(...bytes.subarray(at, bytes.indexOf(0, at)));
  return { bytes, entry, word, text, info: (n: number) => word(entry.ebx + n) };
}

describe('multiboot information', () => {
  it('gives magic, entry, memory, command line and loader name', () => {
    const m = boot();
    expect(m.entry).toMatchObject({ eip: 0x100020, eax: 0x2badb002 });
    expect(m.info(0)).toBe(0x245);
    expect([m.info(4), m.info(8)]).toEqual([639, 3072]);
    expect(m.text(m.info(16))).toBe('kernel root=/dev/ram');
    expect(m.text(m.info(64))).toBe('Ringside');
    expect(m.entry.ebx + 88).toBeLessThan(0x9fc00);
  });

  it('gives a memory map that an unmodified kernel can walk by the size fields', () => {
    const m = boot();
    const found = [];
    for (let at = m.info(48); at < m.info(48) + m.info(44); at += m.word(at) + 4)
      found.push({ address: m.word(at + 4), length: m.word(at + 12), type: m.word(at + 20) });
    expect(found).toEqual(pcMemoryMap(SIZE));
  });

  it('places modules on page boundaries behind the kernel', () => {
    const m = boot([
      { name: 'init', data: Uint8Array.of(1, 2, 3) },
      { name: 'data', data: new Uint8Array(5000).fill(7) },
    ]);
    expect([m.info(0) & 8, m.info(20)]).toEqual([8, 2]);
    const at = m.info(24);
    expect([m.word(at), m.word(at + 4), m.text(m.word(at + 8))]).toEqual([0x102000, 0x102003, 'init']);
    expect([m.word(at + 16), m.word(at + 20), m.text(m.word(at + 24))]).toEqual([
      0x103000,
      0x103000 + 5000,
      'data',
    ]);
    expect([...m.bytes.subarray(0x102000, 0x102003)]).toEqual([1, 2, 3]);
  });

  it('zeroes the BSS', () => {
    const m = boot();
    expect(m.bytes.subarray(0x100040, 0x101040).every((b) => b === 0)).toBe(true);
  });

  it('refuses what does not fit', () => {
    expect(() => boot([], 1 << 20)).toThrow(ImageError);
    expect(() => boot([{ name: 'big', data: new Uint8Array(SIZE) }])).toThrow(/module big does not fit/);
  });
});

describe('the processor at the entry', () => {
  const cpu = () => ({
    regs: new Int32Array(8).fill(5),
    eip: 0,
    instructionStart: 0,
    flags: 0,
    lazyMask: 1,
    cpl: 3,
    cr0: 0,
    segments: Array.from({ length: 8 }, () => ({ selector: 9, base: 9, limit: 9, access: 9 })),
    gdtr: { base: 1, limit: 1 },
    idtr: { base: 1, limit: 1 },
  });
  const target = { size: SIZE, load: () => {} };
  const options = { commandLine: '', modules: [] };

  it('multiboot: flat protected mode', () => {
    const c = cpu();
    applyEntryState(c, placeImage(parseImage(flatKernel()), options, target));
    expect([c.regs[0], c.eip, c.cr0 & 1, c.cpl]).toEqual([0x2badb002, 0x100020, 1, 0]);
    expect(c.segments.slice(0, 6).map((s) => s.limit)).toEqual(new Array(6).fill(0xffffffff));
    expect(c.segments[1].access).toBe(0xc09b);
  });

  it('a boot sector is firmware’s matter', () => {
    const sector = new Uint8Array(512);
    sector.set([0x55, 0xaa], 510);
    expect(() => placeImage(parseImage(sector, 'x.img'), options, target)).toThrow(
      'x.img is a boot sector: firmware must boot it',
    );
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ascii, concat, elf, flatKernel, words, xenNote } from './fixtures.ts';
import { ImageError } from './image.ts';
import { identify, parseImage } from './load.ts';

const code = new Uint8Array(32).fill(0xf4);
const refusal = (bytes: Uint8Array): string => {
  try {
    parseImage(bytes, 'x.img');
  } catch (error) {
    expect(error).toBeInstanceOf(ImageError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};

describe('multiboot', () => {
  it('flat file with address fields', () => {
    const image = parseImage(flatKernel(64));
    expect(image).toMatchObject({
      kind: 'multiboot',
      entry: 0x100020,
      bits: 32,
      multiboot: { flags: 0x10003, alignModules: true, wantsMemory: true, wantsVideo: false },
    });
    expect(image.segments.map((s) => [s.address, s.data.length, s.memorySize])).toEqual([
      [0x100000, 64, 64 + 4096],
    ]);
  });
  it('header inside an ELF file: its program headers count, its entry is made physical', () => {
    const data = concat(words(0x1badb002, 3, -(0x1badb002 + 3)), code);
    const image = parseImage(
      elf([{ virtual: 0xc0100000, physical: 0x100000, data, memorySize: 8192 }], 0xc010000c),
    );
    expect(image).toMatchObject({ kind: 'multiboot', entry: 0x10000c });
    expect(image.segments[0]).toMatchObject({
      address: 0x100000,
      virtualAddress: 0xc0100000,
      memorySize: 8192,
    });
  });
  it.each([
    ['unknown required feature', { flags: 0x10013 }, /requires features 10h/],
    ['load above header', { load: 0x100004 }, /load_addr is above/],
    ['load before the file', { load: 0xff000 }, /before the beginning/],
    ['more than the file has', { loadEnd: 0x200000 }, /beyond the end of the file/],
    ['end below start', { loadEnd: 0x1 }, /load_end_addr/],
    ['bss below end', { bssEnd: 0x100001 }, /bss_end_addr/],
    ['absurd bss', { bssEnd: 0xfffffff0 }, /more memory than any machine/],
    ['entry elsewhere', { entry: 0x5000 }, /entry point 5000h lies outside/],
    ['neither ELF nor addresses', { flags: 3 }, /neither ELF nor gives load addresses/],
  ])('refuses: %s', (_, fields, message) => {
    expect(refusal(flatKernel(64, fields))).toMatch(message);
  });
});

describe('ELF', () => {
  it('plain 32-bit executable', () => {
    const image = parseImage(elf([{ data: code, memorySize: 100 }], 0x100004));
    expect(image).toMatchObject({ kind: 'elf32', entry: 0x100004, symbols: [] });
  });
  const set16 = (at: number, v: number) => (b: Uint8Array) => b.set([v & 255, v >> 8], at);
  it.each([
    [
      '64-bit',
      elf([{ data: code }], 0x100000, (b) => {
        b[4] = 2;
        b[18] = 62;
      }),
      /64-bit ELF file \(x86-64\).*-m32/,
    ],
    ['another machine', elf([{ data: code }], 0x100000, set16(18, 40)), /for ARM/],
    ['object file', elf([{ data: code }], 0x100000, set16(16, 1)), /not linked/],
    ['position-independent', elf([{ data: code }], 0x100000, set16(16, 3)), /-no-pie/],
    ['nothing to load', elf([{ type: 4, data: code }]), /nothing|without anything to load/],
    [
      'file larger than memory',
      elf([{ data: code, memorySize: 4 }]),
      /more bytes in the file than in memory/,
    ],
    ['truncated segment', elf([{ data: code, fileSize: 999, memorySize: 999 }]), /truncated/],
    ['overflowing offset', elf([{ data: code, offset: 0xfffffff0 }]), /truncated/],
    ['over the top', elf([{ virtual: 0xfffffff0, data: code }]), /over the end of the address space/],
    ['huge', elf([{ data: code, memorySize: 0x7fffffff }]), /more than any machine/],
    ['overlap', elf([{ data: code }, { virtual: 0x100010, data: code }]), /overlap/],
    ['many headers', elf([{ data: code }], 0x100000, set16(44, 60000)), /60000 program headers/],
    [
      'headers beyond the end',
      elf([{ data: code }], 0x100000, (b) => {
        b[30] = 1;
      }),
      /program headers/,
    ],
    ['entry nowhere', elf([{ data: code }], 0x300000), /entry point 300000h/],
    ['too short', ascii('\x7fELF\x01\x01'), /ends inside its header/],
  ])('refuses: %s', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });
});

describe('Xen', () => {
  const notes = concat(
    xenNote(5, ascii('xen-3.0\0')),
    xenNote(6, ascii('penguin\0')),
    xenNote(8, ascii('generic\0')),
    xenNote(9, ascii('no\0')),
    xenNote(3, words(0xc0000000)),
    xenNote(1, words(0xc0100000, 0)),
    xenNote(2, words(0xc0101000)),
    xenNote(10, ascii('writable_page_tables|!auto_translated_physmap\0')),
  );
  it('reads ELF notes', () => {
    const image = parseImage(
      elf(
        [
          { virtual: 0xc0100000, physical: 0x100000, data: code },
          { type: 4, virtual: 0, data: notes },
        ],
        0xc0100000,
      ),
    );
    expect(image).toMatchObject({
      kind: 'xen',
      entry: 0xc0100000,
      xen: {
        source: 'notes',
        virtualBase: 0xc0000000,
        entry: 0xc0100000,
        hypercallPage: 0xc0101000,
        paddrOffset: 0,
        pae: false,
        guestOs: 'penguin',
        xenVersion: 'xen-3.0',
        loader: 'generic',
        features: ['writable_page_tables', '!auto_translated_physmap'],
      },
    });
    expect(image.segments[0]).toMatchObject({ address: 0x100000, virtualAddress: 0xc0100000 });
  });
  it('subtracts PADDR_OFFSET, and refuses one without VIRT_BASE', () => {
    const high = { virtual: 0xc0100000, physical: 0xc0100000, data: code };
    const withOffset = concat(notes, xenNote(4, words(0xc0000000)));
    expect(
      parseImage(elf([high, { type: 4, virtual: 0, data: withOffset }], 0xc0100000)).segments[0].address,
    ).toBe(0x100000);
    expect(refusal(elf([high, { type: 4, virtual: 0, data: xenNote(4, words(0)) }], 0xc0100000))).toMatch(
      /VIRT_BASE/,
    );
  });
  it('marks PAE kernels, and not bimodal ones', () => {
    const pae = (text: string) => {
      const image = parseImage(
        elf([{ data: code }, { type: 4, virtual: 0, data: xenNote(9, ascii(`${text}\0`)) }]),
      );
      return image.xen?.pae;
    };
    expect([pae('yes'), pae('no'), pae('yes,bimodal'), pae('bimodal')]).toEqual([true, false, false, false]);
  });
});

describe('boot sectors and everything else', () => {
  const sector = (size = 512) => {
    const b = new Uint8Array(size);
    b.set([0xeb, 0xfe]);
    b.set([0x55, 0xaa], 510);
    return b;
  };
  it('takes a sector or a floppy', () => {
    expect(parseImage(sector())).toMatchObject({ kind: 'disk', bits: 16, disk: { drive: 'floppy' } });
    expect(identify(sector(1440 * 1024))).toBe('disk');
  });
  const pe = new Uint8Array(256);
  pe.set(ascii('MZ'));
  pe[0x3c] = 0x80;
  pe.set(ascii('PE\0\0'), 0x80);
  it.each([
    ['PE', pe, /Windows program/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /gzip/],
    ['qcow2', ascii('QFI\xfb\0\0\0\x03'), /qcow2/],
    ['text', ascii('; a guest\nmov eax, 1\n'), /text.*\.asm/],
    ['empty', new Uint8Array(0), /an empty file/],
    ['unsigned sector', new Uint8Array(512), /no 55AAh signature/],
    ['noise', Uint8Array.of(1, 2, 3), /not an image that can boot/],
    ['too large', new Uint8Array((256 << 20) + 1), /more than an image may have/],
  ])('names what it refuses: %s', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });
});

const has = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe.skipIf(!has('gcc') || !has('nm'))(
  'against gcc and binutils (skipped when they are not installed)',
  () => {
    it('loads what the linker made, and finds the symbols that nm prints', () => {
      const dir = mkdtempSync(join(tmpdir(), 'ringside-image-'));
      const file = (name: string, text: string) => {
        writeFileSync(join(dir, name), text);
        return join(dir, name);
      };
      const source = file(
        'k.S',
        `.section .text
.align 4
.long 0x1BADB002, 3, -(0x1BADB002+3)
.globl _start
_start: hlt
.globl helper
helper: ret
.data
.globl counter
counter: .long 42
.bss
.space 5000
.section .note.Xen,"a",@note
.long 4,4,3; .asciz "Xen"; .long 0xC0000000
.section .note.GNU-stack,"",@progbits
`,
      );
      const script = file(
        'k.ld',
        'SECTIONS { . = 0xC0100000; .text : AT(0x100000) { *(.text) } .note : { *(.note.Xen) } .data : { *(.data) } .bss : { *(.bss) } }',
      );
      const out = join(dir, 'k.elf');
      execFileSync(
        'gcc',
        ['-m32', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none', '-T', script, '-o', out, source],
        { stdio: 'pipe' },
      );
      const image = parseImage(readFileSync(out), 'k.elf');
      expect(image.kind).toBe('multiboot');
      expect(image.xen?.virtualBase).toBe(0xc0000000);
      const nm = execFileSync('nm', [out], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map((l) => l.split(' '));
      for (const [address, , name] of nm)
        expect(image.symbols).toContainEqual(
          expect.objectContaining({ name, address: Number.parseInt(address, 16) }),
        );
      const counter = image.symbols.find((s) => s.name === 'counter')!.address;
      const segment = image.segments.find(
        (s) => counter >= s.virtualAddress && counter < s.virtualAddress + s.memorySize,
      )!;
      expect(segment.data[counter - segment.virtualAddress]).toBe(42);
      expect(segment.memorySize).toBeGreaterThan(segment.data.length);
    });
  },
);

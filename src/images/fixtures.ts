// Small images made by hand, byte by byte, for the tests of this room.

/** Little-endian words. */
export const words = (...values: number[]) => {
  const out = new Uint8Array(values.length * 4);
  const view = new DataView(out.buffer);
  values.forEach((v, i) => {
    view.setUint32(i * 4, v, true);
  });
  return out;
};
export const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((p) => [...p]));
export const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** A flat multiboot kernel of `size` bytes for 1 MiB with 4 KiB of BSS. */
export function flatKernel(
  size = 64,
  fields: Partial<Record<'flags' | 'header' | 'load' | 'loadEnd' | 'bssEnd' | 'entry', number>> = {},
): Uint8Array {
  const at = 0x100000;
  const f = {
    flags: 0x10003,
    header: at,
    load: at,
    loadEnd: at + size,
    bssEnd: at + size + 4096,
    entry: at + 32,
    ...fields,
  };
  const body = new Uint8Array(size).fill(0xf4);
  body.set(
    words(0x1badb002, f.flags, -(0x1badb002 + f.flags), f.header, f.load, f.loadEnd, f.bssEnd, f.entry),
  );
  return body;
}

interface ElfPart {
  type?: number;
  virtual?: number;
  physical?: number;
  data: Uint8Array;
  memorySize?: number;
  fileSize?: number;
  offset?: number;
}
/** An ELF32 executable for the i386 with these program headers. */
export function elf(
  parts: ElfPart[],
  entry = 0x100000,
  patch: (bytes: Uint8Array) => void = () => {},
): Uint8Array {
  const headers = 52 + 32 * parts.length;
  let at = headers;
  const programs: Uint8Array[] = [];
  for (const p of parts) {
    programs.push(
      words(
        p.type ?? 1,
        p.offset ?? at,
        p.virtual ?? 0x100000,
        p.physical ?? p.virtual ?? 0x100000,
        p.fileSize ?? p.data.length,
        p.memorySize ?? p.data.length,
        5,
        4,
      ),
    );
    at += p.data.length;
  }
  const header = new Uint8Array(52);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const view = new DataView(header.buffer);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, entry, true);
  view.setUint32(28, 52, true);
  view.setUint16(40, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, parts.length, true);
  const bytes = concat(header, ...programs, ...parts.map((p) => p.data));
  patch(bytes);
  return bytes;
}

/** One note named Xen. */
export const xenNote = (type: number, data: Uint8Array) =>
  concat(words(4, data.length, type), ascii('Xen\0'), data, new Uint8Array((4 - (data.length % 4)) % 4));

/** A bzImage with these header fields; three setup sectors. */
export function bzImage(
  f: Partial<
    Record<
      'protocol' | 'loadFlags' | 'xloadFlags' | 'start' | 'initrdMax' | 'preferred' | 'initSize',
      number
    > & { code: Uint8Array }
  >,
): Uint8Array {
  const code = f.code ?? Uint8Array.of(0xf4);
  const bytes = new Uint8Array(4 * 512 + code.length);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 3;
  view.setUint16(0x1fe, 0xaa55, true);
  bytes.set([0xeb, 0x6a], 0x200); // the header ends at 26Ch
  bytes.set(ascii('HdrS'), 0x202);
  view.setUint16(0x206, f.protocol ?? 0x20f, true);
  view.setUint16(0x20e, 0x400, true);
  bytes.set(ascii('6.1.0-test (somebody)'), 0x600);
  bytes[0x211] = f.loadFlags ?? 1;
  view.setUint32(0x214, f.start ?? 0x100000, true);
  view.setUint32(0x22c, f.initrdMax ?? 0x7fffffff, true);
  view.setUint32(0x230, 0x1000, true);
  bytes[0x234] = 1;
  bytes[0x236] = f.xloadFlags ?? 4;
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x258, f.preferred ?? 0x100000, true);
  view.setUint32(0x260, f.initSize ?? 0x10000, true);
  bytes.set(code, 4 * 512);
  return bytes;
}

/** A CD image with an El Torito default entry: `code` in sector 20, and what the entry says of it (0 = no emulation). */
export function bootableCd(f: { code?: Uint8Array; media?: number; segment?: number; sectors?: number }) {
  const code = f.code ?? Uint8Array.of(0xf4);
  const bytes = new Uint8Array((20 + Math.max(1, Math.ceil(code.length / 2048))) * 2048);
  bytes.set(concat(Uint8Array.of(1), ascii('CD001'), Uint8Array.of(1)), 16 * 2048);
  bytes.set(
    concat(Uint8Array.of(0), ascii('CD001'), Uint8Array.of(1), ascii('EL TORITO SPECIFICATION')),
    17 * 2048,
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(17 * 2048 + 0x47, 19, true);
  const catalog = 19 * 2048;
  bytes[catalog] = 1;
  view.setUint16(catalog + 0x1e, 0xaa55, true);
  bytes[catalog + 0x20] = 0x88;
  bytes[catalog + 0x21] = f.media ?? 0;
  view.setUint16(catalog + 0x22, f.segment ?? 0, true);
  view.setUint16(catalog + 0x26, f.sectors ?? Math.ceil(code.length / 512), true);
  view.setUint32(catalog + 0x28, 20, true);
  bytes.set(code, 20 * 2048);
  return bytes;
}

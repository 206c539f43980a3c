// The tables, read as an operating system reads them: found by their signatures, summed, walked.
import { describe, expect, it } from 'vitest';
import { firmwareTables } from './tables.ts';

function reader(processors: number, apic: boolean) {
  const address = 0xf8000;
  const block = firmwareTables({ processors, apic }, address);
  const view = new DataView(block.bytes.buffer);
  const u8 = (at: number) => view.getUint8(at - address);
  const u16 = (at: number) => view.getUint16(at - address, true);
  const u32 = (at: number) => view.getUint32(at - address, true);
  const text = (at: number, length: number) =>
    String.fromCharCode(...Array.from({ length }, (_, i) => u8(at + i)));
  const sum = (at: number, length: number) =>
    Array.from({ length }, (_, i) => u8(at + i)).reduce((a, b) => a + b, 0) & 0xff;
  const find = (signature: string) => {
    for (let at = address; at + 16 <= address + block.bytes.length; at += 16)
      if (text(at, signature.length) === signature) return at;
    return 0;
  };
  return { block, u8, u16, u32, text, sum, find };
}

/** The ACPI tables by signature. */
function acpi(t: ReturnType<typeof reader>): Map<string, number> {
  const root = t.find('RSD PTR ');
  expect(t.sum(root, 20)).toBe(0);
  const rsdt = t.u32(root + 16);
  const tables = new Map([['RSDT', rsdt]]);
  for (let at = rsdt + 36; at < rsdt + t.u32(rsdt + 4); at += 4) tables.set(t.text(t.u32(at), 4), t.u32(at));
  const fadt = tables.get('FACP')!;
  tables.set('DSDT', t.u32(fadt + 40));
  for (const [signature, at] of tables) {
    expect(t.text(at, 4)).toBe(signature);
    expect([signature, t.sum(at, t.u32(at + 4))]).toEqual([signature, 0]);
  }
  return tables;
}

describe('ACPI 1.0 tables', () => {
  it('are found and sum up to nothing', () => {
    const t = reader(2, true);
    expect(t.find('RSD PTR ')).toBe(t.block.rootPointer);
    expect([...acpi(t).keys()].sort()).toEqual(['APIC', 'DSDT', 'FACP', 'RSDT']);
  });

  it('name the fixed hardware where the board has it', () => {
    const t = reader(1, true);
    const fadt = acpi(t).get('FACP')!;
    expect(t.u32(fadt + 4)).toBe(116);
    expect(t.text(t.u32(fadt + 36), 4)).toBe('FACS');
    expect(t.u32(fadt + 36) % 64).toBe(0);
    expect([56, 64, 76].map((offset) => t.u32(fadt + offset))).toEqual([0x600, 0x604, 0x608]);
    expect([88, 89, 91].map((offset) => t.u8(fadt + offset))).toEqual([4, 2, 4]);
    expect(t.u8(fadt + 108)).toBe(0x32);
  });

  it('list every processor, the I/O APIC and where the timer’s line goes', () => {
    const t = reader(4, true);
    const madt = acpi(t).get('APIC')!;
    const entries: string[] = [];
    for (let at = madt + 44; at < madt + t.u32(madt + 4); at += t.u8(at + 1)) {
      const type = t.u8(at);
      if (type === 0) entries.push(`processor ${t.u8(at + 3)} ${t.u32(at + 4)}`);
      else if (type === 1) entries.push(`io ${t.u8(at + 2)} ${t.u32(at + 4).toString(16)}`);
      else if (type === 2) entries.push(`irq ${t.u8(at + 3)} at ${t.u32(at + 4)}`);
      else entries.push(`other ${type}`);
    }
    expect(entries).toEqual([
      'processor 0 1',
      'processor 1 1',
      'processor 2 1',
      'processor 3 1',
      'io 4 fec00000',
      'irq 0 at 2',
      'irq 9 at 9',
      'other 4',
    ]);
  });

  it('have a namespace whose blocks end where they say', () => {
    const t = reader(1, true);
    const dsdt = acpi(t).get('DSDT')!;
    const end = dsdt + t.u32(dsdt + 4);
    const length = (at: number): [bytes: number, size: number] => {
      const first = t.u8(at);
      return first < 64 ? [first, 1] : [(first & 15) | (t.u8(at + 1) << 4), 2];
    };
    let at = dsdt + 36;
    expect([t.u8(at), t.text(at + 1, 4), t.u8(at + 5)]).toEqual([0x08, '_S5_', 0x12]);
    at += 6 + length(at + 6)[0];
    expect([t.u8(at), length(at + 1)[0]]).toEqual([0x10, end - at - 1]);
    const [, size] = length(at + 1);
    at += 1 + size;
    expect([t.text(at, 5), t.u8(at + 5), t.u8(at + 6)]).toEqual(['\\_SB_', 0x5b, 0x82]);
    expect(at + 7 + length(at + 7)[0]).toBe(end);
    // PNP0A03 as a compressed identifier, the bytes every PC has there.
    expect([...t.block.bytes].map((b) => b.toString(16).padStart(2, '0')).join('')).toContain(
      '5f4849440c41d00a03',
    );
  });
});

describe('MP 1.4 tables', () => {
  it('are found, sum up to nothing and count their entries', () => {
    const t = reader(3, true);
    const pointer = t.find('_MP_');
    expect(pointer).toBe(t.block.mpFloatingPointer);
    expect([t.sum(pointer, 16), t.u8(pointer + 8), t.u8(pointer + 9)]).toEqual([0, 1, 4]);
    const table = t.u32(pointer + 4);
    expect([t.text(table, 4), t.sum(table, t.u16(table + 4)), t.u32(table + 36)]).toEqual([
      'PCMP',
      0,
      0xfee00000,
    ]);
    const kinds = new Array(5).fill(0);
    let at = table + 44;
    for (let n = 0; n < t.u16(table + 34); n++) {
      kinds[t.u8(at)]++;
      at += t.u8(at) === 0 ? 20 : 8;
    }
    expect(at).toBe(table + t.u16(table + 4));
    expect(kinds).toEqual([3, 2, 1, 16, 2]);
  });

  it('are not there on a machine without APICs', () => {
    const t = reader(1, false);
    expect([t.find('_MP_'), t.block.mpFloatingPointer, acpi(t).has('APIC')]).toEqual([0, 0, false]);
  });
});

it('refuses a place where nobody looks', () => {
  expect(() => firmwareTables({ processors: 1, apic: true }, 0x9000)).toThrow(/not found by anybody/);
});

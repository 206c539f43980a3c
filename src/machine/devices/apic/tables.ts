// What firmware tells an operating system about processors and interrupt controllers: the MultiProcessor Specification 1.4
// (ch. 4) tables, and those of ACPI 1.0 (ch. 5). Pure functions; firmware copies the block to where it lies.
import { SIGNATURE } from '../../cpu/cpuid.ts';
import { PM } from '../power.ts';
import { dsdtBody } from './aml.ts';
import { IO_APIC_BASE } from './io-apic.ts';
import { LOCAL_APIC_BASE } from './local-apic.ts';

export interface TableOptions {
  /** Processors, 1 to 4; their APIC identifiers count from 0, the I/O APIC's comes behind. */
  processors: number;
  /** False on a machine with the PIC pair alone: then there are no MP tables and no MADT. */
  apic: boolean;
}

/** Bytes at an address. */
export interface TableBlock {
  address: number;
  bytes: Uint8Array;
  /** Addresses of what is looked for in steps of 16 bytes between E0000h and FFFFFh; 0 = not there. */
  mpFloatingPointer: number;
  rootPointer: number;
}

const OEM = 'RINGSD';
const OEM_TABLE = 'RINGSIDE';
const SCI = 9;
/** On-chip APIC and FPU, which is what the flags in a processor entry are looked at for. */
const FEATURES = 0x201;
const ISA_BUS = 1;

/** Little-endian bytes, written one after the other. */
class Bytes {
  readonly list: number[] = [];
  u8(...values: number[]): this {
    for (const v of values) this.list.push(v & 0xff);
    return this;
  }
  u16(v: number): this {
    return this.u8(v, v >>> 8);
  }
  u32(v: number): this {
    return this.u16(v).u16(v >>> 16);
  }
  text(text: string, length = text.length): this {
    return this.u8(...Array.from({ length }, (_, i) => text.charCodeAt(i) || 0x20));
  }
  zeros(count: number): this {
    return this.u8(...new Array<number>(count).fill(0));
  }
}

/** Makes the bytes sum up to 0 modulo 256. */
function seal(bytes: number[], checksumAt: number, length = bytes.length): number[] {
  bytes[checksumAt] = 0;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += bytes[i];
  bytes[checksumAt] = -sum & 0xff;
  return bytes;
}

/** The MP configuration table. */
function mpConfiguration({ processors }: TableOptions): number[] {
  const entries = new Bytes();
  let count = 0;
  for (let n = 0; n < processors; n++, count++) {
    const flags = 1 | (n === 0 ? 2 : 0);
    entries.u8(0, n, 0x14, flags).u32(SIGNATURE).u32(FEATURES).zeros(8);
  }
  entries.u8(1, 0).text('PCI', 6);
  entries.u8(1, ISA_BUS).text('ISA', 6);
  entries.u8(2, processors, 0x11, 1).u32(IO_APIC_BASE);
  count += 3;
  const external = 3;
  // The PIC pair at input 0; its timer input goes to 2, where the cascade would be.
  entries.u8(3, external).u16(0).u8(ISA_BUS, 0, processors, 0);
  count++;
  for (let irq = 0; irq < 16; irq++) {
    if (irq === 2) continue;
    entries
      .u8(3, 0)
      .u16(0)
      .u8(ISA_BUS, irq, processors, irq === 0 ? 2 : irq);
    count++;
  }
  entries.u8(4, external).u16(0).u8(ISA_BUS, 0, 0, 0);
  entries.u8(4, 1).u16(0).u8(ISA_BUS, 0, 0xff, 1); // NMI at LINT1 of all
  count += 2;
  const header = new Bytes()
    .text('PCMP')
    .u16(44 + entries.list.length)
    .u8(4, 0)
    .text(OEM, 8)
    .text('RINGSIDE PC', 12)
    .u32(0)
    .u16(0)
    .u16(count)
    .u32(LOCAL_APIC_BASE)
    .u16(0)
    .u8(0, 0);
  return seal([...header.list, ...entries.list], 7);
}

function mpFloatingPointer(configuration: number): number[] {
  // Feature byte 2 bit 7 clear: virtual wire mode, no interrupt mode register to be set.
  return seal(new Bytes().text('_MP_').u32(configuration).u8(1, 4, 0).zeros(5).list, 10);
}

/** A table with the common header (ACPI 1.0 §5.2.3). */
function acpiTable(signature: string, revision: number, body: readonly number[]): number[] {
  const header = new Bytes()
    .text(signature)
    .u32(36 + body.length)
    .u8(revision, 0)
    .text(OEM, 6)
    .text(OEM_TABLE, 8)
    .u32(1)
    .text('RING')
    .u32(1);
  return seal([...header.list, ...body], 9);
}

/** Fixed hardware (ACPI 1.0 §5.2.5): the PM1a block, the timer, and no SMI command, so ACPI is on from the start. */
function fadt(facs: number, dsdt: number, apic: boolean): number[] {
  const flags = 0x01 | 0x04 | 0x20; // WBINVD, C1; the power button is fixed hardware, there is no sleep button
  const body = new Bytes()
    .u32(facs)
    .u32(dsdt)
    .u8(apic ? 1 : 0, 0)
    .u16(SCI)
    .u32(0) // SMI command
    .u8(0, 0, 0, 0)
    .u32(PM.event)
    .u32(0)
    .u32(PM.control)
    .u32(0)
    .u32(0)
    .u32(PM.timer)
    .u32(0)
    .u32(0)
    .u8(4, 2, 0, 4, 0, 0, 0, 0)
    .u16(0xfff) // no C2
    .u16(0xfff) // no C3
    .u16(0)
    .u16(0)
    .u8(0, 0, 0, 0, 0x32, 0, 0, 0) // century in CMOS byte 32h
    .u32(flags);
  return acpiTable('FACP', 1, body.list);
}

function madt({ processors }: TableOptions): number[] {
  const body = new Bytes().u32(LOCAL_APIC_BASE).u32(1); // the PIC pair is there too
  for (let n = 0; n < processors; n++) body.u8(0, 8, n, n).u32(1);
  body.u8(1, 12, processors, 0).u32(IO_APIC_BASE).u32(0);
  body.u8(2, 10, 0, 0).u32(2).u16(0); // ISA interrupt 0 at input 2
  body.u8(2, 10, 0, SCI).u32(SCI).u16(0x0d); // active high, level
  body.u8(4, 6, 0xff).u16(0).u8(1); // NMI at LINT1
  return acpiTable('APIC', 1, body.list);
}

function facs(): number[] {
  return new Bytes().text('FACS').u32(64).zeros(56).list;
}

function rootPointer(rsdt: number): number[] {
  return seal(new Bytes().text('RSD PTR ').u8(0).text(OEM, 6).u8(0).u32(rsdt).list, 8);
}

/**
 * All tables in one block.
 * @param address where it will lie: a multiple of 64 between E0000h and FF000h, so that the pointers are found
 */
export function firmwareTables(options: TableOptions, address: number): TableBlock {
  if (address % 64 || address < 0xe0000 || address > 0xff000)
    throw new RangeError(`tables at ${address.toString(16)}h are not found by anybody`);
  const block: number[] = [];
  const place = (bytes: readonly number[], align = 16): number => {
    while (block.length % align) block.push(0);
    const at = address + block.length;
    block.push(...bytes);
    return at;
  };
  // Pointers come first, with room for the addresses that are known only later.
  const rsdp = place(rootPointer(0));
  const floating = options.apic ? place(mpFloatingPointer(0)) : 0;
  const facsAt = place(facs(), 64);
  const dsdt = place(acpiTable('DSDT', 1, dsdtBody()));
  const tables = [place(fadt(facsAt, dsdt, options.apic))];
  if (options.apic) tables.push(place(madt(options)));
  const rsdt = new Bytes();
  for (const table of tables) rsdt.u32(table);
  const rsdtAt = place(acpiTable('RSDT', 1, rsdt.list));
  const patch = (bytes: readonly number[], at: number) => block.splice(at - address, bytes.length, ...bytes);
  patch(rootPointer(rsdtAt), rsdp);
  if (floating) patch(mpFloatingPointer(place(mpConfiguration(options))), floating);
  return {
    address,
    bytes: Uint8Array.from(block),
    mpFloatingPointer: floating,
    rootPointer: rsdp,
  };
}

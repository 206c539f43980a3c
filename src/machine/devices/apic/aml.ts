// The differentiated definition block of our PC in ACPI machine language (ACPI 1.0 ch. 16): soft-off, and the PCI bus with the
// windows that its devices lie in, and where their interrupt pins lead as firmware has routed them (§6.2.3, _PRT).
import { FIRMWARE_ROUTES } from '../pci/chipset.ts';
import { pirqOf } from '../pci/interrupts.ts';

const OP = {
  zero: 0x00,
  name: 0x08,
  byte: 0x0a,
  word: 0x0b,
  dword: 0x0c,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
};

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
const u16 = (v: number): number[] => [v & 0xff, (v >>> 8) & 0xff];
const u32 = (v: number): number[] => [...u16(v), ...u16(v >>> 16)];

/** The length of a block, its own bytes included (§16.2.4): up to 63 in one byte, up to 4095 in two. */
function withLength(body: readonly number[]): number[] {
  if (body.length + 1 < 64) return [body.length + 1, ...body];
  const length = body.length + 2;
  if (length > 0xfff) throw new RangeError(`a block of ${length} bytes`);
  return [0x40 | (length & 15), length >> 4, ...body];
}

const integer = (v: number): number[] =>
  v === 0 ? [OP.zero] : v < 0x100 ? [OP.byte, v] : v < 0x10000 ? [OP.word, ...u16(v)] : [OP.dword, ...u32(v)];
const named = (name: string, value: readonly number[]): number[] => [OP.name, ...ascii(name), ...value];
const packageOf = (...elements: number[][]): number[] => [
  OP.package,
  ...withLength([elements.length, ...elements.flat()]),
];
const buffer = (bytes: readonly number[]): number[] => [
  OP.buffer,
  ...withLength([...integer(bytes.length), ...bytes]),
];
const scope = (name: string, ...body: number[][]): number[] => [
  OP.scope,
  ...withLength([...ascii(name), ...body.flat()]),
];
const device = (name: string, ...body: number[][]): number[] => [
  0x5b,
  0x82,
  ...withLength([...ascii(name), ...body.flat()]),
];

/** "PNP0A03" compressed (§6.1.2): three letters of five bits, four hexadecimal digits, the bytes in the order of their value. */
function pnp(id: string): number[] {
  const letter = (n: number) => id.charCodeAt(n) - 0x40;
  const letters = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const digits = Number.parseInt(id.slice(3), 16);
  return [OP.dword, letters >> 8, letters & 0xff, digits >> 8, digits & 0xff];
}

/** Slots that have wires. */
const SLOTS = 15;
const Window = { memory: 0, ports: 1, busNumbers: 2 } as const;
/** Fixed at both ends. */
const FIXED = 0x0c;

/** Address space descriptors (§6.4.3.5). */
const words = (kind: number, flags: number, first: number, last: number): number[] => [
  0x88,
  ...u16(13),
  kind,
  FIXED,
  flags,
  ...[0, first, last, 0, last - first + 1].flatMap(u16),
];
const doublewords = (flags: number, first: number, last: number): number[] => [
  0x87,
  ...u16(23),
  Window.memory,
  FIXED,
  flags,
  ...[0, first, last, 0, last - first + 1].flatMap(u32),
];

/** One pin of a slot, and the interrupt that it is: no link device, for nobody routes it anew. */
function routing(): number[] {
  const entries: number[][] = [];
  for (let slot = 1; slot <= SLOTS; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const irq = FIRMWARE_ROUTES[pirqOf(slot, pin + 1)];
      entries.push(packageOf(integer((slot << 16) | 0xffff), integer(pin), integer(0), integer(irq)));
    }
  }
  return packageOf(...entries);
}

/** The body of the DSDT. */
export function dsdtBody(): number[] {
  const resources = [
    ...words(Window.busNumbers, 0, 0, 0xff),
    ...[0x47, 1, ...u16(0xcf8), ...u16(0xcf8), 1, 8], // the configuration ports are the bridge's own
    ...words(Window.ports, 3, 0, 0xcf7),
    ...words(Window.ports, 3, 0xd00, 0xffff),
    ...doublewords(3, 0xa0000, 0xbffff),
    ...doublewords(1, 0xe0000000, 0xfebfffff),
    0x79,
    0,
  ];
  const none = integer(0);
  return [
    // Soft-off is sleep type 0 of PM1a.
    ...named('_S5_', packageOf(none, none, none, none)),
    ...scope(
      '\\_SB_',
      device(
        'PCI0',
        named('_HID', pnp('PNP0A03')),
        named('_ADR', none),
        named('_UID', none),
        named('_CRS', buffer(resources)),
        named('_PRT', routing()),
      ),
    ),
  ];
}

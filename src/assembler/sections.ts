// Sections and their places in the image (NASM manual §8.1, the `bin` format): origin, align, start, vstart, follows,
// vfollows, progbits and nobits. Sizes grow during a pass; addresses are settled once, after the last one.
import type { Diagnostics, Place } from './diagnostics.ts';
import type { Fixup } from './encode/code.ts';
import type { Base } from './value.ts';

interface PlacedFixup extends Fixup {
  readonly offset: number;
}

const DEFAULT_ALIGN = 4;

export class Section implements Base {
  readonly type = 'base';
  /** Bytes so far in this pass. */
  size = 0;
  align = 0;
  virtualAlign = 0;
  start: number | null = null;
  virtualStart: number | null = null;
  follows: string | null = null;
  virtualFollows: string | null = null;
  nobits: boolean;
  place: Place | null = null;
  /** The warning about reserved space among bytes has been given in this pass. */
  zeroingReported = false;
  /** Settled by layout. */
  loadAddress = 0;
  virtualAddress = 0;
  bytes = new Uint8Array(0);
  readonly fixups: PlacedFixup[] = [];

  constructor(
    readonly name: string,
    readonly rank: number,
  ) {
    this.nobits = name === '.bss';
  }

  address(): number {
    return this.virtualAddress;
  }

  /** Forgets contents and attributes that the pass will give again; alignment only grows. */
  startPass(): void {
    this.size = 0;
    this.zeroingReported = false;
    this.fixups.length = 0;
    this.start = this.virtualStart = null;
    this.follows = this.virtualFollows = null;
  }

  /** Makes room for `count` more bytes in the buffer. */
  reserve(count: number): void {
    if (this.bytes.length >= this.size + count) return;
    const grown = new Uint8Array(Math.max(1024, this.bytes.length * 2, this.size + count));
    grown.set(this.bytes.subarray(0, this.size));
    this.bytes = grown;
  }

  addFixup(fixup: Fixup, offset: number): void {
    this.fixups.push({ ...fixup, offset: offset + fixup.at });
  }
}

/** `section.NAME.start` and `.vstart`: known after layout. */
export class SectionFact implements Base {
  readonly type = 'base';
  constructor(
    readonly rank: number,
    private readonly section: Section,
    private readonly virtual: boolean,
  ) {}

  address(): number {
    return this.virtual ? this.section.virtualAddress : this.section.loadAddress;
  }
}

const up = (address: number, align: number): number => Math.ceil(address / align) * align;
const alignOf = (section: Section): number => section.align || DEFAULT_ALIGN;

/** Gives every section its addresses; an image beyond `limit` bytes is reported. Returns the sections with bytes, in the order of the image. */
export function layOut(
  sections: readonly Section[],
  origin: number,
  limit: number,
  diagnostics: Diagnostics,
): Section[] {
  const complain = (section: Section, message: string): void => {
    if (section.place) diagnostics.error(section.place, message);
  };
  const first = sections.filter((s) => s.name === '.text');
  const all = [...first, ...sections.filter((s) => s.name !== '.text')];
  const image = ordered(
    all.filter((s) => !s.nobits),
    complain,
  );

  let end = origin;
  let previous: Section | null = null;
  for (const section of image) {
    section.loadAddress = section.start ?? (previous ? up(end, alignOf(section)) : origin);
    if (section.start !== null && section.start < origin)
      complain(section, `section \`${section.name}\` starts before the origin`);
    else if (section.loadAddress < end && section.size > 0 && previous)
      complain(section, `section \`${section.name}\` overlaps \`${previous.name}\``);
    end = section.loadAddress + section.size;
    previous = section;
    if (section.size > 0 && end - origin > limit) {
      complain(section, `the image grows beyond ${limit >> 20} MB with section \`${section.name}\``);
      break;
    }
  }
  for (const section of ordered(
    all.filter((s) => s.nobits),
    complain,
    image,
  )) {
    const followed = section.follows === null ? null : all.find((s) => s.name === section.follows);
    const from = followed ? followed.loadAddress + followed.size : end;
    section.loadAddress = section.start ?? up(from, alignOf(section));
    if (!followed) end = section.loadAddress + section.size;
  }
  virtualAddresses(all, complain);
  return image;
}

/** Sections in order, each one that follows another put right behind it. */
function ordered(
  sections: readonly Section[],
  complain: (section: Section, message: string) => void,
  others: readonly Section[] = [],
): Section[] {
  const list = sections.filter((s) => s.follows === null);
  let waiting = sections.filter((s) => s.follows !== null);
  while (waiting.length > 0) {
    const stuck = waiting.filter((section) => {
      const at = list.findIndex((s) => s.name === section.follows);
      const rival = list.find((s) => s.follows === section.follows);
      if (rival)
        complain(
          section,
          `\`${section.name}\` and \`${rival.name}\` cannot both follow \`${section.follows}\``,
        );
      if (at >= 0) list.splice(at + 1, 0, section);
      else if (others.some((s) => s.name === section.follows)) list.push(section);
      else return true;
      return false;
    });
    if (stuck.length === waiting.length) {
      for (const section of stuck)
        complain(section, `section \`${section.name}\` follows a section that is not there`);
      list.push(...stuck);
      break;
    }
    waiting = stuck;
  }
  // Sections with a start of their own stand in the order of these starts.
  return list
    .map((section, i) => ({ section, key: section.start ?? Number.NaN, i }))
    .map((entry, i, entries) => ({
      ...entry,
      key: Number.isNaN(entry.key) ? lastKey(entries, i) : entry.key,
    }))
    .sort((a, b) => a.key - b.key || a.i - b.i)
    .map((entry) => entry.section);
}

function lastKey(entries: readonly { key: number }[], i: number): number {
  for (let k = i - 1; k >= 0; k--) if (!Number.isNaN(entries[k].key)) return entries[k].key;
  return Number.NEGATIVE_INFINITY;
}

function virtualAddresses(all: readonly Section[], complain: (s: Section, message: string) => void): void {
  let waiting = [...all];
  const settled = new Set<Section>();
  while (waiting.length > 0) {
    const stuck = waiting.filter((section) => {
      const followed = all.find((s) => s.name === section.virtualFollows);
      if (section.virtualStart !== null) section.virtualAddress = section.virtualStart;
      else if (section.virtualFollows === null)
        section.virtualAddress = section.virtualAlign
          ? up(section.loadAddress, section.virtualAlign)
          : section.loadAddress;
      else if (followed && settled.has(followed))
        section.virtualAddress = up(
          followed.virtualAddress + followed.size,
          section.virtualAlign || DEFAULT_ALIGN,
        );
      else return true;
      settled.add(section);
      return false;
    });
    if (stuck.length === waiting.length) {
      for (const section of stuck)
        complain(section, `section \`${section.name}\`: \`vfollows\` names no section`);
      return;
    }
    waiting = stuck;
  }
}

/** The bytes of the image, addresses filled in. */
export function image(
  sections: readonly Section[],
  withBytes: readonly Section[],
  origin: number,
): Uint8Array {
  let end = origin;
  for (const section of withBytes)
    if (section.size > 0) end = Math.max(end, section.loadAddress + section.size);
  for (const section of sections) for (const fixup of section.fixups) apply(section, fixup);
  const bytes = new Uint8Array(end - origin);
  for (const section of withBytes)
    if (section.size > 0 && section.loadAddress >= origin)
      bytes.set(section.bytes.subarray(0, section.size), section.loadAddress - origin);
  return bytes;
}

function apply(section: Section, fixup: PlacedFixup): void {
  let add = (fixup.base ? fixup.base.address() : 0) - (fixup.relative ? section.virtualAddress : 0);
  let carry = 0;
  for (let i = 0; i < fixup.size; i++) {
    const sum = section.bytes[fixup.offset + i] + (((add % 256) + 256) % 256) + carry;
    section.bytes[fixup.offset + i] = sum;
    carry = sum >> 8;
    add = Math.floor(add / 256);
  }
}

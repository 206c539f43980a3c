// What a paravirtualized kernel tells Xen: the ELF notes of xen/include/public/elfnote.h, or the `__xen_guest` section
// string that Xen 3.0.0 used before them. Defaults follow libelf-dominfo.c (ELF_PADDR_OFFSET: 0 with notes, VIRT_BASE with the string).
import { cString, type Elf, type Note } from './elf.ts';
import { hex, ImageError, type Segment, type XenInfo } from './image.ts';

const NOTE = {
  entry: 1,
  hypercallPage: 2,
  virtualBase: 3,
  paddrOffset: 4,
  xenVersion: 5,
  guestOs: 6,
  guestVersion: 7,
  loader: 8,
  paeMode: 9,
  features: 10,
  bsdSymtab: 11,
} as const;
const PAGE = 4096;
type Draft = Partial<Omit<XenInfo, 'source' | 'pae'>>;

/** The kernel's requirements, or null when it is not built for Xen. Throws ImageError when they cannot be met. */
export function readXenInfo(elf: Elf, name: string): XenInfo | null {
  const notes = elf.notes.filter((n) => n.name === 'Xen');
  const legacy = elf.section('__xen_guest');
  if (!notes.length && !legacy) return null;
  const draft = notes.length ? fromNotes(notes) : fromString(cStringLong(legacy!));
  if (draft.paddrOffset !== undefined && draft.virtualBase === undefined)
    throw new ImageError(`${name}: a Xen kernel with a PADDR_OFFSET but no VIRT_BASE`);
  const virtualBase = draft.virtualBase ?? 0;
  const paeMode = draft.paeMode || 'no';
  const info: XenInfo = {
    source: notes.length ? 'notes' : 'string',
    virtualBase,
    entry: draft.entry ?? elf.entry,
    hypercallPage: draft.hypercallPage ?? null,
    paddrOffset: draft.paddrOffset ?? (notes.length ? 0 : virtualBase),
    pae: paeMode.startsWith('yes') && !paeMode.includes('bimodal'),
    paeMode,
    guestOs: draft.guestOs ?? '',
    guestVersion: draft.guestVersion ?? '',
    xenVersion: draft.xenVersion ?? '',
    loader: draft.loader ?? '',
    features: draft.features ?? [],
    bsdSymtab: draft.bsdSymtab ?? false,
  };
  if (info.hypercallPage !== null && info.hypercallPage % PAGE)
    throw new ImageError(`${name}: its hypercall page ${hex(info.hypercallPage)} is not on a page boundary`);
  return info;
}

/** Segments at the pseudo-physical addresses that Xen gives them. */
export function xenSegments(elf: Elf, info: XenInfo, name: string): Segment[] {
  return elf.segments.map((s) => {
    const address = s.physical - info.paddrOffset;
    if (address < 0)
      throw new ImageError(
        `${name}: a segment at ${hex(s.physical)} lies below its PADDR_OFFSET ${hex(info.paddrOffset)}`,
      );
    return { address, virtualAddress: address + info.virtualBase, data: s.data, memorySize: s.memorySize };
  });
}

function fromNotes(notes: Note[]): Draft {
  const find = (type: number) => notes.find((n) => n.type === type);
  const text = (type: number) => {
    const note = find(type);
    return note && cString(note.data);
  };
  /** Four or eight bytes; the upper half of eight must be zero (or the sign) on a 32-bit machine and is left out. */
  const number = (type: number) => {
    const data = find(type)?.data;
    if (!data || data.length < 4) return undefined;
    return new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
  };
  return {
    entry: number(NOTE.entry),
    hypercallPage: number(NOTE.hypercallPage),
    virtualBase: number(NOTE.virtualBase),
    paddrOffset: number(NOTE.paddrOffset),
    xenVersion: text(NOTE.xenVersion),
    guestOs: text(NOTE.guestOs),
    guestVersion: text(NOTE.guestVersion),
    loader: text(NOTE.loader),
    paeMode: text(NOTE.paeMode),
    features: split(text(NOTE.features)),
    bsdSymtab: text(NOTE.bsdSymtab) === 'yes',
  };
}

function fromString(text: string): Draft {
  const values = new Map<string, string>();
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    values.set(at < 0 ? part : part.slice(0, at), at < 0 ? '' : part.slice(at + 1));
  }
  const number = (key: string) => {
    const value = Number.parseInt(values.get(key) ?? '', values.get(key)?.startsWith('0x') ? 16 : 10);
    return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : undefined;
  };
  const page = number('HYPERCALL_PAGE');
  return {
    entry: number('VIRT_ENTRY'),
    // Here a physical page number, in the notes a virtual address.
    hypercallPage: page === undefined ? undefined : page * PAGE + (number('VIRT_BASE') ?? 0),
    virtualBase: number('VIRT_BASE'),
    paddrOffset: number('ELF_PADDR_OFFSET'),
    xenVersion: values.get('XEN_VER'),
    guestOs: values.get('GUEST_OS'),
    guestVersion: values.get('GUEST_VER'),
    loader: values.get('LOADER'),
    paeMode: values.get('PAE'),
    features: split(values.get('FEATURES')),
    bsdSymtab: values.has('BSD_SYMTAB'),
  };
}

const split = (text: string | undefined) => (text ? text.split('|').filter(Boolean) : []);

/** The section may be longer than a name: up to 4 KiB. */
function cStringLong(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length && bytes[i] && i < 4096; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

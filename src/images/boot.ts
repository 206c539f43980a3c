// From an image to a machine that stands at its first instruction: memory filled, registers as the boot protocol says.
// Multiboot: specification §3.2; Linux: 32-bit boot protocol; plain ELF: the same flat protected mode without an information structure; a disk is
// not placed: firmware reads it.
import { type Image, ImageError, type LoadTarget, loadSegments } from './image.ts';
import { otherImages } from './load.ts';
import { loadMultiboot } from './multiboot.ts';

/** Registers at the first instruction. What is not named is zero. */
export interface EntryState {
  /** 32: flat protected mode, paging off. 16: real mode. Interrupts are off in both. */
  bits: 16 | 32;
  eip: number;
  eax: number;
  ebx: number;
  edx: number;
  esp: number;
  esi: number;
  /** Selectors of CS and of the data segments; the hidden parts are flat whatever they are. */
  codeSelector: number;
  dataSelector: number;
  /** The descriptor table that they come from; limit 0 = there is none. */
  gdt: { base: number; limit: number };
}

/** CR0: PE and the bits that are fixed on a processor with a coprocessor (ET); caches on. */
const CR0_PROTECTED = 0x11;
const CR0_REAL = 0x10;
/** Access rights in the layout of SegmentRegister.access. */
const FLAT_CODE = 0xc09b;
const FLAT_DATA = 0xc093;
const REAL_CODE = 0x9b;
const REAL_DATA = 0x93;
const BUSY_TSS = 0x8b;
const UNUSABLE = 0x10000;
/** ES CS SS DS FS GS LDTR TR, as in the processor. */
const CS = 1;
const LDTR = 6;
const TR = 7;

/** The part of a processor that booting touches. */
interface BootProcessor {
  readonly regs: Int32Array;
  eip: number;
  instructionStart: number;
  flags: number;
  lazyMask: number;
  cpl: number;
  cr0: number;
  readonly segments: readonly { selector: number; base: number; limit: number; access: number }[];
  readonly gdtr: { base: number; limit: number };
  readonly idtr: { base: number; limit: number };
}

/** Fills memory and says how the processor must stand. Throws ImageError when the image does not fit or needs Xen. */
export function placeImage(
  image: Image,
  options: { commandLine: string; modules: { name: string; data: Uint8Array }[] },
  target: LoadTarget,
): EntryState {
  const state: EntryState = {
    bits: image.bits,
    eip: image.entry,
    eax: 0,
    ebx: 0,
    edx: 0,
    esp: 0,
    esi: 0,
    codeSelector: image.bits === 32 ? 0x08 : 0,
    dataSelector: image.bits === 32 ? 0x10 : 0,
    gdt: { base: 0, limit: 0 },
  };
  switch (image.kind) {
    case 'multiboot':
      return { ...state, ...loadMultiboot(target, image, options) };
    case 'linux':
      if (image.linux.setup)
        throw new ImageError(
          `${image.name} is ${image.description} without a 32-bit entry: firmware must boot it`,
        );
      return { ...state, ...otherImages.loadLinux!(target, image, options) };
    case 'elf32':
      loadSegments(target, image);
      return state;
    case 'rom':
    case 'disk':
      throw new ImageError(`${image.name} is ${image.description}: firmware must boot it`);
    default:
      throw new ImageError(`${image.name} is ${image.description}: it needs Xen under it`);
  }
}

/** Puts a processor into the entry state. Segment registers are loaded with flat (or real-mode) hidden parts; only a Linux kernel finds a GDT behind them. */
export function applyEntryState(cpu: BootProcessor, state: EntryState): void {
  const flat = state.bits === 32;
  cpu.regs.fill(0);
  cpu.regs[0] = state.eax;
  cpu.regs[2] = state.edx;
  cpu.regs[3] = state.ebx;
  cpu.regs[4] = state.esp;
  cpu.regs[6] = state.esi;
  cpu.eip = cpu.instructionStart = state.eip;
  cpu.flags = 2;
  cpu.lazyMask = 0;
  cpu.cpl = 0;
  cpu.cr0 = flat ? CR0_PROTECTED : CR0_REAL;
  cpu.segments.forEach((s, i) => {
    s.base = 0;
    s.selector = 0;
    s.limit = flat ? 0xffffffff : 0xffff;
    s.access = i === CS ? (flat ? FLAT_CODE : REAL_CODE) : flat ? FLAT_DATA : REAL_DATA;
    if (i < LDTR) s.selector = i === CS ? state.codeSelector : state.dataSelector;
    if (i === LDTR) s.access = UNUSABLE;
    if (i === TR) s.access = BUSY_TSS;
    if (i >= LDTR) s.limit = 0xffff;
  });
  cpu.gdtr.base = state.gdt.base;
  cpu.gdtr.limit = state.gdt.limit;
  cpu.idtr.base = 0;
  // Nothing usable for 32-bit code, and what a kernel finds that goes back to real mode.
  cpu.idtr.limit = 0x3ff;
}

/** Boots an image on a bare machine. Throws ImageError. */
export function loadFlat(
  image: Image,
  options: { commandLine: string; modules: { name: string; data: Uint8Array }[] },
  memory: { load(address: number, data: Uint8Array): void },
  size: number,
  cpu: BootProcessor,
): void {
  const target: LoadTarget = { size, load: (address, data) => memory.load(address, data) };
  applyEntryState(cpu, placeImage(image, options, target));
}

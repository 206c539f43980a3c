// For the random programs of this room: a machine of 256 KiB with page tables, a GDT, an IDT and a kernel that keeps them
// going: page faults bring pages and take others away, every other fault goes on elsewhere, traps and interrupts are counted.
// Two such machines are the same in everything.
import { assemble } from '../../../../assembler/assemble.ts';
import { reset } from '../../reset.ts';
import type { TestMachine } from '../../test-machine.ts';
import type { Random } from '../../vectors/random.ts';

export const MEMORY = 0x40000;
/** Page tables of 0..4 MiB (as it lies) and 4..8 MiB (the same once more). At 8 MiB there is a page of 4 MiB. */
const DIRECTORY = 0x1000;
export const TABLE = 0x2000;
export const ALIAS = 0x400000;
export const LARGE = 0x800000;
const IDT = 0x4000;
const GDT = 0x4800;
const TSS = 0x5000;
const KERNEL = 0x6000;
/** Counters of the kernel; where programs are entered again; what a page fault takes from another page. */
const KERNEL_DATA = 0x7000;
const ENTRIES = KERNEL_DATA + 0x20;
const STRIPS = KERNEL_DATA + 0x10;
export const RING_0_STACK = 0x9000;
/** Pages of code, data, the stacks, and the page of a device. */
export const CODE = 0x10000;
export const DATA = 0x18000;
export const DATA_PAGES = 8;
export const STACK = 0x20000;
export const DEVICE = 0x28000;
/** Mapped, and beyond the end of memory. */
export const BEYOND = 0x48000;

const WHOLE = 0xffffffff;
/** What a segment register of a program has: as in its descriptor. */
export interface Segment {
  readonly base: number;
  readonly limit: number;
  /** Type, without DPL; D/B. */
  readonly type: number;
  readonly big: boolean;
}
export const FLAT_DATA: Segment = { base: 0, limit: WHOLE, type: 0x93, big: true };
export const FLAT_CODE: Segment = { base: 0, limit: WHOLE, type: 0x9b, big: true };

export interface World {
  readonly cpl: 0 | 3;
  readonly paging: boolean;
  readonly cs: Segment;
  readonly ds: Segment;
  readonly ss: Segment;
  /** Beside PG and PE: WP, AM. */
  readonly cr0: number;
  /** EFLAGS at the beginning. */
  readonly flags: number;
  /** Flags of the entries of 4 KiB, by page from DATA on. */
  readonly pages: readonly number[];
  /** Interrupt or trap gates. */
  readonly trapGates: boolean;
  /** What page faults take from the entry of another page. */
  readonly strip: number;
  /** Debug registers 0..3 and 7. */
  readonly debug: readonly number[];
}

const source = `
bits 32
org ${KERNEL}
skip_error:
  add esp, 4
skip:
  push eax
  push ds
  mov eax, 0x10
  mov ds, eax
  inc dword [${KERNEL_DATA}]
  mov eax, [${KERNEL_DATA}]
  and eax, 7
  mov eax, [${ENTRIES} + eax * 4]
  mov [esp + 8], eax
  pop ds
  pop eax
  iret
page_fault:
  push eax
  push ds
  mov eax, 0x10
  mov ds, eax
  mov eax, cr2
  cmp eax, ${LARGE}
  jae wild
  inc dword [${KERNEL_DATA + 4}]
  shr eax, 12
  or dword [${TABLE} + eax * 4], 7
  mov eax, cr2
  invlpg [eax]
  mov eax, [${KERNEL_DATA + 4}]
  and eax, ${DATA_PAGES - 1}
  push ecx
  mov ecx, [${STRIPS}]
  not ecx
  and [${TABLE + (DATA >> 12) * 4} + eax * 4], ecx
  pop ecx
  shl eax, 12
  test byte [${KERNEL_DATA + 4}], ${DATA_PAGES}
  jz stale
  invlpg [eax + ${DATA}]
stale:
  pop ds
  pop eax
  add esp, 4
  iret
wild:
  pop ds
  pop eax
  jmp skip_error
debug:
  push eax
  push ds
  mov eax, 0x10
  mov ds, eax
  inc dword [${KERNEL_DATA + 8}]
  test byte [${KERNEL_DATA + 8}], 15
  jnz stepping
  and dword [esp + 16], ~0x100
stepping:
  mov eax, 0xffff0ff0
  mov dr6, eax
  pop ds
  pop eax
  iret
event:
  push ds
  push eax
  mov eax, 0x10
  mov ds, eax
  inc dword [${KERNEL_DATA + 12}]
  pop eax
  pop ds
  iret
`;

const kernel = assemble(new Map([['kernel.asm', source]]), 'kernel.asm');
if (kernel.diagnostics.length > 0) throw new Error(kernel.diagnostics[0].message);

const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 17]);
function handlerOf(vector: number): number {
  const name =
    vector === 14
      ? 'page_fault'
      : vector === 1
        ? 'debug'
        : vector === 2 || vector >= 32
          ? 'event'
          : WITH_ERROR_CODE.has(vector)
            ? 'skip_error'
            : 'skip';
  return kernel.symbols.get(name)!;
}

const CS_OF_PROGRAM = 4;
const DS_OF_PROGRAM = 5;
const SS_OF_PROGRAM = 6;
const FLAT_OF_PROGRAM = 7;
export const INTERRUPT = 0x20;

/** A program, where its code lies and where it may be entered (linear addresses). */
export interface Program {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly entries: readonly number[];
}

/** Puts a machine into a world, from nothing: memory, tables, the program. */
export function build({ cpu, memory, pin }: TestMachine, world: World, program: Program): void {
  const { cycles, instructions } = cpu;
  reset(cpu);
  Object.assign(cpu, { cycles, instructions });
  pin.vector = -1;
  memory.clear(0, MEMORY);
  const dpl = world.cpl << 5;
  const descriptor = (n: number, { base, limit, type, big }: Segment, privilege: number) => {
    const pages = limit > 0xfffff;
    const low = pages ? limit >>> 12 : limit;
    memory.write32(GDT + n * 8, (base << 16) | (low & 0xffff));
    memory.write32(
      GDT + n * 8 + 4,
      (base & 0xff000000) |
        ((base >>> 16) & 0xff) |
        ((type | privilege) << 8) |
        (low & 0xf0000) |
        (big ? 0x400000 : 0) |
        (pages ? 0x800000 : 0),
    );
  };
  descriptor(1, FLAT_CODE, 0);
  descriptor(2, FLAT_DATA, 0);
  descriptor(3, { base: TSS, limit: 0x67, type: 0x8b, big: false }, 0);
  descriptor(CS_OF_PROGRAM, world.cs, dpl);
  descriptor(DS_OF_PROGRAM, world.ds, dpl);
  descriptor(SS_OF_PROGRAM, world.ss, dpl);
  descriptor(FLAT_OF_PROGRAM, FLAT_DATA, dpl);
  for (let vector = 0; vector < 256; vector++) {
    const type = world.trapGates && vector !== 14 ? 0xef00 : 0xee00;
    memory.write32(IDT + vector * 8, (8 << 16) | (handlerOf(vector) & 0xffff));
    memory.write32(IDT + vector * 8 + 4, type);
  }
  memory.write32(TSS + 4, RING_0_STACK);
  memory.write32(TSS + 8, 0x10);
  memory.write32(TSS + 0x64, 0x680000);
  memory.load(KERNEL, kernel.bytes);
  program.entries.forEach((at, n) => memory.write32(ENTRIES + n * 4, at - world.cs.base));
  memory.write32(STRIPS, world.strip);
  memory.write32(DIRECTORY, TABLE | 7);
  memory.write32(DIRECTORY + 4, (TABLE + 0x1000) | 7);
  memory.write32(DIRECTORY + 8, 0xe7);
  for (let page = 0; page < 0x80; page++) {
    const flags = world.pages[page - (DATA >> 12)] ?? 0x67;
    memory.write32(TABLE + page * 4, (page << 12) | flags);
    memory.write32(TABLE + 0x1000 + page * 4, (page << 12) | 0x27);
  }
  for (let at = DATA; at < DATA + DATA_PAGES * 0x1000; at += 4) memory.write32(at, Math.imul(at, 0x9e3779b1));
  memory.load(program.at, program.bytes);

  Object.assign(cpu.gdtr, { base: GDT, limit: 0x3f });
  Object.assign(cpu.idtr, { base: IDT, limit: 0x7ff });
  Object.assign(cpu.segments[7], { selector: 0x18, base: TSS, limit: 0x67, access: 0x8b });
  cpu.cr3 = DIRECTORY;
  cpu.cr4 = 0x90;
  cpu.cr0 = (world.paging ? 0x80000011 : 0x11) | world.cr0;
  for (let n = 0; n < 4; n++) cpu.dr[n] = world.debug[n];
  cpu.dr[7] = 0x400 | world.debug[4];
  cpu.tlb.flushAll();
}

/** Puts the program's registers in, as if it had just been entered from outside. */
export function enter({ cpu }: TestMachine, world: World, at: number, random: Random): void {
  const set = (register: number, n: number, { base, limit, type, big }: Segment) => {
    const pages = limit > 0xfffff;
    const access = type | (world.cpl << 5) | (big ? 0x4000 : 0) | (pages ? 0x8000 : 0);
    Object.assign(cpu.segments[register], { selector: (n << 3) | world.cpl, base, limit, access });
  };
  set(1, CS_OF_PROGRAM, world.cs);
  set(2, SS_OF_PROGRAM, world.ss);
  set(3, DS_OF_PROGRAM, world.ds);
  for (const register of [0, 4, 5]) set(register, FLAT_OF_PROGRAM, FLAT_DATA);
  cpu.cpl = world.cpl;
  cpu.eip = (at - world.cs.base) >>> 0;
  cpu.flags = world.flags | 2;
  cpu.lazyMask = 0;
  cpu.shadow = cpu.pendingDebug = cpu.stop = 0;
  cpu.halted = cpu.nmiBlocked = false;
  for (let r = 0; r < 8; r++) cpu.regs[r] = random.value();
  cpu.regs[4] = STACK + 0x800 - world.ss.base;
  cpu.regs[6] = DATA + 0x40 - world.ds.base;
  cpu.tlb.dropFastTags();
}

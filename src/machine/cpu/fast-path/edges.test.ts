// Programs that told the fast path from the executors, or could: each is about one condition of run.ts, miss.ts or of the
// loop around them. The same program on two machines, cut everywhere.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../assembler/assemble.ts';
import { step } from '../execute.ts';
import { TestMachine } from '../test-machine.ts';
import type { FastPath } from './seam.ts';
import { ABSENT, Pair, PROVIDED, STOPPED, withFastPath } from './testing/pair.ts';

const IDT = 0x5000;
const GDT = 0x6000;
const HANDLERS = 0x7000;
const DIRECTORY = 0x8000;
const TABLE = 0x9000;
const PRESENT = 0x67;
const CODE = 0x10000;
const INTERRUPT = 0x8e00;
const TRAP = 0x8f00;

function assembled(source: string, org: number): Uint8Array {
  const { bytes, diagnostics } = assemble(new Map([['p.asm', `bits 32\norg ${org}\n${source}`]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  return bytes;
}

/** Flat descriptors, and an IDT in which every vector has a HLT of its own. */
function tables(m: TestMachine, gate = INTERRUPT): void {
  const { memory, cpu } = m.flatDescriptors(GDT);
  for (let vector = 0; vector < 256; vector++) {
    memory.write32(IDT + vector * 8, (8 << 16) | (HANDLERS + vector));
    memory.write32(IDT + vector * 8 + 4, gate);
    memory.write8(HANDLERS + vector, 0xf4);
  }
  Object.assign(cpu.idtr, { base: IDT, limit: 0x7ff });
}

/** The first 4 MiB mapped as they lie. */
function mapped({ memory, cpu }: TestMachine): void {
  memory.write32(DIRECTORY, TABLE | PRESENT);
  for (let page = 0; page < 1024; page++) memory.write32(TABLE + page * 4, (page << 12) | PRESENT);
  cpu.cr3 = DIRECTORY;
  cpu.cr0 |= 0x80000000;
  cpu.tlb.flush();
}

interface Edge {
  readonly source: string;
  readonly org?: number;
  /** Where it lies, when CS has a base. */
  readonly at?: number;
  readonly prepare?: (m: TestMachine) => void;
}

/** Runs it in slices of so many cycles; what is different at the first cut that differs. */
function differences({ source, org = CODE, at = org, prepare }: Edge, slice: number): string[] {
  const pair = new Pair(1 << 18);
  const code = assembled(source, org);
  pair.each((m) => {
    m.flat(code, at);
    m.cpu.eip = org;
    m.cpu.regs[4] = 0x20000;
    prepare?.(m);
  });
  for (let n = 0; n < 4000; n++) {
    const { stop, same } = pair.run(slice);
    const found = pair.differences();
    if (!same || found.length > 0)
      return [`after ${n + 1} slices of ${slice}`, `stop ${same ? 'the same' : stop}`, ...found];
    if (STOPPED.has(stop)) return pair.tlbDifference();
  }
  return ['still running'];
}

function expectSame(edge: Edge): void {
  for (const slice of [1, 2, 3, 4, 5, 7, 11, 13, 17, 40, 100_000])
    expect(differences(edge, slice)).toEqual([]);
}

describe('the fast path is not told apart', () => {
  it('by a jump to before offset 0 of a code segment whose base lies within a page', () => {
    // EIP FFFFFF00h and more lies beyond the limit: #GP, although the place is in the page that is being run.
    expectSame({
      org: 0,
      at: CODE + 0x800,
      source: `
  mov ecx, 3
round:
  dec ecx
  jz near $ - 0x100
  jmp round`,
      prepare: (m) => {
        tables(m);
        Object.assign(m.cpu.segments[1], { base: CODE + 0x800, limit: 0xffff });
        m.memory.bytes.fill(0xf4, CODE + 0x600, CODE + 0x800);
      },
    });
  });

  it('by an operand whose offset goes beyond 4 GiB where the base of its segment does not lie on a page', () => {
    // Offset FFFFFFFEh and four bytes: #GP before any page is looked for.
    expectSame({
      source: 'mov eax, [0xfffffffe]\n hlt',
      prepare: (m) => {
        tables(m);
        mapped(m);
        m.memory.write32(TABLE, 0);
        m.cpu.segments[3].base = 2;
      },
    });
  });

  it('by an interrupt that waits when a page fault has been delivered and the run is to end there', () => {
    // In the shadow of STI; a trap gate leaves IF set. The interrupt belongs to the next call of `run`.
    expectSame({
      source: 'sti\n mov eax, [0x30000]\n hlt',
      prepare: (m) => {
        tables(m, TRAP);
        mapped(m);
        m.memory.write32(TABLE + 0x30 * 4, 0);
        m.pin.vector = 0x20;
      },
    });
  });

  for (const [name, use] of [
    ['an operand', 'mov eax, [ebp]'],
    ['a store', 'add [ebp], eax'],
    ['LEAVE', 'mov eax, esp\n leave\n mov esp, eax'],
    ['POP', 'mov esp, ebp\n pop eax'],
    ['PUSH', 'lea esp, [ebp + 4]\n push eax'],
    ['RET', 'mov dword [ds:ebp], behind\n mov esp, ebp\n ret\nbehind:'],
  ])
    it(`by ${name} behind the limit of SS, where DS goes on`, () => {
      // Once where it may, and then where only DS reaches.
      expectSame({
        source: `
  mov ecx, 2
  mov ebp, 0x20000
round:
  inc edx
  ${use}
  mov ebp, 0x30000
  mov dword [ds:ebp], round
  mov eax, [ds:ebp]
  dec ecx
  jnz round
  hlt`,
        prepare: (m) => {
          tables(m);
          m.cpu.segments[2].limit = 0x2ffff;
        },
      });
    });

  it('by jumps to the first and behind the last byte of a page', () => {
    expectSame({
      org: CODE,
      source: `
  jmp last
first:
  inc eax
  cmp eax, 5
  jb last
  hlt
  times 0xff0 - ($ - $$) nop
last:
  times 0xfff - ($ - $$) inc ebx
  nop
behind:
  dec edx
  jmp first`,
      prepare: (m) => tables(m),
    });
  });

  it('by a jump to the first byte behind a code segment that ends with its page', () => {
    // #GP in the jump: the frame has its address, not that of its target.
    expectSame({
      source: `
  mov ecx, 3
round:
  dec ecx
  jz near $$ + 0x1000
  jmp round`,
      prepare: (m) => {
        tables(m);
        m.cpu.segments[1].limit = CODE + 0xfff;
      },
    });
  });

  it('by an entry of the TLB that denies what the tables allow by now: one fault throws it out', () => {
    expectSame({
      source: `
  mov ecx, 3
round:
  and dword [table], ~2
  invlpg [0x30000]
  mov eax, [0x30000]
  or dword [table], 2
  inc dword [0x30000]
  add edx, [0x30000]
  dec ecx
  jnz round
  hlt`.replaceAll('table', `${TABLE + 0x30 * 4}`),
      prepare: (m) => {
        tables(m);
        mapped(m);
        m.cpu.cr0 |= 0x10000;
        // INC EBX; ADD ESP, 4; IRET
        m.memory.load(HANDLERS + 14, Uint8Array.of(0x43, 0x83, 0xc4, 4, 0xcf));
      },
    });
  });

  it('by stores into the very next instruction, beside it, and into the one that stores', () => {
    expectSame({
      source: `
  mov ecx, 12
round:
  inc byte [patched + 1]
patched:
  mov eax, 0x11
  add [room], eax
  mov [own + 6], cl
own:
  mov dword [room + 4], 0x55
  xor byte [turned], 8
turned:
  inc ebx
  dec ecx
  jnz round
  hlt
align 32
room: dd 0, 0`,
      prepare: (m) => tables(m),
    });
  });

  it('by a stack in the page of the code', () => {
    expectSame({
      source: `
  mov esp, top
  mov ecx, 9
round:
  push ecx
  push patched
  call f
  pop eax
  pop ebx
  mov [patched + 1], ebx
patched:
  mov edx, 0
  dec ecx
  jnz round
  mov esp, patched + 5
  push 7
  jmp patched
f:
  add [esp + 8], ecx
  cmp edx, 7
  je near end
  ret
end:
  hlt
align 64
  times 16 dd 0
top:`,
      prepare: (m) => tables(m),
    });
  });

  it('by a page walk that is charged for a store which then is not simple: into code, or to a device', () => {
    // The budget ends with the walk; the instruction has begun before, and ends.
    expectSame({
      source: `
  mov ecx, 4
  mov ebp, cr3
round:
  mov cr3, ebp
  inc eax
  inc byte [patched + 1]
patched:
  mov bl, 0
  add edx, eax
  mov [0x30000], eax
  add edx, [0x30000]
  inc eax
  dec ecx
  jnz round
  hlt`,
      prepare: (m) => {
        tables(m);
        mapped(m);
        m.memory.map.add(0x30000, 0x1000, { readMemory: () => 0x5a, writeMemory: () => {} });
      },
    });
  });

  it('by pages that become devices, and devices that become pages', () => {
    const device = { readMemory: () => 0x5a, writeMemory: () => {} };
    const pair = new Pair(1 << 18);
    const code = assembled(
      'again: add eax, [0x30000]\n mov [0x30004], eax\n inc dword [0x30008]\n jmp again',
      CODE,
    );
    pair.each((m) => m.flat(code, CODE));
    for (let n = 0; n < 6; n++) {
      pair.run(50 + n);
      expect(pair.differences()).toEqual([]);
      pair.each(({ memory }) =>
        n & 1 ? memory.map.remove(0x30000, device) : memory.map.add(0x30000, 0x1000, device),
      );
    }
  });

  it('by memory that ends where the page tables go on', () => {
    expectSame({
      source: `
  mov ecx, 4
  mov esi, 0x3fff0
round:
  mov [esi], ecx
  mov eax, [esi]
  add esi, 8
  add edx, eax
  inc dword [0x50000]
  push dword [0x50000]
  dec ecx
  jnz round
  hlt`,
      prepare: (m) => {
        tables(m);
        mapped(m);
      },
    });
  });

  it('by the A20 gate', () => {
    const pair = new Pair(1 << 22);
    const code = assembled(
      'again: inc dword [0x120000]\n mov eax, [0x20000]\n push eax\n pop ebx\n jmp again',
      CODE,
    );
    pair.each((m) => m.flat(code, CODE));
    for (let n = 0; n < 6; n++) {
      pair.run(40 + n);
      expect(pair.differences()).toEqual([]);
      pair.each(({ cpu }) => {
        cpu.a20Mask = n & 1 ? 0xffffffff : 0xffefffff;
      });
    }
    expect(pair.fast.memory.read32(0x20000)).toBeGreaterThan(0);
  });
});

describe('the loop around it', () => {
  /** STI is the last byte of a page: what is behind it is executed by itself, in the next page, and jumps back. */
  function behindSti(path: FastPath | null, advance: (m: TestMachine) => number): number {
    return withFastPath(path, () => {
      const m = new TestMachine(1 << 18);
      m.flat(assembled('call 0x12010\n jmp 0x11ff0', 0x11000), 0x11000);
      m.memory.load(0x11ff0, assembled('times 15 nop\n sti', 0x11ff0));
      m.memory.load(0x12000, assembled('jmp 0x11f00\n times 11 nop\n ret', 0x12000));
      m.memory.load(0x11f00, assembled('mov eax, 1\n hlt', 0x11f00));
      m.memory.load(0x12f00, assembled('mov eax, 2\n hlt', 0x12f00));
      m.cpu.compiledAllowed = false;
      m.cpu.regs[4] = 0x20000;
      for (let n = 0; n < 100 && !m.cpu.halted; n++) advance(m);
      return m.cpu.regs[0];
    });
  }

  it('decodes from the page of EIP, also when an instruction between two of its own has come from another', () => {
    expect(behindSti(ABSENT, ({ cpu }) => step(cpu))).toBe(1);
    for (const path of [ABSENT, PROVIDED]) expect(behindSti(path, (m) => m.run(1000))).toBe(1);
  });
});

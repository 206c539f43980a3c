// Single step, breakpoints and what holds them off (SDM vol. 3 §6.8, §17.2, §17.3), where QEMU is not an oracle: it gives STI
// and LSS the shadow of MOV SS, has no general detection, and does not carry RF through a repeated instruction. What both do alike
// is in fixtures/system/stepping.inc.
import { describe, expect, it } from 'vitest';
import { getFlags } from './flags.ts';
import { hasNasm, nasm, TestMachine } from './test-machine.ts';

const GDT = 0x500;
const IDT = 0x600;
const LOG = 0x3000;
const TF = 0x100;
const RF = 0x10000;

/**
 * Runs 32-bit code at 1000h in ring 0 with a #DB handler that notes EIP and DR6 of each exception.
 * @param resume what the handler ORs into the flags of the frame
 */
function traced(code: string, resume = 0): { m: TestMachine; traps: [eip: number, dr6: number][] } {
  const m = new TestMachine().flat(nasm(`bits 32\norg 0x1000\n${code}\ncli\nhlt`));
  const handler = `bits 32
    push eax
    push edx
    mov edx, [${LOG}]
    mov eax, [esp + 8]
    mov [edx], eax
    mov eax, dr6
    mov [edx + 4], eax
    mov eax, 0xffff0ff0
    mov dr6, eax
    add dword [${LOG}], 8
    pop edx
    pop eax
    or dword [esp + 8], ${resume}
    iretd`;
  m.memory.load(0x2000, nasm(handler));
  m.memory.write32(LOG, LOG + 4);
  m.memory.load(
    GDT,
    Uint8Array.of(
      ...new Array(8).fill(0),
      255,
      255,
      0,
      0,
      0,
      0x9b,
      0xcf,
      0,
      255,
      255,
      0,
      0,
      0,
      0x93,
      0xcf,
      0,
    ),
  );
  m.memory.load(IDT + 8, Uint8Array.of(0, 0x20, 8, 0, 0, 0x8e, 0, 0));
  m.cpu.gdtr.base = GDT;
  m.cpu.gdtr.limit = 23;
  m.cpu.idtr.base = IDT;
  m.cpu.idtr.limit = 0x7ff;
  m.run(100_000);
  const count = (m.memory.read32(LOG) - LOG - 4) / 8;
  const traps = Array.from({ length: count }, (_, n): [number, number] => [
    m.memory.read32(LOG + 4 + 8 * n) - 0x1000,
    m.memory.read32(LOG + 8 + 8 * n) & 0xffff & ~0x0ff0,
  ]);
  return { m, traps };
}

const places = (traps: [number, number][]) => traps.map(([eip]) => eip);
const STEP_ON = `pushfd\nor dword [esp], ${TF}\npopfd`;
/** Bytes of STEP_ON. */
const ON = 9;
const STEP_OFF = `pushfd\nand dword [esp], ~${TF}\npopfd`;
const OFF_TRAPS = (at: number) => [at + 1, at + 8, at + 9];

describe.skipIf(!hasNasm())('single step', () => {
  it('begins behind the instruction that follows the POPF, and ends behind the one that clears TF', () => {
    const { traps } = traced(`${STEP_ON}\nnop\n${STEP_OFF}\nnop`);
    expect(traps).toEqual([ON + 1, ...OFF_TRAPS(ON + 1)].map((eip) => [eip, 0x4000]));
  });

  it('is not held off by STI, whose shadow is for interrupts', () => {
    const { traps } = traced(`${STEP_ON}\nsti\nnop\n${STEP_OFF}`);
    expect(places(traps)).toEqual([ON + 1, ON + 2, ...OFF_TRAPS(ON + 2)]);
  });

  it('is held off by MOV SS and POP SS until behind the next instruction, and not by LSS', () => {
    // mov ss,ax is two bytes, nop one.
    const mov = traced(`mov eax, ss\n${STEP_ON}\nmov ss, ax\nnop\n${STEP_OFF}`);
    expect(places(mov.traps)).toEqual([2 + ON + 3, ...OFF_TRAPS(2 + ON + 3)]);
    const pop = traced(`push dword 16\n${STEP_ON}\npop ss\nnop\n${STEP_OFF}`);
    expect(places(pop.traps)).toEqual([2 + ON + 2, ...OFF_TRAPS(2 + ON + 2)]);
    const lss = traced(
      `mov [0x4000], esp\nmov word [0x4004], 16\n${STEP_ON}\nlss esp, [0x4000]\nnop\n${STEP_OFF}`,
    );
    const at = 6 + 9 + ON;
    expect(places(lss.traps)).toEqual([at + 7, at + 8, ...OFF_TRAPS(at + 8)]);
  });

  it('traps between the elements of a repeated instruction', () => {
    const { traps, m } = traced(`mov ecx, 3\nmov edi, 0x4000\n${STEP_ON}\nrep stosb\n${STEP_OFF}`);
    const rep = 10 + ON;
    expect(places(traps)).toEqual([rep, rep, rep + 2, ...OFF_TRAPS(rep + 2)]);
    expect(m.cpu.regs[1]).toBe(0);
  });

  it('does not step into the handler of INT n, which returns with TF', () => {
    const { traps } = traced(`mov word [${IDT + 0x41 * 8}], 0x2080
      mov dword [${IDT + 0x41 * 8 + 2}], 8
      mov dword [${IDT + 0x41 * 8 + 4}], 0x8f00
      mov dword [0x2080], 0xcf90
      ${STEP_ON}\nint 0x41\nnop\n${STEP_OFF}`);
    const at = 9 + 10 + 10 + 10 + ON;
    // IRET brings TF back: the next trap is behind the instruction that it returns to.
    expect(places(traps)).toEqual([at + 3, ...OFF_TRAPS(at + 3)]);
  });

  // These as KVM's unit test "debug" has them from real processors.
  it('steps over HLT, which is then over', () => {
    const { traps } = traced(`${STEP_ON}\nhlt\n${STEP_OFF}\nnop`);
    expect(traps).toEqual([ON + 1, ...OFF_TRAPS(ON + 1)].map((eip) => [eip, 0x4000]));
  });

  it('leaves INT1 behind MOV SS its own exception, and none of the step', () => {
    const { traps } = traced(`mov eax, ss\n${STEP_ON}\nmov ss, ax\nint1\nnop\n${STEP_OFF}`);
    const at = 2 + ON + 2;
    expect(traps.slice(0, 2)).toEqual([
      [at + 1, 0],
      [at + 2, 0x4000],
    ]);
  });
});

const WATCH = (dr7: number, address: number | string) =>
  `mov eax, ${address}\nmov dr0, eax\nmov eax, ${dr7}\nmov dr7, eax\n`;
/** Bytes of WATCH. */
const W = 16;
const WRITES = 0x00010001,
  ACCESSES = 0x00030001,
  DOUBLEWORD = 0x000c0000;

describe.skipIf(!hasNasm())('data breakpoints', () => {
  it('trap between the elements of a repeated instruction', () => {
    const { traps, m } = traced(`mov edi, 0x4000\nmov ecx, 4\n${WATCH(WRITES, 0x4002)}rep stosb`);
    expect(traps).toEqual([[10 + W, 1]]);
    expect(m.cpu.regs[1]).toBe(0);
  });

  it('that MOV SS hits wait for the next instruction', () => {
    const { traps } = traced(`mov word [0x4000], 16\n${WATCH(ACCESSES, 0x4000)}mov ss, [0x4000]\nnop\nnop`);
    expect(traps).toEqual([[9 + W + 6 + 1, 1]]);
  });

  it('that MOV SS hits are part of the exception that INT1 behind it raises', () => {
    const { traps } = traced(`mov word [0x4000], 16\n${WATCH(ACCESSES, 0x4000)}mov ss, [0x4000]\nint1\nnop`);
    expect(traps).toEqual([[9 + W + 6 + 1, 1]]);
  });

  it('replace what DR6 says of breakpoints, and leave its other bits', () => {
    const { traps } = traced(`mov eax, 0x4004\nmov dr6, eax\n${WATCH(WRITES, 0x4000)}mov [0x4000], al\nnop`);
    expect(traps).toEqual([[8 + W + 5, 0x4001]]);
  });

  it('ignore the low bits of the address, by length', () => {
    const { traps } = traced(`${WATCH(WRITES | DOUBLEWORD, 0x4006)}mov [0x4004], al\nmov [0x4008], al\nnop`);
    expect(traps).toEqual([[W + 5, 1]]);
  });

  it('see both halves of an access across a page', () => {
    const { traps } = traced(`${WATCH(WRITES, 0x5001)}mov [0x4ffe], eax\nnop`);
    expect(traps).toEqual([[W + 5, 1]]);
  });

  it('and single step come in one exception', () => {
    const { traps } = traced(`${WATCH(WRITES, 0x4000)}${STEP_ON}\nmov [0x4000], al\n${STEP_OFF}`);
    expect(traps[0]).toEqual([W + ON + 5, 0x4001]);
  });
});

describe.skipIf(!hasNasm())('instruction breakpoints', () => {
  it('are faults: EIP is that of the instruction; RF in the frame lets it pass', () => {
    const { traps, m } = traced(`${WATCH(1, 0x1000 + W)}inc ebx\nnop`, RF);
    expect(traps).toEqual([[W, 1]]);
    expect(m.cpu.regs[3]).toBe(1);
    expect(getFlags(m.cpu) & RF).toBe(0);
  });

  it('do not fire again in the middle of a repeated instruction that RF has let pass', () => {
    const { traps, m } = traced(
      `mov edi, 0x4000\nmov ecx, 1000\n${WATCH(1, 0x1000 + 10 + W)}rep stosb\nmov ebx, ecx`,
      RF,
    );
    expect(traps).toEqual([[10 + W, 1]]);
    expect(m.cpu.regs[3]).toBe(0);
  });

  it('fire each time round a loop', () => {
    const { traps } = traced(`mov ecx, 3\n${WATCH(1, 0x1000 + 5 + W)}loop $`, RF);
    expect(traps).toEqual([1, 2, 3].map(() => [5 + W, 1]));
  });

  it('are not looked at behind MOV SS', () => {
    const { traps } = traced(`mov edx, ss\n${WATCH(1, 0x1000 + 2 + W + 2)}mov ss, dx\nnop\nnop`, RF);
    expect(traps).toEqual([]);
  });
});

describe.skipIf(!hasNasm())('INT1', () => {
  it('is a trap that gives no reason in DR6', () => {
    const { traps } = traced('nop\nint1\nnop');
    expect(traps).toEqual([[2, 0]]);
  });
});

describe.skipIf(!hasNasm())('general detection', () => {
  it('refuses the debug registers before anything happens, and is off in the handler', () => {
    // The handler reads DR6: were it still on, this would never end.
    const { traps, m } = traced(`mov eax, 0x2000\nmov dr7, eax\nmov ebx, dr0\nmov ecx, dr7`);
    expect(traps).toEqual([[8, 0x2000]]);
    expect(m.cpu.regs[1]).toBe(0x400);
  });

  it('is a fault, so the handler is not stepped into', () => {
    const { traps } = traced(`mov eax, 0x2000\nmov dr7, eax\n${STEP_ON}\nmov ebx, dr0\n${STEP_OFF}`);
    const at = 8 + ON;
    expect(traps.slice(0, 2)).toEqual([
      [at, 0x2000],
      [at + 3, 0x4000],
    ]);
  });

  it('is off in the handler of any debug exception', () => {
    const { traps, m } = traced(`${WATCH(0x2000 | 1, 0x1000 + W)}nop\nmov ecx, dr7`, RF);
    expect(traps).toEqual([[W, 1]]);
    expect(m.cpu.regs[1]).toBe(0x401);
  });
});

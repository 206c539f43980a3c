// What surrounds the arithmetic (SDM vol. 1 §8.7, vol. 3 §2.5, §13.4): #NM by TS and EM, #MF with CR0.NE, IRQ 13 through the board
// without it, and what the environment in memory says of the instruction that failed.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../assembler/assemble.ts';
import { costModel } from '../../../cost/processors.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { CS, DS, EBX, ES, SS } from '../../isa/instruction.ts';
import { Pc } from '../../pc.ts';
import { Stop } from '../cpu.ts';
import { step } from '../execute.ts';

const CODE = 0x7c00;
const HANDLERS = 0x500;

/** A PC in real mode at a program; vector n of the table leads to a HLT at HANDLERS + n. */
function machine(source: string): Pc {
  const { bytes, diagnostics } = assemble(
    new Map([['main.asm', `bits 16\norg ${CODE}\n${source}`]]),
    'main.asm',
  );
  expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  const pc = new Pc(costModel('merom'), new Recorder(64), 1 << 20, { startDate: '2006-01-01T00:00:00' });
  pc.memory.load(CODE, bytes!);
  for (let n = 0; n < 256; n++) {
    pc.memory.write32(4 * n, HANDLERS + n);
    pc.memory.write8(HANDLERS + n, 0xf4);
  }
  const { cpu } = pc;
  for (const register of [CS, DS, ES, SS]) {
    cpu.segments[register].selector = 0;
    cpu.segments[register].base = 0;
  }
  cpu.idtr.base = 0;
  cpu.idtr.limit = 0x3ff;
  cpu.regs[4] = 0x7000;
  cpu.eip = CODE;
  return pc;
}

/** Runs until HLT. @returns the vector at whose handler it stands, or -1 when the program's own HLT was reached */
function outcome(pc: Pc, patience = 200): number {
  for (let n = 0; n < patience; n++) {
    if (step(pc.cpu) === Stop.halted) break;
  }
  const vector = pc.cpu.eip - 1 - HANDLERS;
  return vector >= 0 && vector < 256 ? vector : -1;
}

const divideByZero = 'fninit\nfldcw [mask]\nfld1\nfldz\nfdivp st1, st0\n';
const data = '\nmask: dw 0x37b\nword1: dw 0\n';

describe('#NM', () => {
  it('comes with TS or EM, and for WAIT with TS and MP', () => {
    const vectors = [0, 8, 4].map((bits) => {
      const pc = machine('fninit\nhlt');
      pc.cpu.cr0 |= bits;
      return outcome(pc);
    });
    expect(vectors).toEqual([-1, 7, 7]);
    const waiting = machine('fwait\nhlt');
    waiting.cpu.cr0 |= 10;
    expect(outcome(waiting)).toBe(7);
  });

  it('comes before a pending error, so that a lazy switch never loses one', () => {
    const pc = machine(`${divideByZero}mov eax, cr0\nor al, 0x28\nmov cr0, eax\nfld1\nhlt${data}`);
    expect(outcome(pc)).toBe(7);
  });
});

describe('an unmasked error', () => {
  it('waits for the next waiting instruction, and is #MF with CR0.NE', () => {
    const pc = machine(`${divideByZero}fnstsw ax\nmov bx, ax\nfld1\nhlt${data}`);
    pc.cpu.cr0 |= 0x20;
    expect(outcome(pc)).toBe(16);
    // ZE, ES, B; TOP stays: the division was not done.
    expect(pc.cpu.regs[EBX] & 0xffff).toBe(0xb084);
    // The frame says where to go on: at the FLD1.
    expect(pc.memory.read16(pc.cpu.regs[4] & 0xffff)).toBe(CODE + 16);
  });

  it('does not stop the instructions that do not wait', () => {
    const pc = machine(`${divideByZero}fnstcw [word1]\nfnstenv [0x6000]\nfnclex\nfld1\nhlt${data}`);
    pc.cpu.cr0 |= 0x20;
    expect(outcome(pc)).toBe(-1);
    // Real-mode environment: control, status, tags; the pointer names the FDIVP and its opcode DE F9.
    expect(pc.memory.read16(0x6000)).toBe(0x37b);
    expect(pc.memory.read16(0x6006)).toBe(CODE + 10);
    expect(pc.memory.read16(0x6008)).toBe(0x6f9);
  });

  it('is IRQ 13 without CR0.NE: FERR#, a handler that writes port F0h, and on with IGNNE#', () => {
    const handler = CODE + 0x100;
    const pc = machine(
      `${divideByZero}sti\nfld1\nmov bx, 5\nmov si, word1\nhlt${data}
      times 0x100-($-$$) db 0
      fnstsw ax
      out 0xf0, al
      fnclex
      mov al, 0x20
      out 0xa0, al
      out 0x20, al
      inc word [word1]
      iret`,
    );
    // Initialize the PICs: vectors 8 and 70h, everything masked but the cascade and IRQ 13.
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 8],
      [0x21, 4],
      [0x21, 1],
      [0xa0, 0x11],
      [0xa1, 0x70],
      [0xa1, 2],
      [0xa1, 1],
      [0x21, 0xfb],
      [0xa1, 0xdf],
    ])
      pc.board.write(port, value, 1);
    pc.memory.write32(4 * 0x75, handler);
    expect(outcome(pc)).toBe(-1);
    expect(pc.cpu.regs[EBX]).toBe(5);
    // The handler ran once.
    expect(pc.memory.read16(pc.cpu.regs[6] & 0xffff)).toBe(1);
    expect(pc.board.pic.pending()).toBe(false);
  });
});

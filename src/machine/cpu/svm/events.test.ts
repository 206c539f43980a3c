// Events into and around an SVM guest: EVENTINJ, real interrupts with and without V_INTR_MASKING, virtual interrupts by V_IRQ,
// and the global interrupt flag (APM vol. 2 §15.13, §15.17, §15.20, §15.21).
import { expect, it } from 'vitest';
import { step } from '../execute.ts';
import { nasm } from '../test-machine.ts';
import { GENERAL1 as G1, SVM_EXIT } from './exit-codes.ts';
import { VINTR } from './layout.ts';
import { clgi, stgi } from './operations.ts';
import { AT, Guest, HANDLERS, needsNasm } from './testing.ts';

const IF = 0x200;

needsNasm('event injection', () => {
  const stack = (guest: Guest, n: number): number => guest.cpu.memory.read32(guest.read('RSP') + n * 4) >>> 0;

  it.each([
    ['an interrupt', 0x80000030, 0x30, false],
    ['an NMI', 0x80000202, 2, false],
    ['an exception with an error code', 0x1234_80000b0d, 13, true],
    ['INT n', 0x80000480, 0x80, false],
    ['INT3', 0x80000303, 3, false],
  ])('%s goes through the guest’s IDT before its first instruction', (_, event, vector, hasCode) => {
    const guest = new Guest('nop\nnop', { EVENTINJ: event, RFLAGS: 2 });
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect(guest.read('RIP')).toBe(HANDLERS + vector * 16);
    if (hasCode) expect(stack(guest, 0)).toBe(0x1234);
    expect(stack(guest, hasCode ? 1 : 0), 'it returns to the RIP of the VMCB').toBe(AT.code);
    expect(guest.read('EVENTINJ') & 0x80000000, 'not twice').toBe(0);
  });

  it('nobody asks whether the injected exception is intercepted', () => {
    const guest = new Guest('nop', { EVENTINJ: 0x8000030e, INTERCEPT_EXCEPTION: 1 << 14 });
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect(guest.read('RIP')).toBe(HANDLERS + 14 * 16);
  });

  it('a fault of its delivery leaves, and names it', () => {
    const guest = new Guest('nop', {
      EVENTINJ: 0x80000030,
      'IDTR.base': 0x600000,
      INTERCEPT_EXCEPTION: 1 << 14,
    });
    expect(guest.exit()).toBe(SVM_EXIT.exception + 14);
    expect(guest.read('EXITINTINFO')).toBe(0x80000030);
  });

  it('injected INT3 respects the DPL of its gate', () => {
    const user = { CPL: 3, 'CS.selector': 0x23, 'CS.attrib': 0xcfb, 'SS.selector': 0x2b, 'SS.attrib': 0xcf3 };
    const guest = new Guest('nop', { ...user, EVENTINJ: 0x80000303, INTERCEPT_EXCEPTION: 1 << 13 });
    guest.cpu.memory.write8(AT.idt + 3 * 8 + 5, 0x8e);
    expect(guest.exit()).toBe(SVM_EXIT.exception + 13);
    expect(guest.read('EXITINFO1')).toBe(3 * 8 + 2);
  });

  it('a pushed frame of a fault has RF', () => {
    const guest = new Guest('nop', { EVENTINJ: 0x80000306 });
    guest.exit();
    expect(stack(guest, 2) & 0x10000).toBe(0x10000);
  });
});

needsNasm('real interrupts', () => {
  const LOOP = 'again: jmp again';

  it('with V_INTR_MASKING the host’s IF decides, whatever the guest’s', () => {
    const guest = new Guest(LOOP, { INTERCEPT_GENERAL1: G1.interrupt, VINTR: VINTR.masking });
    guest.machine.interrupts.vector = 0x41;
    expect(guest.exit(IF | 2)).toBe(SVM_EXIT.interrupt);
    expect(guest.machine.interrupts.pending(), 'it stays pending').toBe(true);
    const deaf = new Guest('sti\nnop\nnop\nhlt', { INTERCEPT_GENERAL1: G1.interrupt, VINTR: VINTR.masking });
    deaf.machine.interrupts.vector = 0x41;
    expect(deaf.exit(2), 'the host had IF = 0').toBe(SVM_EXIT.hlt);
  });

  it('without it the guest’s own IF does', () => {
    const closed = new Guest('nop\nnop\nhlt', { INTERCEPT_GENERAL1: G1.interrupt });
    closed.machine.interrupts.vector = 0x41;
    expect(closed.exit(IF | 2)).toBe(SVM_EXIT.hlt);
    const open = new Guest('sti\nnop\nnop\nhlt', { INTERCEPT_GENERAL1: G1.interrupt });
    open.machine.interrupts.vector = 0x41;
    expect(open.exit(2)).toBe(SVM_EXIT.interrupt);
    expect(open.read('RIP'), 'behind the shadow of STI').toBe(AT.code + 2);
  });

  it('not intercepted, it goes through the guest’s IDT', () => {
    const guest = new Guest('sti\nnop\nnop\nhlt');
    guest.machine.interrupts.vector = 0x41;
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect(guest.read('RIP')).toBe(HANDLERS + 0x41 * 16);
  });

  it('an exit leaves GIF clear: the interrupt waits for STGI', () => {
    const guest = new Guest(LOOP, { INTERCEPT_GENERAL1: G1.interrupt, VINTR: VINTR.masking });
    const { cpu } = guest;
    guest.machine.interrupts.vector = 0x41;
    guest.exit(IF | 2);
    cpu.stop = 0;
    cpu.regs[4] = AT.stack;
    cpu.memory.load(AT.monitor, nasm('bits 32\nnop\nstgi\nnop'));
    cpu.idtr.base = AT.idt;
    cpu.idtr.limit = 0x7ff;
    cpu.gdtr.base = AT.gdt;
    cpu.gdtr.limit = 0x3f;
    step(cpu);
    expect(cpu.eip, 'IF is 1, GIF is 0').toBe(AT.monitor + 1);
    step(cpu);
    step(cpu);
    expect(cpu.eip).toBe(HANDLERS + 0x41 * 16);
    clgi(cpu);
    expect(cpu.gif).toBe(false);
    stgi(cpu);
    expect(cpu.gif).toBe(true);
  });

  it('an NMI leaves by its bit and stays pending', () => {
    const guest = new Guest(LOOP, { INTERCEPT_GENERAL1: G1.nmi });
    guest.cpu.nmiPending = true;
    expect(guest.exit()).toBe(SVM_EXIT.nmi);
    expect(guest.cpu.nmiPending).toBe(true);
  });
});

needsNasm('virtual interrupts', () => {
  const irq = (vector: number, priority: number, tpr: number, ignore = false): number =>
    vector * 2 ** 32 + (VINTR.masking | VINTR.irq | (priority << 16) | tpr | (ignore ? VINTR.ignoreTpr : 0));

  it('V_IRQ is taken when the guest opens IF, and then forgotten', () => {
    const guest = new Guest('nop\nsti\nnop\nnop\nhlt', { VINTR: irq(0x51, 5, 0) });
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect(guest.read('RIP')).toBe(HANDLERS + 0x51 * 16);
    expect(guest.read('VINTR') & VINTR.irq).toBe(0);
  });

  it('V_TPR holds it off, unless V_IGN_TPR says not to look', () => {
    expect(new Guest('sti\nnop\nnop\nhlt', { VINTR: irq(0x51, 5, 5) }).exit()).toBe(SVM_EXIT.hlt);
    const held = new Guest('sti\nnop\nnop\nhlt', { VINTR: irq(0x51, 5, 5) });
    held.exit();
    expect(held.read('RIP')).toBe(AT.code + 3);
    const ignored = new Guest('sti\nnop\nnop\nhlt', { VINTR: irq(0x51, 5, 5, true) });
    ignored.exit();
    expect(ignored.read('RIP')).toBe(HANDLERS + 0x51 * 16);
  });

  it('with VINTR intercepted it leaves where it would have been taken: the interrupt window', () => {
    const guest = new Guest('nop\nsti\nnop\nnop\nhlt', {
      VINTR: irq(0, 15, 0, true),
      INTERCEPT_GENERAL1: G1.virtualInterrupt,
    });
    expect(guest.exit()).toBe(SVM_EXIT.virtualInterrupt);
    expect(guest.read('RIP'), 'behind the shadow').toBe(AT.code + 3);
    expect(guest.read('VINTR') & VINTR.irq, 'still waiting').toBe(VINTR.irq);
  });

  it('a real interrupt goes first', () => {
    const guest = new Guest('sti\nnop\nnop\nhlt', {
      VINTR: irq(0x51, 5, 0),
      INTERCEPT_GENERAL1: G1.interrupt | G1.virtualInterrupt,
    });
    guest.machine.interrupts.vector = 0x41;
    expect(guest.exit(IF | 2)).toBe(SVM_EXIT.interrupt);
  });
});

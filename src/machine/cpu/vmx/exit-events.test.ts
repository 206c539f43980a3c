// Exceptions, interrupts and task switches that leave a guest (SDM vol. 3 §25.2, §27.2.2–27.2.3): what the exit says about
// them, and about the event on whose way they came.
import { expect, it } from 'vitest';
import { Stop } from '../cpu.ts';
import { run } from '../execute.ts';
import { PIN, PROC } from './capabilities.ts';
import { EXIT } from './exit-reasons.ts';
import { vmlaunch } from './operations.ts';
import { AT } from './testing.ts';
import { Guest, HANDLERS, needsNasm, PIN_BASE, PROC_BASE } from './testing-guest.ts';

needsNasm('exceptions', () => {
  it('exit by the exception bitmap, with vector, type and error code', () => {
    const guest = new Guest('ud2', { EXCEPTION_BITMAP: 1 << 6 });
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000306);
    expect(guest.read('GUEST_RIP')).toBe(AT.code);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(0);
    expect(guest.read('GUEST_RFLAGS') & 0x10000, 'RF as a fault pushes it').toBe(0x10000);
  });

  it('INT3 is a software exception with a length; its RIP is its own', () => {
    const guest = new Guest('nop\nint3', { EXCEPTION_BITMAP: 1 << 3 });
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000603);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(1);
    expect(guest.read('GUEST_RIP')).toBe(AT.code + 1);
  });

  it('INT n never exits by the bitmap', () => {
    const guest = new Guest('int 3', { EXCEPTION_BITMAP: 0xffffffff }, { 3: 'cpuid' });
    guest.cpu.memory.load(AT.code, new Uint8Array([0xcd, 3]));
    expect(guest.exit()).toBe(EXIT.cpuid);
  });

  it('a single-step trap puts BS into the qualification, and leaves DR6 alone', () => {
    const guest = new Guest('nop\nnop', { EXCEPTION_BITMAP: 2, GUEST_RFLAGS: 0x102 });
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000301);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0x4000);
    expect(guest.read('GUEST_RIP')).toBe(AT.code + 1);
    expect(guest.cpu.dr[6] & 0x4000).toBe(0);
  });

  const pageFault = 'mov dword [0x800000], 1\ncpuid';
  it('#PF puts the linear address into the qualification and leaves CR2 alone', () => {
    const guest = new Guest(pageFault, { EXCEPTION_BITMAP: 1 << 14 });
    guest.cpu.cr2 = 0x1111;
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000b0e);
    expect(guest.read('VM_EXIT_INTR_ERROR_CODE')).toBe(2);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0x800000);
    expect(guest.cpu.cr2).toBe(0x1111);
  });

  const filter: [string, number, number, number, boolean][] = [
    ['bit 14 set, writes wanted', 1 << 14, 2, 2, true],
    ['bit 14 set, reads wanted', 1 << 14, 2, 0, false],
    ['bit 14 clear, reads excepted', 0, 2, 0, true],
    ['bit 14 clear, writes excepted', 0, 2, 2, false],
  ];
  it.each(filter)('#PF filter: %s', (_, bitmap, mask, match, exits) => {
    const guest = new Guest(
      pageFault,
      { EXCEPTION_BITMAP: bitmap, PAGE_FAULT_ERROR_CODE_MASK: mask, PAGE_FAULT_ERROR_CODE_MATCH: match },
      { 14: 'cpuid' },
    );
    expect(guest.exit()).toBe(exits ? EXIT.exceptionOrNmi : EXIT.cpuid);
    if (!exits) expect(guest.cpu.cr2).toBe(0x800000);
  });

  it('a fault while an exception is delivered exits with IDT-vectoring information, before it becomes a double fault', () => {
    // #GP's gate leads to a stack that is not there: the push faults.
    const guest = new Guest('mov esp, 0x900000\nmov ax, 0x77\nmov ds, ax', { EXCEPTION_BITMAP: 1 << 14 });
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO') & 0xff).toBe(14);
    expect(guest.read('IDT_VECTORING_INFO')).toBe(0x80000b0d);
    expect(guest.read('IDT_VECTORING_ERROR_CODE')).toBe(0x74);
  });

  it('a page fault while a page fault is delivered exits as such, too', () => {
    const guest = new Guest('mov esp, 0x900000\nmov eax, [0x800000]', {
      EXCEPTION_BITMAP: 1 << 14,
      PAGE_FAULT_ERROR_CODE_MASK: 2,
      PAGE_FAULT_ERROR_CODE_MATCH: 2,
    });
    guest.cpu.cr2 = 0x1111;
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000b0e);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0x8ffffc);
    expect(guest.read('IDT_VECTORING_INFO')).toBe(0x80000b0e);
    expect(guest.cpu.cr2, 'the first fault had reached CR2').toBe(0x800000);
  });

  it('INT n whose delivery faults is reported as that software interrupt, with its length', () => {
    const guest = new Guest('mov esp, 0x900000\nint 0x80', { EXCEPTION_BITMAP: 1 << 14 });
    guest.exit();
    expect(guest.read('IDT_VECTORING_INFO')).toBe(0x80000480);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(2);
    expect(guest.read('GUEST_RIP')).toBe(AT.code + 5);
  });

  it('a triple fault always exits', () => {
    const guest = new Guest('ud2', { GUEST_IDTR_LIMIT: 0 });
    expect(guest.exit()).toBe(EXIT.tripleFault);
    expect(guest.read('IDT_VECTORING_INFO') >>> 31).toBe(0);
    expect(guest.read('GUEST_RIP')).toBe(AT.code);
  });

  it('a double fault that exits is no event during delivery', () => {
    const guest = new Guest('ud2', { GUEST_IDTR_LIMIT: 0x5f, EXCEPTION_BITMAP: 1 << 8 });
    guest.cpu.memory.write32(AT.idt + 13 * 8 + 4, 0);
    guest.cpu.memory.write32(AT.idt + 6 * 8 + 4, 0);
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000b08);
    expect(guest.read('IDT_VECTORING_INFO') >>> 31).toBe(0);
  });

  it('a task switch always exits, with selector and source', () => {
    const guest = new Guest('jmp 0x30:0');
    guest.cpu.memory.write32(AT.gdt + 0x30, 0x67 | (0x9000 << 16));
    guest.cpu.memory.write32(AT.gdt + 0x34, 0x8900);
    expect(guest.exit()).toBe(EXIT.taskSwitch);
    expect(guest.read('EXIT_QUALIFICATION')).toBe((0x30 | (2 << 30)) >>> 0);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(7);
  });
});

needsNasm('interrupts', () => {
  const EXTERNAL = { PIN_BASED_VM_EXEC_CONTROL: PIN_BASE | PIN.externalInterrupt };

  it('exit whatever IF is, and stay pending unless the exit acknowledges them', () => {
    const guest = new Guest('cli\nspin: jmp spin', EXTERNAL);
    guest.machine.interrupts.vector = 0x31;
    expect(guest.exit()).toBe(EXIT.externalInterrupt);
    expect(guest.read('VM_EXIT_INTR_INFO') >>> 31).toBe(0);
    expect(guest.machine.interrupts.pending()).toBe(true);
    guest.set({ VM_EXIT_CONTROLS: 0x36dff | (1 << 15) });
    expect(guest.exit()).toBe(EXIT.externalInterrupt);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000031);
    expect(guest.machine.interrupts.pending()).toBe(false);
  });

  it('go to the guest when the control is 0, if IF allows it', () => {
    const guest = new Guest('sti\nspin: jmp spin', {}, { 49: 'cpuid' });
    guest.machine.interrupts.vector = 0x31;
    expect(guest.exit()).toBe(EXIT.cpuid);
    expect(guest.read('GUEST_RIP')).toBe(HANDLERS + 0x310);
  });

  it('NMI exits as type 2, and blocks further ones in the host', () => {
    const guest = new Guest('spin: jmp spin', { PIN_BASED_VM_EXEC_CONTROL: PIN_BASE | PIN.nmi });
    guest.cpu.nmiPending = true;
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000202);
    expect(guest.cpu.nmiBlocked).toBe(true);
  });

  it('the interrupt window opens one instruction behind STI', () => {
    const guest = new Guest('cli\nnop\nsti\nnop\nnop', {
      CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.interruptWindow,
    });
    expect(guest.exit()).toBe(EXIT.interruptWindow);
    expect(guest.read('GUEST_RIP')).toBe(AT.code + 4);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(0);
  });

  it('a HLT that exits right behind STI reports blocking by STI', () => {
    const guest = new Guest('sti\nhlt');
    expect(guest.exit()).toBe(EXIT.hlt);
    expect(guest.read('GUEST_INTERRUPTIBILITY_INFO')).toBe(1);
  });

  it('a guest halted by itself keeps that as its activity state over an exit', () => {
    const guest = new Guest('sti\nhlt\nnop', { CPU_BASED_VM_EXEC_CONTROL: PROC_BASE, ...EXTERNAL });
    guest.machine.interrupts.vector = 0x31;
    guest.set({ VM_EXIT_CONTROLS: 0x36dff | (1 << 15) });
    // The interrupt comes while HLT waits: STI protects the instruction behind it.
    expect(vmlaunch(guest.cpu)).toBe(0);
    guest.machine.interrupts.vector = -1;
    expect(run(guest.cpu, guest.cpu.cycles + 10_000)).toBe(Stop.halted);
    guest.machine.interrupts.vector = 0x31;
    expect(run(guest.cpu, guest.cpu.cycles + 10_000)).toBe(Stop.monitor);
    expect(guest.read('VM_EXIT_REASON')).toBe(EXIT.externalInterrupt);
    expect(guest.read('GUEST_ACTIVITY_STATE')).toBe(1);
    expect(guest.read('GUEST_RIP')).toBe(AT.code + 2);
  });
});

// One test for each way out of a guest. The guest is assembled by nasm and runs in non-root operation; the monitor is this
// file. Reasons, qualifications and lengths are those of SDM vol. 3 §27.2 and appendix C.
import { describe, expect, it } from 'vitest';
import { type Cpu, Stop } from '../cpu.ts';
import { run } from '../execute.ts';
import { hasNasm, nasm } from '../test-machine.ts';
import { PIN, PROC } from './capabilities.ts';
import { EXIT } from './exit-reasons.ts';
import { FIELD as F } from './fields.ts';
import { vmlaunch, vmread, vmresume, vmwrite } from './operations.ts';
import { AT, guestTables, readyVmcs } from './testing.ts';

type Fields = Partial<Record<keyof typeof F, number>>;
const PROC_BASE = 0x0401e172;
const PIN_BASE = 0x16;
const HANDLERS = 0x40000;

/** `run` may come back early with Stop.budget, after a port access for one. */
function untilStopped(cpu: Cpu): number {
  const end = cpu.cycles + 100_000;
  let stop: number = Stop.budget;
  while (stop === Stop.budget && cpu.cycles < end) stop = run(cpu, end);
  return stop;
}

/** A guest program between entry and exit. Interrupt handlers of the guest stand at HANDLERS + vector * 16 and are HLT unless given. */
class Guest {
  readonly machine = readyVmcs();
  readonly cpu = this.machine.cpu;
  private launched = false;

  constructor(source: string, fields: Fields = {}, handlers: Record<number, string> = {}) {
    const { memory } = this.cpu;
    guestTables(memory, HANDLERS);
    memory.load(HANDLERS, new Uint8Array(256 * 16).fill(0xf4));
    for (const [vector, code] of Object.entries(handlers))
      memory.load(
        HANDLERS + Number(vector) * 16,
        nasm(`bits 32\norg ${HANDLERS + Number(vector) * 16}\n${code}`),
      );
    memory.load(AT.code, nasm(`bits 32\norg ${AT.code}\n${source}`));
    this.set({ CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.hlt, ...fields });
  }

  set(fields: Fields): this {
    for (const [name, value] of Object.entries(fields))
      expect(vmwrite(this.cpu, F[name as keyof typeof F], value), name).toBe(0);
    return this;
  }

  /** Enters and runs to the next exit; the basic reason. */
  exit(): number {
    expect(this.launched ? vmresume(this.cpu) : vmlaunch(this.cpu)).toBe(0);
    this.launched = true;
    expect(untilStopped(this.cpu)).toBe(Stop.monitor);
    expect(this.cpu.intercepts).toBeNull();
    expect(this.cpu.eip).toBe(AT.monitor);
    return this.read('VM_EXIT_REASON');
  }

  read(name: keyof typeof F): number {
    return vmread(this.cpu, F[name]);
  }
  /** Goes on behind the instruction that exited. */
  skip(): this {
    return this.set({ GUEST_RIP: this.read('GUEST_RIP') + this.read('VM_EXIT_INSTRUCTION_LEN') });
  }
}

const needsNasm = hasNasm() ? describe : describe.skip;
if (!hasNasm()) console.warn('nasm is not installed: the tests of VM exits are skipped');

needsNasm('instructions that exit', () => {
  const always: [string, string, number, number][] = [
    ['CPUID', 'cpuid', EXIT.cpuid, 2],
    ['INVD', 'invd', EXIT.invd, 2],
    ['VMCALL', 'vmcall', EXIT.vmcall, 3],
    ['VMXOFF', 'vmxoff', EXIT.vmxoff, 3],
    ['VMLAUNCH', 'vmlaunch', EXIT.vmlaunch, 3],
    ['VMRESUME', 'vmresume', EXIT.vmresume, 3],
  ];
  it.each(always)('%s always does', (_, source, reason, length) => {
    const guest = new Guest(`nop\n${source}`);
    expect(guest.exit()).toBe(reason);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(length);
    expect(guest.read('GUEST_RIP')).toBe(AT.code + 1);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0);
    expect(guest.read('VM_EXIT_INTR_INFO') >>> 31).toBe(0);
  });

  it('VMREAD, VMWRITE, VMPTRLD … describe their operands', () => {
    const guest = new Guest(
      'vmread [ebx+esi*4+0x12345], ecx\nvmwrite edx, eax\nvmptrld [fs:0x77]\nvmclear [edi]\nvmxon [eax]\nvmptrst [ebp-4]',
    );
    expect(guest.exit()).toBe(EXIT.vmread);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0x12345);
    // Scale 4, 32-bit addresses, memory, DS, index ESI, base EBX, second register ECX.
    expect(guest.read('VMX_INSTRUCTION_INFO')).toBe(
      (2 | (1 << 7) | (3 << 15) | (6 << 18) | (3 << 23) | (1 << 28)) >>> 0,
    );
    expect(guest.skip().exit()).toBe(EXIT.vmwrite);
    expect(guest.read('VMX_INSTRUCTION_INFO')).toBe(((0 << 3) | (1 << 10) | (2 << 28)) >>> 0);
    expect(guest.skip().exit()).toBe(EXIT.vmptrld);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0x77);
    expect(guest.read('VMX_INSTRUCTION_INFO')).toBe(((1 << 7) | (4 << 15) | (1 << 22) | (1 << 27)) >>> 0);
    expect(guest.skip().exit()).toBe(EXIT.vmclear);
    expect(guest.skip().exit()).toBe(EXIT.vmxon);
    expect(guest.skip().exit()).toBe(EXIT.vmptrst);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0xfffffffc);
  });

  const controlled: [string, string, number, number, number][] = [
    ['HLT', 'hlt', PROC.hlt, EXIT.hlt, 0],
    ['RDTSC', 'rdtsc', PROC.rdtsc, EXIT.rdtsc, 0],
    ['RDPMC', 'rdpmc', PROC.rdpmc, EXIT.rdpmc, 0],
    ['PAUSE', 'pause', PROC.pause, EXIT.pause, 0],
    ['INVLPG', 'invlpg [0x1234567]', PROC.invlpg, EXIT.invlpg, 0x1234567],
    ['MOV to DR', 'mov dr3, esi', PROC.movDr, EXIT.drAccess, 3 | (6 << 8)],
    ['MOV from DR', 'mov edi, dr7', PROC.movDr, EXIT.drAccess, 7 | 16 | (7 << 8)],
    ['IN imm8', 'in al, 0x60', PROC.unconditionalIo, EXIT.ioInstruction, 0 | 8 | 64 | (0x60 << 16)],
    ['OUT DX', 'mov dx, 0x3f8\nout dx, ax', PROC.unconditionalIo, EXIT.ioInstruction, 1 | (0x3f8 << 16)],
    [
      'IN 32 bits',
      'mov dx, 0xcfc\nin eax, dx',
      PROC.unconditionalIo,
      EXIT.ioInstruction,
      (3 | 8 | (0xcfc << 16)) >>> 0,
    ],
    [
      'REP OUTSB',
      'mov ecx, 3\nmov dx, 0xe9\nrep outsb',
      PROC.unconditionalIo,
      EXIT.ioInstruction,
      0 | 16 | 32 | (0xe9 << 16),
    ],
    ['INSW', 'mov dx, 0x1f0\ninsw', PROC.unconditionalIo, EXIT.ioInstruction, 1 | 8 | 16 | (0x1f0 << 16)],
  ];
  it.each(controlled)(
    '%s does when its control is 1, and only then',
    (name, source, control, reason, qualification) => {
      const guest = new Guest(`${source}\ncpuid`, { CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | control });
      expect(guest.exit()).toBe(reason);
      expect(guest.read('EXIT_QUALIFICATION')).toBe(qualification);
      // Without: HLT would wait for an interrupt, and RDPMC has no counter to read.
      if (name === 'HLT' || name === 'RDPMC') return;
      expect(new Guest(`${source}\ncpuid`, { CPU_BASED_VM_EXEC_CONTROL: PROC_BASE }).exit()).toBe(EXIT.cpuid);
    },
  );

  it('string I/O tells the guest-linear address', () => {
    const guest = new Guest('mov edi, 0x5678\nmov dx, 0x1f0\ninsd\nmov esi, 0x9abc\noutsb', {
      CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.unconditionalIo,
      GUEST_ES_BASE: 0x100000,
    });
    guest.exit();
    expect(guest.read('GUEST_LINEAR_ADDRESS')).toBe(0x105678);
    guest.skip().exit();
    expect(guest.read('GUEST_LINEAR_ADDRESS')).toBe(0x9abc);
  });

  it('port accesses follow the I/O bitmaps, over both of them and past the end', () => {
    const guest = new Guest(
      'in al, 0x21\nin al, 0x20\nmov dx, 0x80a0\nin ax, dx\nmov dx, 0xffff\nin ax, dx',
      { CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.ioBitmaps },
    );
    guest.cpu.memory.write8(AT.ioBitmapA + 4, 1); // port 20h
    guest.cpu.memory.write8(AT.ioBitmapB + 20, 2); // port 80A1h
    expect(guest.exit()).toBe(EXIT.ioInstruction);
    expect(guest.read('EXIT_QUALIFICATION') >>> 16).toBe(0x20);
    guest.skip().exit();
    expect(guest.read('EXIT_QUALIFICATION') >>> 16).toBe(0x80a0);
    guest.skip().exit();
    expect(guest.read('EXIT_QUALIFICATION') >>> 16).toBe(0xffff);
  });

  it('RDMSR and WRMSR follow the MSR bitmaps; without them they always exit', () => {
    expect(new Guest('mov ecx, 0x174\nrdmsr').exit()).toBe(EXIT.msrRead);
    expect(new Guest('mov ecx, 0x174\nwrmsr').exit()).toBe(EXIT.msrWrite);
    const bitmaps = { CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.msrBitmaps };
    expect(new Guest('mov ecx, 0x174\nrdmsr\nwrmsr\ncpuid', bitmaps).exit()).toBe(EXIT.cpuid);
    expect(new Guest('mov ecx, 0x4000\nrdmsr\ncpuid', bitmaps).exit()).toBe(EXIT.msrRead);
    const guest = new Guest('mov ecx, 0x175\nrdmsr\nwrmsr', bitmaps);
    guest.cpu.memory.write8(AT.msrBitmap + 2048 + (0x175 >> 3), 1 << (0x175 & 7));
    expect(guest.exit()).toBe(EXIT.msrWrite);
  });

  it('what would be #GP or #UD by privilege is that, and not an exit', () => {
    const ring3: Fields = {
      GUEST_CS_SELECTOR: 0x23,
      GUEST_CS_AR_BYTES: 0xc0fb,
      GUEST_SS_SELECTOR: 0x2b,
      GUEST_SS_AR_BYTES: 0xc0f3,
      GUEST_DS_SELECTOR: 0x2b,
      GUEST_DS_AR_BYTES: 0xc0f3,
      GUEST_ES_SELECTOR: 0,
      GUEST_ES_AR_BYTES: 0x10000,
      GUEST_FS_SELECTOR: 0,
      GUEST_FS_AR_BYTES: 0x10000,
      GUEST_GS_SELECTOR: 0,
      GUEST_GS_AR_BYTES: 0x10000,
      CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.hlt | PROC.unconditionalIo,
      EXCEPTION_BITMAP: 1 << 13,
    };
    for (const source of ['hlt', 'mov cr3, eax', 'rdmsr', 'in al, 0x60', 'clts', 'invlpg [0]', 'invd']) {
      const guest = new Guest(source, ring3);
      expect(guest.exit(), source).toBe(EXIT.exceptionOrNmi);
      expect(guest.read('VM_EXIT_INTR_INFO') >>> 0, source).toBe(0x80000b0d);
    }
    expect(new Guest('cpuid', ring3).exit()).toBe(EXIT.cpuid);
    expect(new Guest('vmcall', ring3).exit(), 'VMCALL needs no privilege in a guest').toBe(EXIT.vmcall);
  });
});

needsNasm('control registers', () => {
  it('CR3 loads and stores exit, with the register; CR3-target values do not', () => {
    const guest = new Guest(
      'mov edx, 0x5000\nmov cr3, edx\nmov ebp, cr3\nmov edx, 0x3000\nmov cr3, edx\ncpuid',
      { CR3_TARGET_COUNT: 1, CR3_TARGET_VALUE0: AT.pageDirectory },
    );
    expect(guest.exit()).toBe(EXIT.crAccess);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(3 | (2 << 8));
    expect(guest.cpu.regs[2]).toBe(0x5000);
    expect(guest.skip().exit()).toBe(EXIT.crAccess);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(3 | (1 << 4) | (5 << 8));
    expect(guest.skip().exit()).toBe(EXIT.cpuid);
  });

  it('CR0 and CR4 are read through masks and shadows, and exit only when an owned bit would change', () => {
    const owned: Fields = {
      CR0_GUEST_HOST_MASK: 0x80010001 | 0,
      CR0_READ_SHADOW: 0x00000011,
      CR4_GUEST_HOST_MASK: -1,
      CR4_READ_SHADOW: 0x80,
    };
    const guest = new Guest(
      'mov eax, cr0\nsmsw ebx\nmov ecx, cr4\nmov edx, eax\nor edx, 8\nmov cr0, edx\nor edx, 0x10000\nmov cr0, edx',
      owned,
    );
    expect(guest.exit()).toBe(EXIT.crAccess);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(2 << 8);
    // PG, WP and PE come from the shadow, the others are real.
    expect(guest.cpu.regs[0] >>> 0).toBe(0x33);
    expect(guest.cpu.regs[3] >>> 0).toBe(0x33);
    expect(guest.cpu.regs[1]).toBe(0x80);
    expect(guest.read('GUEST_CR0') >>> 0, 'TS was the guest’s to set, and PG stayed').toBe(0x8001003b);
  });

  it('a write to CR4 that touches an owned bit exits', () => {
    const guest = new Guest('xor esp, esp\nmov cr4, esp', {
      CR4_GUEST_HOST_MASK: 0x2000,
      CR4_READ_SHADOW: 0x2000,
    });
    expect(guest.exit()).toBe(EXIT.crAccess);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(4 | (4 << 8));
  });

  it('clearing a fixed bit that the guest owns is #GP(0)', () => {
    const guest = new Guest('mov eax, cr0\nand eax, 0x7fffffff\nmov cr0, eax', { EXCEPTION_BITMAP: 1 << 13 });
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000b0d);
    expect(guest.read('GUEST_CR0') >>> 31).toBe(1);
  });

  it('CLTS exits when TS is owned and shown as set; owned and shown as clear it does nothing', () => {
    const guest = new Guest('clts', { CR0_GUEST_HOST_MASK: 8, CR0_READ_SHADOW: 8 });
    expect(guest.exit()).toBe(EXIT.crAccess);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(2 << 4);
    const quiet = new Guest('clts\ncpuid', {
      CR0_GUEST_HOST_MASK: 8,
      CR0_READ_SHADOW: 0,
      GUEST_CR0: 0x8001003b | 0,
    });
    expect(quiet.exit()).toBe(EXIT.cpuid);
    expect(quiet.read('GUEST_CR0') & 8).toBe(8);
  });

  it('LMSW tells its source, and the address when that is memory', () => {
    const guest = new Guest('mov ax, 0x0009\nlmsw ax\nlmsw [0x700]', {
      CR0_GUEST_HOST_MASK: 8,
      CR0_READ_SHADOW: 0,
    });
    guest.cpu.memory.write16(0x700, 0xfff9);
    expect(guest.exit()).toBe(EXIT.crAccess);
    expect(guest.read('EXIT_QUALIFICATION')).toBe((3 << 4) | (9 << 16));
    guest.skip().exit();
    expect(guest.read('EXIT_QUALIFICATION')).toBe(((3 << 4) | (1 << 6) | (0xfff9 << 16)) >>> 0);
    expect(guest.read('GUEST_LINEAR_ADDRESS')).toBe(0x700);
  });
});

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

needsNasm('event injection', () => {
  const INFO = (vector: number, type: number, error = false) =>
    (0x80000000 | (error ? 0x800 : 0) | (type << 8) | vector) >>> 0;

  it('delivers an external interrupt through the guest’s IDT before its first instruction, and clears the valid bit at the exit', () => {
    const guest = new Guest(
      'nop',
      { VM_ENTRY_INTR_INFO: INFO(0x40, 0), GUEST_RFLAGS: 0x202 },
      { 64: 'mov eax, [esp]\nmov ebx, [esp+8]\ncpuid' },
    );
    expect(guest.exit()).toBe(EXIT.cpuid);
    expect(guest.cpu.regs[0]).toBe(AT.code);
    expect(guest.cpu.regs[3] & 0x200).toBe(0x200);
    expect(guest.read('GUEST_RFLAGS') & 0x200, 'interrupt gate').toBe(0);
    expect(guest.read('VM_ENTRY_INTR_INFO') >>> 31).toBe(0);
  });

  it('pushes the error code of a hardware exception, and exits for no bitmap', () => {
    const guest = new Guest(
      'nop',
      { VM_ENTRY_INTR_INFO: INFO(14, 3, true), VM_ENTRY_EXCEPTION_ERROR_CODE: 7, EXCEPTION_BITMAP: 1 << 14 },
      { 14: 'pop eax\npop ebx\ncpuid' },
    );
    expect(guest.exit()).toBe(EXIT.cpuid);
    expect([guest.cpu.regs[0], guest.cpu.regs[3]]).toEqual([7, AT.code]);
  });

  it('pushes RIP + length for a software interrupt', () => {
    const guest = new Guest(
      'int 0x80\ncpuid',
      { VM_ENTRY_INTR_INFO: INFO(0x80, 4), VM_ENTRY_INSTRUCTION_LEN: 2 },
      { 128: 'mov eax, [esp]\niret' },
    );
    expect(guest.exit()).toBe(EXIT.cpuid);
    expect(guest.cpu.regs[0]).toBe(AT.code + 2);
  });

  it('a fault on the way exits with the injected event as IDT-vectoring information', () => {
    const guest = new Guest('nop', {
      VM_ENTRY_INTR_INFO: INFO(0x40, 0),
      GUEST_RFLAGS: 0x202,
      GUEST_RSP: 0x900000,
      EXCEPTION_BITMAP: 1 << 14,
    });
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO') & 0xff).toBe(14);
    expect(guest.read('IDT_VECTORING_INFO')).toBe(INFO(0x40, 0));
    expect(guest.read('GUEST_RIP')).toBe(AT.code);
    expect(guest.read('GUEST_RSP')).toBe(0x900000);
  });

  it('so does one while an injected page fault is delivered', () => {
    const guest = new Guest('nop', {
      VM_ENTRY_INTR_INFO: INFO(14, 3, true),
      VM_ENTRY_EXCEPTION_ERROR_CODE: 5,
      GUEST_RSP: 0x900000,
      EXCEPTION_BITMAP: 1 << 14,
    });
    guest.cpu.cr2 = 0x2222;
    expect(guest.exit()).toBe(EXIT.exceptionOrNmi);
    expect(guest.read('VM_EXIT_INTR_INFO')).toBe(0x80000b0e);
    expect(guest.read('EXIT_QUALIFICATION')).toBe(0x8ffffc);
    expect(guest.read('IDT_VECTORING_INFO')).toBe(INFO(14, 3, true));
    expect(guest.read('IDT_VECTORING_ERROR_CODE')).toBe(5);
    expect(guest.cpu.cr2).toBe(0x2222);
  });

  it('of a software interrupt that faults: RIP stays at the instruction, the length is the injected one', () => {
    const guest = new Guest('int 0x80', {
      VM_ENTRY_INTR_INFO: INFO(0x80, 4),
      VM_ENTRY_INSTRUCTION_LEN: 2,
      GUEST_RSP: 0x900000,
      EXCEPTION_BITMAP: 1 << 14,
    });
    guest.exit();
    expect(guest.read('IDT_VECTORING_INFO')).toBe(INFO(0x80, 4));
    expect(guest.read('GUEST_RIP')).toBe(AT.code);
    expect(guest.read('VM_EXIT_INSTRUCTION_LEN')).toBe(2);
  });

  it('an NMI blocks further ones in the guest until IRET', () => {
    const guest = new Guest('cpuid', { VM_ENTRY_INTR_INFO: INFO(2, 2) }, { 2: 'cpuid\niret' });
    expect(guest.exit()).toBe(EXIT.cpuid);
    expect(guest.read('GUEST_INTERRUPTIBILITY_INFO') & 8).toBe(8);
    expect(guest.skip().exit()).toBe(EXIT.cpuid);
    expect(guest.read('GUEST_INTERRUPTIBILITY_INFO') & 8).toBe(0);
    expect(guest.read('GUEST_RIP')).toBe(AT.code);
  });

  it('wakes a halted guest', () => {
    const guest = new Guest(
      'cpuid',
      { GUEST_ACTIVITY_STATE: 1, GUEST_RFLAGS: 0x202, VM_ENTRY_INTR_INFO: INFO(0x40, 0) },
      { 64: 'iret' },
    );
    expect(guest.exit()).toBe(EXIT.cpuid);
  });
});

needsNasm('state across exit and entry', () => {
  it('what the guest changed is in its fields, and the host has its own', () => {
    const guest = new Guest(
      'lidt [table]\nmov esp, 0x1234\nmov ax, 0x10\nmov fs, ax\nstd\ncpuid\ntable: dw 0x1ff\ndd 0x7800',
    );
    guest.exit();
    const { cpu } = guest;
    expect(guest.read('GUEST_IDTR_LIMIT')).toBe(0x1ff);
    expect(guest.read('GUEST_RSP')).toBe(0x1234);
    expect(guest.read('GUEST_FS_SELECTOR')).toBe(0x10);
    expect(guest.read('GUEST_RFLAGS') & 0x400).toBe(0x400);
    expect(cpu.flags).toBe(2);
    expect(cpu.regs[4]).toBe(AT.monitor + 0xff0);
    expect(cpu.idtr.limit).toBe(0xffff);
    expect(cpu.segments[4].access & 0x10000, 'host FS selector is null').toBe(0x10000);
    expect(cpu.segments[7].limit).toBe(0x67);
    expect(cpu.dr[7]).toBe(0x400);
  });

  it('SYSENTER registers belong to the guest while it runs', () => {
    const guest = new Guest('cpuid', { GUEST_SYSENTER_EIP: 0x7777, HOST_SYSENTER_EIP: 0x8888 });
    guest.cpu.msrs.set(0x174, 0n).set(0x175, 0n).set(0x176, 5n);
    guest.exit();
    expect(guest.cpu.msrs.get(0x176)).toBe(0x8888n);
    expect(guest.read('GUEST_SYSENTER_EIP')).toBe(0x7777);
  });

  it('MSRs are stored and loaded by the lists in memory', () => {
    const guest = new Guest('cpuid', {
      VM_EXIT_MSR_STORE_COUNT: 1,
      VM_EXIT_MSR_STORE_ADDR: 0x9000,
      VM_EXIT_MSR_LOAD_COUNT: 1,
      VM_EXIT_MSR_LOAD_ADDR: 0x9010,
    });
    const { cpu } = guest;
    cpu.msrs.set(0x1b, 0x1122334455667788n);
    cpu.memory.write32(0x9000, 0x1b);
    cpu.memory.write32(0x9010, 0x1b);
    cpu.memory.write32(0x9018, 0x99);
    guest.exit();
    expect(cpu.memory.read32(0x9008)).toBe(0x55667788);
    expect(cpu.memory.read32(0x900c)).toBe(0x11223344);
    expect(cpu.msrs.get(0x1b)).toBe(0x99n);
  });

  it('RDTSC adds the offset', () => {
    const guest = new Guest('rdtsc\ncpuid', {
      CPU_BASED_VM_EXEC_CONTROL: PROC_BASE | PROC.tscOffset,
      TSC_OFFSET: -1_000_000,
    });
    vmwrite(guest.cpu, F.TSC_OFFSET + 1, -1);
    guest.cpu.cycles = 5_000_000;
    guest.exit();
    expect(guest.cpu.regs[0]).toBeGreaterThan(4_000_000);
    expect(guest.cpu.regs[0]).toBeLessThan(4_100_000);
    expect(guest.cpu.regs[2]).toBe(0);
  });

  it('an exit and an entry cost what the processor model says', () => {
    const guest = new Guest('cpuid');
    const { cpu } = guest;
    const before = cpu.cycles;
    vmlaunch(cpu);
    expect(cpu.cycles - before).toBe(2409);
    cpu.intercepts!.instruction('cpuid', 0);
    expect(cpu.cycles - before).toBe(2409 + 1931);
  });
});

needsNasm('VMX instructions in the instruction stream', () => {
  it('a hypervisor in assembly enters a guest and reads why it came back', () => {
    const machine = readyVmcs();
    const { cpu } = machine;
    cpu.monitorSize = 0;
    vmwrite(cpu, F.HOST_RIP, AT.monitor);
    vmwrite(cpu, F.GUEST_RIP, AT.stack);
    guestTables(cpu.memory, HANDLERS);
    cpu.memory.load(
      AT.code,
      nasm('bits 32\nmov eax, 0x681c\nmov ecx, 0x21000\nvmwrite eax, ecx\nvmlaunch\nhlt'),
    );
    cpu.memory.load(AT.stack, nasm('bits 32\ncpuid'));
    cpu.memory.load(
      AT.monitor,
      nasm(
        'bits 32\nmov edx, 0x4402\nvmread ebx, edx\nmov edx, 0x681c\nvmread [0x700], edx\nvmptrst [0x708]\nhlt',
      ),
    );
    cpu.eip = AT.code;
    cpu.regs[4] = 0x22000;
    expect(run(cpu, cpu.cycles + 100_000)).toBe(Stop.halted);
    expect(cpu.regs[3]).toBe(EXIT.cpuid);
    expect(cpu.memory.read32(0x700)).toBe(0x21000);
    expect(cpu.memory.read32(0x708)).toBe(AT.vmcs);
    expect(cpu.memory.read32(0x70c)).toBe(0);
  });

  it('outside VMX operation they are #UD, and VMXON is too without CR4.VMXE', () => {
    const machine = readyVmcs();
    const { cpu } = machine;
    guestTables(cpu.memory, HANDLERS);
    cpu.idtr.base = AT.idt;
    cpu.gdtr.base = AT.gdt;
    cpu.gdtr.limit = 0x3f;
    cpu.memory.load(HANDLERS, new Uint8Array(4096).fill(0xf4));
    cpu.memory.load(AT.code, nasm('bits 32\nvmxoff\nvmcall'));
    cpu.monitorSize = 0;
    cpu.eip = AT.code;
    cpu.regs[4] = 0x22000;
    expect(run(cpu, cpu.cycles + 100_000)).toBe(Stop.halted);
    expect(cpu.eip, '#UD handler').toBe(HANDLERS + 6 * 16 + 1);
    expect(cpu.memory.read32(cpu.regs[4])).toBe(AT.code + 3);
  });
});

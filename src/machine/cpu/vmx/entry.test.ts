// What a VM entry brings into the guest and what an exit brings back (SDM vol. 3 §26.3, §26.5, §27.3–27.6), and the VMX
// instructions where they belong: in a program.
import { expect, it } from 'vitest';
import { Stop } from '../cpu.ts';
import { run } from '../execute.ts';
import { nasm } from '../test-machine.ts';
import { PROC } from './capabilities.ts';
import { EXIT } from './exit-reasons.ts';
import { FIELD as F } from './fields.ts';
import { vmlaunch, vmwrite } from './operations.ts';
import { AT, guestTables, readyVmcs } from './testing.ts';
import { Guest, HANDLERS, needsNasm, PROC_BASE } from './testing-guest.ts';

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

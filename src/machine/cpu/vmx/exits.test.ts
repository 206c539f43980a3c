// One test for each instruction that leaves a guest: reasons, qualifications and lengths are those of SDM vol. 3 §27.2 and
// appendix C. The guests are assembled by nasm; the monitor is this file.
import { expect, it } from 'vitest';
import { PROC } from './capabilities.ts';
import { EXIT } from './exit-reasons.ts';
import { AT } from './testing.ts';
import { type Fields, Guest, needsNasm, PROC_BASE } from './testing-guest.ts';

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

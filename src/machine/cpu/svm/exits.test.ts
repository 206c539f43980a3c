// Every intercept of SVM, one guest instruction each: the exit code, RIP on the instruction itself (the first generation does
// not say how long it was), and that without the bit nothing leaves. APM vol. 2 §15.8–15.14 and appendix C; the guests are
// assembled by nasm.
import { expect, it } from 'vitest';
import { GENERAL1 as G1, GENERAL2 as G2, SVM_EXIT } from './exit-codes.ts';
import { AT, Guest, needsNasm } from './testing.ts';

needsNasm('instructions that leave', () => {
  const general: [string, 'INTERCEPT_GENERAL1' | 'INTERCEPT_GENERAL2', number, number][] = [
    ['sidt [eax]', 'INTERCEPT_GENERAL1', 1 << 6, 0x66],
    ['sgdt [eax]', 'INTERCEPT_GENERAL1', 1 << 7, 0x67],
    ['sldt ax', 'INTERCEPT_GENERAL1', 1 << 8, 0x68],
    ['str ax', 'INTERCEPT_GENERAL1', 1 << 9, 0x69],
    ['lidt [eax]', 'INTERCEPT_GENERAL1', 1 << 10, 0x6a],
    ['lgdt [eax]', 'INTERCEPT_GENERAL1', 1 << 11, 0x6b],
    ['lldt ax', 'INTERCEPT_GENERAL1', 1 << 12, 0x6c],
    ['ltr ax', 'INTERCEPT_GENERAL1', 1 << 13, 0x6d],
    ['rdtsc', 'INTERCEPT_GENERAL1', G1.rdtsc, 0x6e],
    ['rdpmc', 'INTERCEPT_GENERAL1', G1.rdpmc, 0x6f],
    ['pushf', 'INTERCEPT_GENERAL1', G1.pushf, 0x70],
    ['popf', 'INTERCEPT_GENERAL1', G1.popf, 0x71],
    ['cpuid', 'INTERCEPT_GENERAL1', G1.cpuid, 0x72],
    ['iret', 'INTERCEPT_GENERAL1', G1.iret, 0x74],
    ['int 0x80', 'INTERCEPT_GENERAL1', G1.softwareInterrupt, 0x75],
    ['invd', 'INTERCEPT_GENERAL1', G1.invd, 0x76],
    ['pause', 'INTERCEPT_GENERAL1', G1.pause, 0x77],
    ['hlt', 'INTERCEPT_GENERAL1', G1.hlt, 0x78],
    ['invlpg [eax]', 'INTERCEPT_GENERAL1', G1.invlpg, 0x79],
    ['invlpga', 'INTERCEPT_GENERAL1', G1.invlpga, 0x7a],
    ['vmrun', 'INTERCEPT_GENERAL2', G2.vmrun, 0x80],
    ['vmmcall', 'INTERCEPT_GENERAL2', G2.vmmcall, 0x81],
    ['vmload', 'INTERCEPT_GENERAL2', G2.vmload, 0x82],
    ['vmsave', 'INTERCEPT_GENERAL2', G2.vmsave, 0x83],
    ['stgi', 'INTERCEPT_GENERAL2', G2.stgi, 0x84],
    ['clgi', 'INTERCEPT_GENERAL2', G2.clgi, 0x85],
    ['db 0x0f, 0x01, 0xde', 'INTERCEPT_GENERAL2', G2.skinit, 0x86],
    ['db 0xf1', 'INTERCEPT_GENERAL2', G2.icebp, 0x88],
    ['wbinvd', 'INTERCEPT_GENERAL2', G2.wbinvd, 0x89],
  ];
  it.each(general)('%s by its bit in %s', (source, vector, bit, code) => {
    const asked = new Guest(`nop\n${source}`, {
      [vector]: (bit | (vector === 'INTERCEPT_GENERAL2' ? G2.vmrun : 0)) >>> 0,
      RAX: AT.stack - 0x1000,
    });
    expect(asked.exit()).toBe(code);
    expect(asked.read('RIP')).toBe(AT.code + 1);
    expect([asked.read('EXITINFO1'), asked.read('EXITINFO2'), asked.read('EXITINTINFO')]).toEqual([0, 0, 0]);
    expect(asked.read('NRIP'), 'the first generation does not save the next RIP').toBe(0);
    if (source === 'hlt' || source === 'vmrun' || code === 0x86) return;
    const silent = new Guest(`nop\n${source}\nhlt`, { RAX: AT.stack - 0x1000 });
    expect(silent.exit(), 'without the bit').toBe(SVM_EXIT.hlt);
  });

  it('from 2008 on the address of the next instruction is saved', () => {
    const guest = new Guest('nop\ncpuid', { INTERCEPT_GENERAL1: G1.cpuid }, { processor: 'nehalem' });
    expect(guest.exit()).toBe(SVM_EXIT.cpuid);
    expect(guest.read('NRIP')).toBe(AT.code + 3);
  });

  it('exceptions of the instruction come before its intercept, except where the manual says otherwise', () => {
    // INVLPG at CPL 3 is #GP first; PUSHF in virtual-8086 mode with IOPL 0 leaves first (§15.9, table 15-7).
    const user = { CPL: 3, 'CS.selector': 0x23, 'CS.attrib': 0xcfb, 'SS.selector': 0x2b, 'SS.attrib': 0xcf3 };
    const guest = new Guest('invlpg [eax]', {
      ...user,
      INTERCEPT_GENERAL1: G1.invlpg,
      INTERCEPT_EXCEPTION: 1 << 13,
    });
    expect(guest.exit()).toBe(SVM_EXIT.exception + 13);
    const virtual = Object.fromEntries(
      ['ES', 'CS', 'SS', 'DS'].flatMap((name) => [
        [`${name}.attrib`, 0xf3],
        [`${name}.limit`, 0xffff],
        [`${name}.selector`, name === 'CS' ? AT.code >> 4 : 0],
        [`${name}.base`, name === 'CS' ? AT.code : 0],
      ]),
    );
    const v86 = new Guest(
      'pushf',
      {
        ...virtual,
        CPL: 3,
        RFLAGS: 0x20002,
        RIP: 0,
        INTERCEPT_GENERAL1: G1.pushf,
        INTERCEPT_EXCEPTION: 1 << 13,
      },
      { bits: 16 },
    );
    expect(v86.exit()).toBe(SVM_EXIT.pushf);
  });

  it('VMMCALL without an intercept does not exist; neither do the other vendor’s instructions', () => {
    for (const source of [
      'vmmcall',
      'vmcall',
      'vmxoff',
      'db 0x0f, 0x01, 0xc2',
      'vmxon [eax]',
      'vmread eax, ebx',
    ]) {
      const guest = new Guest(source, { INTERCEPT_EXCEPTION: (1 << 6) | (1 << 13) });
      expect(guest.exit(), source).toBe(SVM_EXIT.exception + 6);
    }
  });
});

needsNasm('control and debug registers', () => {
  const crs: [string, number, number][] = [
    ['mov ebx, cr0', 1 << 0, 0x00],
    ['smsw ebx', 1 << 0, 0x00],
    ['mov ebx, cr2', 1 << 2, 0x02],
    ['mov ebx, cr3', 1 << 3, 0x03],
    ['mov ebx, cr4', 1 << 4, 0x04],
    ['mov cr0, ebx', 1 << 16, 0x10],
    ['clts', 1 << 16, 0x10],
    ['lmsw bx', 1 << 16, 0x10],
    ['mov cr2, ebx', 1 << 18, 0x12],
    ['mov cr3, ebx', 1 << 19, 0x13],
    ['mov cr4, ebx', 1 << 20, 0x14],
  ];
  it.each(crs)('%s', (source, bits, code) => {
    const guest = new Guest(source, { INTERCEPT_CR_READ: bits & 0xffff, INTERCEPT_CR_WRITE: bits >>> 16 });
    expect(guest.exit()).toBe(code);
    expect(guest.read('RIP')).toBe(AT.code);
    expect(guest.read('EXITINFO1'), 'no decode assists').toBe(0);
    const others = new Guest(`mov ebx, ${code < 0x10 ? 'cr0' : 'cr3'}\n${source}\nhlt`, {
      INTERCEPT_CR_READ: ~(bits | 9) & 0xffff,
      INTERCEPT_CR_WRITE: ~(bits >>> 16) & 0xffff,
    });
    if (code === 0x13 || code === 0x03) expect(others.exit()).toBe(SVM_EXIT.hlt);
  });

  it('a selective intercept of CR0 writes lets TS and MP change, and takes LMSW always', () => {
    const guest = new Guest(
      'mov eax, cr0\nxor eax, 10\nmov cr0, eax\nclts\nxor eax, 4\nmov cr0, eax\nlmsw ax',
      {
        INTERCEPT_GENERAL1: G1.cr0SelectiveWrite,
      },
    );
    expect(guest.exit()).toBe(SVM_EXIT.cr0SelectiveWrite);
    expect(guest.read('CR0') & 10, 'MP changed, TS set and cleared').toBe(0);
    expect(guest.skip(3).exit()).toBe(SVM_EXIT.cr0SelectiveWrite);
    const both = new Guest('mov cr0, eax', {
      INTERCEPT_GENERAL1: G1.cr0SelectiveWrite,
      INTERCEPT_CR_WRITE: 1,
    });
    expect(both.exit()).toBe(SVM_EXIT.crWrite);
  });

  it('every debug register has its two bits', () => {
    for (const n of [0, 1, 2, 3, 6, 7]) {
      expect(new Guest(`mov eax, dr${n}`, { INTERCEPT_DR_READ: 1 << n }).exit()).toBe(0x20 + n);
      expect(new Guest(`mov dr${n}, eax`, { INTERCEPT_DR_WRITE: 1 << n }).exit()).toBe(0x30 + n);
      expect(new Guest(`mov eax, dr${n}\nhlt`, { INTERCEPT_DR_READ: ~(1 << n) & 0xffff }).exit()).toBe(
        SVM_EXIT.hlt,
      );
    }
  });
});

needsNasm('ports and MSRs', () => {
  it('the I/O map has a bit for each port; EXITINFO1 describes, EXITINFO2 is the next RIP', () => {
    const io = { INTERCEPT_GENERAL1: G1.ioio };
    const cases: [string, number, number, number][] = [
      ['in al, 0x60', 0x60, (0x60 << 16) | 0x100 | 0x10 | 1, 2],
      ['out 0x80, eax', 0x82, (0x80 << 16) | 0x100 | 0x40, 2],
      ['mov dx, 0x3f8\nout dx, ax', 0x3f9, (0x3f8 << 16) | 0x100 | 0x20, 2],
      ['mov dx, 0x1f0\nmov ecx, 3\nrep insw', 0x1f0, (0x1f0 << 16) | 0x100 | 0x20 | 8 | 4 | 1, 3],
      ['mov dx, 0x1f0\nmov esi, 0x20000\na16 outsb', 0x1f0, (0x1f0 << 16) | 0x80 | 0x10 | 4, 2],
    ];
    for (const [source, bit, info1, length] of cases) {
      const guest = new Guest(source, io);
      guest.cpu.memory.write8(AT.iopm + (bit >> 3), 1 << (bit & 7));
      expect(guest.exit(), source).toBe(SVM_EXIT.ioio);
      expect(guest.read('EXITINFO1').toString(16), source).toBe(info1.toString(16));
      expect(guest.read('EXITINFO2') - guest.read('RIP'), source).toBe(length);
      const open = new Guest(`${source}\nhlt`, io);
      open.cpu.memory.write8(AT.iopm + ((bit ^ 8) >> 3), 0xff);
      if (!source.includes('rep') && !source.includes('outsb'))
        expect(open.exit(), source).toBe(SVM_EXIT.hlt);
    }
  });

  it('an access over port FFFFh looks behind the map’s last byte', () => {
    const guest = new Guest('mov dx, 0xffff\nin ax, dx', { INTERCEPT_GENERAL1: G1.ioio });
    guest.cpu.memory.write8(AT.iopm + 0x2000, 1);
    expect(guest.exit()).toBe(SVM_EXIT.ioio);
  });

  it('the MSR map has two bits a register in three ranges; what is in none leaves', () => {
    const msr = { INTERCEPT_GENERAL1: G1.msr };
    for (const [index, map] of [
      [0x174, 0],
      [0xc0000080, 0x800],
      [0xc0010117, 0x1000],
    ]) {
      const at = AT.msrpm + map + (((index & 0x1fff) * 2) >> 3);
      const bit = ((index & 0x1fff) * 2) & 7;
      for (const write of [0, 1]) {
        const guest = new Guest(`mov ecx, ${index}\n${write ? 'wrmsr' : 'rdmsr'}`, msr);
        guest.cpu.memory.write8(at, 1 << (bit + write));
        expect(guest.exit()).toBe(SVM_EXIT.msr);
        expect(guest.read('EXITINFO1')).toBe(write);
        const other = new Guest(`mov ecx, ${index}\nrdmsr\nhlt`, msr);
        other.cpu.memory.write8(at, 2 << bit);
        expect(other.exit()).toBe(SVM_EXIT.hlt);
      }
    }
    expect(new Guest('mov ecx, 0x40000000\nrdmsr', msr).exit()).toBe(SVM_EXIT.msr);
    expect(new Guest('mov ecx, 0x2000\nrdmsr', msr).exit()).toBe(SVM_EXIT.msr);
  });
});

needsNasm('a floating-point error without CR0.NE', () => {
  const ERROR = 'fninit\nmov word [0x60000], 0x360\nfldcw [0x60000]\nfldz\nfld1\nfdiv st0, st1\nfwait\nhlt';
  it('leaves when FERR_FREEZE is intercepted, at the instruction that waits for it', () => {
    const guest = new Guest(ERROR, { CR0: 0x80010011, INTERCEPT_GENERAL1: G1.ferrFreeze });
    expect(guest.exit()).toBe(SVM_EXIT.ferrFreeze);
    expect(guest.cpu.memory.read8(guest.read('RIP')), 'FWAIT').toBe(0x9b);
    expect(guest.cpu.x87.errorAsserted).toBe(true);
  });
  it('with NE it is #MF', () => {
    const guest = new Guest(ERROR, {
      CR0: 0x80010031,
      INTERCEPT_GENERAL1: G1.ferrFreeze,
      INTERCEPT_EXCEPTION: 1 << 16,
    });
    expect(guest.exit()).toBe(SVM_EXIT.exception + 16);
  });
});

needsNasm('exceptions', () => {
  it('leave by their bit, with error code and the address of a page fault; CR2 stays as it was', () => {
    const cases: [string, number, number, number][] = [
      ['xor ecx, ecx\ndiv ecx', 0, 0, 0],
      ['ud2', 6, 0, 0],
      ['mov ax, 0x28\nmov ds, ax\nmov ax, 0x1238\nmov es, ax', 13, 0x1238, 0],
      ['mov [0x5000000], eax', 14, 2, 0x5000000],
      ['int3', 3, 0, 0],
    ];
    for (const [source, vector, info1, info2] of cases) {
      const guest = new Guest(source, { INTERCEPT_EXCEPTION: (1 << vector) >>> 0, CR2: 0x77 });
      expect(guest.exit(), source).toBe(SVM_EXIT.exception + vector);
      expect([guest.read('EXITINFO1'), guest.read('EXITINFO2')], source).toEqual([info1, info2]);
      expect(guest.read('CR2')).toBe(0x77);
    }
  });

  it('INT3 and INTO leave at the instruction itself', () => {
    const guest = new Guest('nop\nint3', { INTERCEPT_EXCEPTION: 1 << 3 });
    guest.exit();
    expect(guest.read('RIP')).toBe(AT.code + 1);
    const into = new Guest('mov al, 0x7f\nadd al, al\ninto', { INTERCEPT_EXCEPTION: 1 << 4 });
    expect(into.exit()).toBe(SVM_EXIT.exception + 4);
    expect(into.read('RIP')).toBe(AT.code + 4);
  });

  it('#DB leaves with DR6 up to date', () => {
    const guest = new Guest('nop\nnop', { INTERCEPT_EXCEPTION: 2, RFLAGS: 0x102 });
    expect(guest.exit()).toBe(SVM_EXIT.exception + 1);
    expect(guest.read('DR6') & 0x4000).toBe(0x4000);
    expect(guest.read('RIP')).toBe(AT.code + 1);
  });

  it('a fault while an event is delivered reports the event in EXITINTINFO', () => {
    // The IDT lies where no page is.
    const lost = { 'IDTR.base': 0x600000, INTERCEPT_EXCEPTION: 1 << 14 };
    const hardware = new Guest('ud2', lost);
    expect(hardware.exit()).toBe(SVM_EXIT.exception + 14);
    expect(hardware.read('EXITINTINFO')).toBe(0x80000306);
    const withCode = new Guest('mov ax, 0x1238\nmov es, ax', lost);
    withCode.exit();
    expect(withCode.read('EXITINTINFO')).toBe(0x1238 * 2 ** 32 + 0x80000b0d);
    const software = new Guest('nop\nint 0x80', lost);
    software.exit();
    expect(software.read('EXITINTINFO')).toBe(0x80000480);
    expect(software.read('RIP'), 'the instruction can be run again').toBe(AT.code + 1);
  });

  it('a shutdown leaves with its intercept', () => {
    const guest = new Guest('ud2', { 'IDTR.base': 0x600000 });
    expect(guest.exit()).toBe(SVM_EXIT.shutdown);
  });

  it('a task switch leaves, with its selector and how it came about', () => {
    const guest = new Guest('jmp 0x30:0', { INTERCEPT_GENERAL1: G1.taskSwitch });
    guest.cpu.memory.write32(AT.gdt + 0x30, 0x67 | (AT.tss << 16));
    guest.cpu.memory.write32(AT.gdt + 0x34, 0x8900);
    expect(guest.exit()).toBe(SVM_EXIT.taskSwitch);
    expect(guest.read('EXITINFO1')).toBe(0x30);
    expect(guest.read('EXITINFO2')).toBe(2 ** 38);
    expect(guest.read('RIP')).toBe(AT.code);
  });
});

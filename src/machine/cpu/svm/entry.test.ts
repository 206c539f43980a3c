// VMRUN and #VMEXIT: the checks that end in VMEXIT_INVALID, one broken rule each; what is saved and loaded; and the modes that
// an SVM guest can be in, real mode with paging among them (APM vol. 2 §15.5, §15.6).
import { describe, expect, it } from 'vitest';
import { MSR } from '../msrs.ts';
import { nasm } from '../test-machine.ts';
import { invalidity } from './checks.ts';
import { GENERAL1 as G1, SVM_EXIT } from './exit-codes.ts';
import { VMCB_FIELDS } from './layout.ts';
import { vmrun } from './operations.ts';
import { svmOf } from './state.ts';
import { AT, type Fields, Guest, needsNasm, readField, readyVmcb } from './testing.ts';

describe('consistency checks', () => {
  const broken: [string, Fields, RegExp][] = [
    ['EFER.SVME', { EFER: 0 }, /SVME/],
    ['EFER.LME', { EFER: 0x1100 }, /long mode/],
    ['a bit of EFER above 31', { EFER: 0x1_0000_1000 }, /EFER/],
    ['CR0.NW without CD', { CR0: 0xa0000011 }, /NW/],
    ['CR0 above 31', { CR0: 0x1_8000_0011 }, /CR0/],
    ['CR3 above 31', { CR3: 0x1_0000_3000 }, /CR3/],
    ['CR4 reserved', { CR4: 1 << 20 }, /CR4/],
    ['CR4 above 31', { CR4: 2 ** 32 }, /CR4/],
    ['DR6 above 31', { DR6: 2 ** 32 }, /DR6/],
    ['DR7 above 31', { DR7: 2 ** 32 }, /DR7/],
    ['the VMRUN intercept', { INTERCEPT_GENERAL2: 0 }, /VMRUN/],
    ['the I/O map', { IOPM_BASE_PA: 2 ** 36 - 0x2000 }, /I\/O/],
    ['the MSR map', { MSRPM_BASE_PA: 2 ** 36 - 0x1000 }, /MSR/],
    ['ASID 0', { GUEST_ASID: 0 }, /ASID/],
    ['a reserved event type', { EVENTINJ: 0x80000100 }, /type/],
    ['an NMI as exception', { EVENTINJ: 0x80000302 }, /vector/],
    ['an exception above 31', { EVENTINJ: 0x80000320 }, /vector/],
    ['nested paging on the first generation', { NP_ENABLE: 1 }, /nested paging/],
  ];
  it.each(broken)('%s', (_, fields, rule) => {
    const { cpu } = readyVmcb();
    const guest = { cpu, before: 0 };
    for (const [name, value] of Object.entries(fields)) {
      const f = VMCB_FIELDS.find((x) => x.name === name)!;
      for (let n = 0, rest = BigInt(value); n < f.bits / 8; n++, rest >>= 8n)
        cpu.memory.write8(AT.vmcb + f.offset + n, Number(rest & 0xffn));
    }
    cpu.eip = AT.monitor;
    cpu.regs[3] = 0x1234;
    const state = cpu.memory.bytes.slice(AT.vmcb + 0x400, AT.vmcb + 0x1000);
    vmrun(cpu, AT.vmcb);
    expect(readField(cpu, AT.vmcb, 'EXITCODE')).toBe(2n ** 64n - 1n);
    expect(invalidity(svmOf(cpu))).toMatch(rule);
    expect(cpu.intercepts).toBeNull();
    expect(cpu.gif, 'as after any exit').toBe(false);
    expect(cpu.eip).toBe(AT.monitor);
    expect(
      cpu.memory.bytes.slice(AT.vmcb + 0x400, AT.vmcb + 0x1000),
      'the guest’s state is as it was',
    ).toEqual(state);
    expect(guest.before).toBe(0);
  });

  it('G_PAT is looked at with nested paging', () => {
    const { cpu } = readyVmcb('nehalem');
    const write = (name: string, value: bigint) => {
      const f = VMCB_FIELDS.find((x) => x.name === name)!;
      for (let n = 0; n < 8; n++)
        cpu.memory.write8(AT.vmcb + f.offset + n, Number((value >> BigInt(8 * n)) & 0xffn));
    };
    write('NP_ENABLE', 1n);
    write('N_CR3', BigInt(AT.pageDirectory));
    svmOf(cpu).use(AT.vmcb);
    expect(invalidity(svmOf(cpu))).toBe('');
    write('G_PAT', 0x0007040600070402n);
    expect(invalidity(svmOf(cpu))).toMatch(/G_PAT/);
  });

  it('a VMCB where there is no memory, or on no page, stops nobody', () => {
    const { cpu } = readyVmcb();
    cpu.eip = AT.monitor;
    vmrun(cpu, 0x7ffff000);
    expect([cpu.intercepts, cpu.eip]).toEqual([null, AT.monitor]);
  });
});

describe('the layout', () => {
  it('is that of appendix B', () => {
    const at = (name: string): number => VMCB_FIELDS.find((f) => f.name === name)!.offset;
    const known: Record<string, number> = {
      IOPM_BASE_PA: 0x40,
      MSRPM_BASE_PA: 0x48,
      TSC_OFFSET: 0x50,
      GUEST_ASID: 0x58,
      TLB_CONTROL: 0x5c,
      VINTR: 0x60,
      INTERRUPT_SHADOW: 0x68,
      EXITCODE: 0x70,
      EXITINFO1: 0x78,
      EXITINFO2: 0x80,
      EXITINTINFO: 0x88,
      NP_ENABLE: 0x90,
      EVENTINJ: 0xa8,
      N_CR3: 0xb0,
      'ES.selector': 0x400,
      'GDTR.limit': 0x464,
      'LDTR.base': 0x478,
      'IDTR.base': 0x488,
      'TR.attrib': 0x492,
      CPL: 0x4cb,
      EFER: 0x4d0,
      CR4: 0x548,
      CR3: 0x550,
      CR0: 0x558,
      DR7: 0x560,
      DR6: 0x568,
      RFLAGS: 0x570,
      RIP: 0x578,
      RSP: 0x5d8,
      RAX: 0x5f8,
      SYSENTER_CS: 0x628,
      CR2: 0x640,
      G_PAT: 0x668,
    };
    for (const [name, offset] of Object.entries(known)) expect(at(name), name).toBe(offset);
    const offsets = VMCB_FIELDS.map((f) => f.offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    for (const [n, f] of VMCB_FIELDS.entries())
      if (n > 0)
        expect(f.offset).toBeGreaterThanOrEqual(VMCB_FIELDS[n - 1].offset + VMCB_FIELDS[n - 1].bits / 8);
  });
});

needsNasm('the world switch', () => {
  it('loads the guest, saves it, and brings the host back with GIF clear', () => {
    const guest = new Guest('mov ebx, eax\nmov eax, 0xabcd\nmov esp, 0x1f000\nstc\npush ds\npop es\nhlt', {
      RAX: 0x1111,
      CR2: 0x2222,
    });
    const { cpu } = guest;
    cpu.regs[4] = 0x31000;
    const host = { cr0: cpu.cr0, cr3: cpu.cr3, cs: { ...cpu.segments[1] }, esp: cpu.regs[4] };
    expect(guest.exit(0x46)).toBe(SVM_EXIT.hlt);
    expect(cpu.regs[3], 'EBX is nobody’s to switch').toBe(0x1111);
    expect([guest.read('RAX'), guest.read('RSP'), guest.read('RFLAGS') & 1]).toEqual([0xabcd, 0x1f000, 1]);
    expect(guest.read('CR2')).toBe(0x2222);
    expect(cpu.regs[0], 'EAX is the host’s again').toBe(AT.vmcb);
    expect([cpu.cr0, cpu.cr3, cpu.regs[4], cpu.flags]).toEqual([host.cr0, host.cr3, host.esp, 0x46]);
    expect({ ...cpu.segments[1] }).toEqual(host.cs);
    expect(cpu.gif).toBe(false);
    expect(cpu.dr[7]).toBe(0x400);
  });

  it('VMLOAD and VMSAVE move what VMRUN leaves alone', () => {
    const guest = new Guest(
      'mov ax, 0x10\nmov fs, ax\nmov ecx, 0x175\nmov eax, 0x5000\nxor edx, edx\nwrmsr\nhlt',
      {
        'GS.selector': 0x10,
        'GS.attrib': 0xc93,
        'GS.base': 0x7000,
        SYSENTER_ESP: 0x4000,
      },
    );
    guest.exit();
    const { cpu } = guest;
    expect(cpu.segments[5].base, 'still the guest’s').toBe(0x7000);
    expect(guest.read('SYSENTER_ESP'), 'not saved yet').toBe(0x4000);
    // VMSAVE in the instruction stream, on the bare machine.
    cpu.memory.load(AT.monitor + 0x1000, nasm('bits 32\nvmsave\nhlt'));
    cpu.eip = AT.monitor + 0x1000;
    cpu.stop = 0;
    cpu.regs[0] = AT.vmcb;
    guest.machine.cpu.halted = false;
    return import('../execute.ts').then(({ step }) => {
      step(cpu);
      expect(guest.read('SYSENTER_ESP')).toBe(0x5000);
      expect(guest.read('GS.base')).toBe(0x7000);
    });
  });

  it('TSC_OFFSET is what the guest’s counter is ahead', () => {
    const guest = new Guest('rdtsc\nhlt', { TSC_OFFSET: 0x5_0000_0000 });
    guest.exit();
    expect(guest.cpu.regs[2]).toBe(5);
  });

  it('an interrupt shadow comes in with the VMCB and goes out with it', () => {
    const guest = new Guest('sti\nhlt', { RFLAGS: 2 });
    guest.exit();
    expect(guest.read('INTERRUPT_SHADOW')).toBe(1);
    expect(guest.read('RIP')).toBe(AT.code + 1);
  });
});

needsNasm('modes of a guest', () => {
  const REAL: Fields = {
    ...Object.fromEntries(
      ['ES', 'CS', 'SS', 'DS'].flatMap((name) => [
        [`${name}.attrib`, name === 'CS' ? 0x9b : 0x93],
        [`${name}.limit`, 0xffff],
        [`${name}.selector`, name === 'CS' ? AT.code >> 4 : 0x2000],
        [`${name}.base`, name === 'CS' ? AT.code : 0x20000],
      ]),
    ),
    RIP: 0,
    RSP: 0xfff0,
    'IDTR.base': 0,
    'IDTR.limit': 0x3ff,
  };

  it('real mode, natively: CR0.PE = 0', () => {
    const guest = new Guest(
      'mov ax, 0x2100\nmov ds, ax\nmov byte [0x10], 0x5a\nint 0x21\nhlt',
      { ...REAL, CR0: 0x10 },
      { bits: 16 },
    );
    // Vector 21h: F800:0000 is a HLT.
    guest.cpu.memory.write32(0x21 * 4, 0x28000000);
    guest.cpu.memory.write8(0x28000, 0xf4);
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect(guest.cpu.memory.read8(0x21010)).toBe(0x5a);
    expect([guest.read('CS.selector'), guest.read('RIP'), guest.read('CPL')]).toEqual([0x2800, 0, 0]);
  });

  it('real mode with paging, which no MOV to CR0 could set: addresses go through the tables', () => {
    const guest = new Guest(
      'mov ax, 0x2000\nmov ds, ax\nmov byte [0x10], 0x5a\nhlt',
      {
        ...REAL,
        CR0: 0x80000010,
        CR3: 0x9000,
        CR4: 0,
      },
      { bits: 16 },
    );
    const { memory } = guest.cpu;
    // One table: everything where it is, but for 20000h, which is 60000h.
    memory.write32(0x9000, 0xa007);
    for (let n = 0; n < 256; n++) memory.write32(0xa000 + n * 4, (n << 12) | 7);
    memory.write32(0xa000 + 0x20 * 4, 0x60007);
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect([memory.read8(0x20010), memory.read8(0x60010)]).toEqual([0, 0x5a]);
  });

  it('a page fault in real mode with paging leaves as one', () => {
    const guest = new Guest(
      'mov ax, 0x3000\nmov ds, ax\nmov al, [0x10]\nhlt',
      {
        ...REAL,
        CR0: 0x80000010,
        CR3: 0x9000,
        CR4: 0,
        INTERCEPT_EXCEPTION: 1 << 14,
      },
      { bits: 16 },
    );
    const { memory } = guest.cpu;
    memory.write32(0x9000, 0xa007);
    for (let n = 0; n < 0x28; n++) memory.write32(0xa000 + n * 4, (n << 12) | 7);
    expect(guest.exit()).toBe(SVM_EXIT.exception + 14);
    expect(guest.read('EXITINFO2')).toBe(0x30010);
  });

  it('a guest in real mode goes to protected mode by itself', () => {
    const guest = new Guest(
      `lgdt [cs:pointer - ${AT.code}]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:protected
pointer: dw 0x3f
        dd ${AT.gdt}
bits 32
protected: mov ax, 0x10
        mov ds, ax
        mov byte [0x60020], 7
        hlt`,
      { ...REAL, CR0: 0x10 },
      { bits: 16 },
    );
    expect(guest.exit()).toBe(SVM_EXIT.hlt);
    expect(guest.cpu.memory.read8(0x60020)).toBe(7);
    expect(guest.read('CR0') & 1).toBe(1);
  });

  it('EFER is the guest’s while it runs', () => {
    const guest = new Guest('mov ecx, 0xc0000080\nrdmsr\nhlt');
    guest.exit();
    expect(guest.read('RAX')).toBe(0x1000);
    expect(guest.cpu.msrs.get(MSR.efer)).toBe(0x1000n);
    expect(G1.hlt).toBe(1 << 24);
  });
});

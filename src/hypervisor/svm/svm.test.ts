// Unmodified guests under SVM: boot, control registers, events, task switches, real mode from inside a kernel, and two guests
// on one host; with shadow and with nested paging. What they should see is what the bare machine would show them.
import { describe, expect, it } from 'vitest';
import { SVM_EXIT } from '../../machine/cpu/svm/exit-codes.ts';
import { V } from '../../machine/cpu/svm/layout.ts';
import { nasm } from '../../machine/cpu/test-machine.ts';
import { Emulated } from '../../trace/events.ts';
import { svmInspector } from './inspection.ts';
import { build, kernel, needsNasm, PAGING, runKernel, said, TestHost } from './testing.ts';

const BOTH = ['shadow', 'nested'] as const;

needsNasm('boot', () => {
  it.each(BOTH)(
    'starts as multiboot says, and ends when the guest switches its machine off (%s)',
    (paging) => {
      const { domain, text, exits } = runKernel(
        `
        mov eax, cr0
        test eax, 0x80000000            ; paging looks off, whatever the processor has
        jnz hang
        put 'o'
        put 'k'
        off`,
        { paging },
      );
      expect(text).toBe('ok');
      expect(domain.ending).toBe('the guest switched the machine off');
      expect(exits.get(SVM_EXIT.ioio)).toBe(3);
    },
  );

  it('refuses nested paging where the processor has none, in words', () => {
    const host = new TestHost();
    expect(() => host.boot(build('off'), 1, 4, { paging: 'nested' })).toThrow(
      /nested paging \(NPT\).*--cpu nehalem/,
    );
    expect(host.hypervisor.frames.owner.includes(1), 'nothing is left behind').toBe(false);
  });

  it.each(BOTH)('gives every frame back when the domain is destroyed (%s)', (paging) => {
    const host = new TestHost({ processor: 'nehalem' });
    const go = () => {
      host.boot(build(`${PAGING}\noff`), 1, 4, { paging });
      host.run();
      host.hypervisor.destroyDomain(1);
      return host.hypervisor.frames.free;
    };
    const free = go();
    for (let n = 0; n < 3; n++) expect(go()).toBe(free);
  });
});

needsNasm('control registers', () => {
  const WALK = `
${PAGING}
        mov ebx, cr0
        and ebx, 0x80010011
        cmp ebx, 0x80010011
        jne hang
        mov ebx, cr3
        cmp ebx, directory
        jne hang
        mov eax, 0x90
        mov cr4, eax
        mov ebx, cr4
        cmp ebx, eax
        jne hang
        put 'y'
        mov eax, cr0
        or eax, 8
        mov cr0, eax
        smsw ebx
        test ebx, 8
        jz hang
        clts
        mov ebx, cr0
        test ebx, 8
        jnz hang
        mov ax, 0x3b                    ; LMSW: PE MP TS, and bits it does not reach
        lmsw ax
        smsw [0x200000]
        mov bx, [0x200000]
        and bx, 0x1f
        cmp bx, 0x1b
        jne hang
        put 'z'
        off`;
  it.each(BOTH)('the guest reads back what it wrote (%s)', (paging) => {
    const { host, domain, text, exits } = runKernel(WALK, { paging });
    expect(text).toBe('yz');
    const registers = host.technique.registers(domain.vcpus[0]);
    expect(registers.CR4).toBe(0x90);
    expect(registers.CR0 & 0xe, 'MP and TS, by LMSW').toBe(0xa);
    if (paging === 'nested') {
      for (let code = 0; code < 0x20; code++) expect(exits.has(code), `exit ${code}`).toBe(false);
      return;
    }
    const writes = host.events('emulate').filter((e) => e.a === Emulated.crWrite);
    expect(
      writes.map((e) => e.b),
      'TS is the guest’s own: no exit',
    ).toEqual([3, 0, 4]);
    expect(exits.get(SVM_EXIT.cr0SelectiveWrite), 'LMSW always leaves').toBe(1);
    expect(registers.CR3).toBe(host.events('emulate').find((e) => e.b === 3)!.c);
  });

  it('with shadow paging a bit of CR4 that is not announced is #GP; so is paging without protection', () => {
    const { text } = runKernel(`
        gate 13, protection
        mov eax, 1
        cpuid
        test edx, 0x80
        jnz hang
        mov eax, 0x40                   ; MCE
        mov cr4, eax
        put 'b'
        mov eax, cr0
        or eax, 0x80000000
        and eax, ~1
        mov cr0, eax
        put 'd'
        off
protection:
        put '#'
        add dword [esp + 4], 3          ; MOV CR is three bytes long
        add esp, 4
        iret`);
    expect(text).toBe('#b#d');
  });

  it.each(BOTH)('a guest may use PAE (%s)', (paging) => {
    const { text } = runKernel(
      `
        mov eax, 1
        cpuid
        test edx, 0x40
        jz hang
        mov dword [directory], table + 1        ; one PDPTE, one large page
        mov dword [table], 0x83
        mov dword [table + 8], 0x2000e3 - 0x60  ; the second 2 MiB are where they are
        mov eax, 0x20
        mov cr4, eax
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov byte [0x210000], 'p'
        put [0x210000]
        off`,
      { paging },
    );
    expect(text).toBe('p');
  });

  it('what CPUID tells the guest: no SVM, no VT-x', () => {
    const { text } = runKernel(`
        mov eax, 1
        cpuid
        test ecx, 0x20
        jnz hang
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000008
        jne hang
        mov eax, 0x80000001
        cpuid
        test ecx, 4
        jnz hang
        put 'c'
        gate 6, undefined
        gate 13, undefined
        vmmcall
        put 'm'
        xor eax, eax
        vmrun
        mov ecx, 0xc0000080
        rdmsr
        nop
        put 'e'
        off
undefined:
        put '#'
        add dword [esp], 3              ; VMMCALL, VMRUN; RDMSR and the NOP behind it
        cmp dword [esp], 0x100000
        ja plain
        add esp, 4
        add dword [esp], 3
plain:  iret`);
    expect(text).toBe('c#m##e');
  });

  it.each(BOTH)('string forms of IN and OUT reach devices in memory (%s)', (paging) => {
    const { text } = runKernel(
      `
        mov edi, 0xe0000ffe               ; the frame buffer, over two pages; port E9h reads E9h
        mov dx, 0xe9
        mov ecx, 3
        rep insb
        mov edi, 0xe0001fff
        mov ecx, 1
        mov dx, 0x3f8 + 7                 ; the scratch register, and FFh behind it
        mov al, 0x5a
        out dx, al
        rep insw
        mov eax, [0xe0000ffe]
        cmp eax, 0x00e9e9e9
        jne hang
        mov eax, [0xe0001fff]
        cmp al, 0x5a
        jne hang
        mov dword [0xe0003000], 'dev!'
        mov esi, 0xe0003000
        mov ecx, 4
        mov dx, 0xe9
        rep outsb
        off`,
      { paging },
    );
    expect(text).toBe('dev!');
  });

  it.each(BOTH)('has no performance counters, whatever the host counts (%s)', (paging) => {
    const { text } = runKernel(
      `
        gate 13, protection
        mov ecx, 0xc1
        rdmsr
        xor ecx, ecx
        rdpmc
        put 'p'
        off
protection:
        put '#'
        add dword [esp + 4], 2
        add esp, 4
        iret`,
      { paging },
    );
    expect(text).toBe('##p');
  });
});

needsNasm('a kernel in real mode', () => {
  it.each(BOTH)('goes there and comes back, as on the bare machine (%s)', (paging) => {
    const { text, domain } = runKernel(
      `
        mov esi, real
        mov edi, 0x8000
        mov ecx, real_end - real
        rep movsb
        lidt [real_idt]
        mov word [0x21 * 4], 0x8000 + handler - real
        mov word [0x21 * 4 + 2], 0
        mov word [gdt + 8 + 6], 0x0000          ; 16-bit code, and data of 64 KiB
        mov word [gdt + 16 + 6], 0x0000
        jmp 8:0x8000
bits 16
real:   mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov eax, cr0
        and al, 0xfe
        mov cr0, eax
        jmp 0:0x8000 + there - real
there:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7000
        put 'r'
        int 0x21
        put 'm'
        off
handler: put 'i'
        iret
real_end:
bits 32
real_idt: dw 0x3ff
        dd 0`,
      { paging },
    );
    expect(domain.state, domain.ending).toBe('halted');
    expect(text).toBe('rim');
  });
});

needsNasm('events', () => {
  it.each(BOTH)('interrupts wait for the guest’s window, and HLT for an interrupt (%s)', (paging) => {
    const { text, exits } = runKernel(
      `
        gate 0x20, tick
        mov al, 0x11
        out 0x20, al
        mov al, 0x20
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xfe
        out 0x21, al
        mov al, 0x34
        out 0x43, al
        mov al, 0
        out 0x40, al
        mov al, 8
        out 0x40, al
        mov ecx, 400000
closed: dec ecx                         ; interrupts are off: it waits
        jnz closed
        put 'a'
        sti
        nop
        hlt
        hlt
        put 'b'
        off
tick:   push eax
        put 't'
        mov al, 0x20
        out 0x20, al
        pop eax
        iret`,
      { paging },
    );
    expect(text).toMatch(/^at{2,4}b$/);
    expect(exits.get(SVM_EXIT.virtualInterrupt)).toBeGreaterThan(0);
    expect(exits.get(SVM_EXIT.hlt)).toBe(2);
    expect(exits.get(SVM_EXIT.interrupt)).toBeGreaterThan(0);
  });

  it.each(BOTH)('a floating-point error without CR0.NE comes by IRQ 13, as on a PC (%s)', (paging) => {
    const { text, domain } = runKernel(
      `
        gate 0x2d, error
        mov al, 0x11
        out 0x20, al
        out 0xa0, al
        mov al, 0x20
        out 0x21, al
        mov al, 0x28
        out 0xa1, al
        mov al, 4
        out 0x21, al
        mov al, 2
        out 0xa1, al
        mov al, 1
        out 0x21, al
        out 0xa1, al
        mov al, 0xfb
        out 0x21, al
        mov al, 0xdf
        out 0xa1, al
        sti
        mov eax, cr0
        and al, 0xdf
        mov cr0, eax
        fninit
        push dword 0x360                ; division by zero unmasked
        fldcw [esp]
        fldz
        fld1
        fdiv st0, st1
        put 'd'
        fwait
        put 'g'
        off
error:  push eax
        put 'e'
        mov al, 0
        out 0xf0, al
        fnclex
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop eax
        iret`,
      { paging },
    );
    expect(domain.state, domain.ending).toBe('halted');
    expect(text).toBe('deg');
  });

  it.each(BOTH)('a chain of faults is told (%s)', (paging) => {
    const { domain } = runKernel('mov word [idt_pointer], 0\nlidt [idt_pointer]\nud2', { paging });
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(/triple fault/);
  });

  it.each(BOTH)('a hardware task switch happens (%s)', (paging) => {
    const { text, domain } = runKernel(
      `
        mov eax, tss_a
        mov [gdt_tasks + 2], ax
        shr eax, 16
        mov [gdt_tasks + 4], al
        mov eax, tss_b
        mov [gdt_tasks + 10], ax
        shr eax, 16
        mov [gdt_tasks + 12], al
        lgdt [tasks_pointer]
        mov ax, 0x18
        ltr ax
        mov eax, cr3
        mov [tss_b + 28], eax
        put 'a'
        call 0x20:0
        put 'c'
        off
task_b: put 'b'
        iret
        align 8
tasks:  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_tasks: dq 0x0000890000000067, 0x0000890000000067
tasks_pointer: dw 39
        dd tasks
tss_a:  times 26 dd 0
tss_b:  dd 0, 0, 0, 0, 0, 0, 0, 0, task_b, 2, 0, 0, 0, 0, stack_end - 4096, 0, 0, 0
        dd 16, 8, 16, 16, 16, 16, 0, 0x680000`,
      { paging },
    );
    expect(domain.state, domain.ending).toBe('halted');
    expect(text).toBe('abc');
  });

  it.each(BOTH)('writes where there is no memory are lost, reads are all ones (%s)', (paging) => {
    const { text } = runKernel(
      `
        mov dword [0x30000000], 5
        mov eax, [0x30000000]
        inc eax
        jnz hang
        put 'h'
        off`,
      { paging },
    );
    expect(text).toBe('h');
  });
});

needsNasm('two guests on one host', () => {
  const worker = (letter: string) =>
    kernel(`
${PAGING}
        mov ecx, 20
        mov eax, '${letter}'
        mov dr0, eax
work:   push ecx
        mov ecx, 60000
inner:  dec ecx
        jnz inner
        mov eax, dr0
        put al
        pop ecx
        dec ecx
        jnz work
        off`);

  it.each(BOTH)(
    'share the processor in slices, each with its own memory and debug registers (%s)',
    (paging) => {
      const host = new TestHost({ processor: 'nehalem' });
      const a = host.boot(nasm(worker('a')), 1, 4, { paging });
      const b = host.boot(nasm(worker('b')), 2, 4, { paging: 'shadow' });
      host.run(100_000_000);
      expect([a.state, b.state]).toEqual(['halted', 'halted']);
      expect(said(a)).toBe('a'.repeat(20));
      expect(said(b)).toBe('b'.repeat(20));
    },
  );
});

needsNasm('an entry that the processor refuses', () => {
  it('ends that guest with the rule that was broken; the others go on', () => {
    const host = new TestHost();
    const victim = host.boot(build('again: jmp again'), 1);
    host.run(1_000_000);
    host.loop.leaveGuest();
    host.technique.guestOf(victim).vmcb.set(V.asid, 0);
    const other = host.boot(build("put 'o'\noff"), 2);
    host.run(20_000_000);
    expect(victim.state).toBe('crashed');
    expect(victim.ending).toMatch(/refused to enter the guest: the ASID is 0/);
    expect([other.state, said(other)]).toEqual(['halted', 'o']);
  });
});

needsNasm('looking into a guest', () => {
  it.each(BOTH)('the VMCB field by field, and the ways of an address (%s)', (paging) => {
    const host = new TestHost({ processor: 'nehalem' });
    const domain = host.boot(build(`${PAGING}\nmov dword [0x200000], 7\nout 0xe9, al\nhlt`), 1, 4, {
      paging,
    });
    host.run(3_000_000);
    const inspector = svmInspector(host.technique);
    const [vcpu] = domain.vcpus;
    const structure = inspector.controlStructure!(vcpu)!;
    expect(structure.machine).toBe(inspector.controlRegion!(vcpu));
    const field = (name: string) => structure.fields.find((f) => f.name === name)!;
    expect(field('EXITCODE')).toMatchObject({ low: 0x78, meaning: 'hlt', area: 'exit', encoding: 0x70 });
    expect(field('INTERCEPT_GENERAL2').meaning).toContain('vmrun');
    expect(field('CR0').meaning).toContain('PG');
    expect(field('CPL').low).toBe(0);
    const walk = inspector.walk!(vcpu, 0x200004)!;
    expect(walk.physical).toBe(0x200004);
    expect(walk.guest.map((s) => s.level)).toEqual([2, 1]);
    expect(new Set(walk.real.map((s) => s.tables))).toEqual(new Set([paging]));
    expect(walk.machine).toBe(domain.memory.toMachine(0x200004));
    expect(walk.machine).toBe(host.technique.translate(vcpu, 0x200004));
    expect(host.pc.memory.read32(walk.machine - 4)).toBe(7);
  });
});

describe('the words', () => {
  it('are those of perf kvm stat', async () => {
    const { exitName } = await import('../../trace/exits.ts');
    const { Vendor } = await import('../../trace/events.ts');
    const names = [0x00, 0x13, 0x27, 0x4e, 0x60, 0x64, 0x72, 0x7b, 0x7c, 0x81, 0x8c, 0x400];
    expect(names.map((code) => exitName(Vendor.svm, code))).toEqual([
      'read_cr0',
      'write_cr3',
      'read_dr7',
      'PF excp',
      'interrupt',
      'vintr',
      'cpuid',
      'io',
      'msr',
      'hypercall',
      'mwait_cond',
      'npf',
    ]);
  });
});

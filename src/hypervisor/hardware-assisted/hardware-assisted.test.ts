// Unmodified guests under first-generation VT-x with shadow paging. The kernels are assembled by nasm; what they should
// see is what the bare machine would show them.
import { describe, expect, it } from 'vitest';
import { hasNasm, nasm } from '../../machine/cpu/test-machine.ts';
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { Emulated, Shadow } from '../../trace/events.ts';
import { kernel, PAGING, said, TestHost } from './testing.ts';

const needsNasm = hasNasm() ? describe : describe.skip;
if (!hasNasm()) console.warn('nasm is not installed: the tests of VT-x guests are skipped');

/** Boots one kernel, lets it run, and tells what came of it. */
function run(body: string, memoryMiB = 4, cycles?: number) {
  const host = new TestHost();
  const domain = host.boot(nasm(kernel(body)), 1, memoryMiB);
  host.run(cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}

const HANDLER_TEXT = `
hang:   hlt
        jmp hang
`;

needsNasm('boot', () => {
  it('starts as multiboot says, and ends when the guest switches its machine off', () => {
    const { domain, text, exits } = run(`
        mov ecx, eax
        mov eax, cr0
        test eax, 0x80000000            ; paging looks off, though the processor has it on
        jnz hang
        put 'o'
        put 'k'
        off
${HANDLER_TEXT}`);
    expect(text).toBe('ok');
    expect(domain.state).toBe('halted');
    expect(domain.ending).toBe('the guest switched the machine off');
    expect(exits.get(EXIT.ioInstruction)).toBe(3);
  });

  it('refuses what first-generation VT-x cannot run, in words', () => {
    const host = new TestHost();
    const sector = new Uint8Array(512);
    sector.set([0xeb, 0xfe]);
    sector.set([0x55, 0xaa], 510);
    expect(() => host.boot(sector)).toThrow(/real mode.*native/);
    expect(host.hypervisor.frames.owner.includes(1), 'nothing is left behind').toBe(false);
  });

  it('gives every frame back when the domain is destroyed', () => {
    const host = new TestHost();
    const first = host.boot(nasm(kernel(`${PAGING}\noff\n${HANDLER_TEXT}`)));
    host.run();
    expect(first.state).toBe('halted');
    host.hypervisor.destroyDomain(1);
    const free = host.hypervisor.frames.free;
    for (let n = 0; n < 3; n++) {
      host.boot(nasm(kernel(`${PAGING}\noff\n${HANDLER_TEXT}`)));
      host.run();
      host.hypervisor.destroyDomain(1);
      expect(host.hypervisor.frames.free).toBe(free);
    }
  });
});

needsNasm('control registers', () => {
  it('the guest reads back what it wrote, and the processor holds something else', () => {
    const { host, domain, text } = run(`
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
        or eax, 8                       ; TS is the guest's own: no exit
        mov cr0, eax
        clts
        off
${HANDLER_TEXT}`);
    expect(text).toBe('y');
    const writes = host.events('emulate').filter((e) => e.b >= 0 && e.a === Emulated.crWrite);
    expect(writes.map((e) => e.b)).toEqual([3, 0, 4]);
    const registers = host.technique.registers(domain.vcpus[0]);
    expect(registers.CR3).toBe(host.events('emulate').find((e) => e.b === 3)!.c);
    expect(registers.CR4).toBe(0x90);
  });

  it('PAE, which CPUID does not announce, is #GP; so is paging without protection', () => {
    const { text } = run(`
        gate 13, protection
        mov eax, 0x20
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
        iret
${HANDLER_TEXT}`);
    expect(text).toBe('#b#d');
  });

  it('a guest that goes to real mode is told why it ends', () => {
    const { domain } = run(`
        mov eax, cr0
        and eax, ~1
        mov cr0, eax
${HANDLER_TEXT}`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(/real mode.*CR0\.PE/);
  });
});

needsNasm('shadow paging', () => {
  it('hidden faults are hidden: the guest sees only those that its own tables cause', () => {
    const { host, domain, text } = run(`
        gate 14, page_fault
${PAGING}
        mov dword [table + 0x300 * 4], 0
        invlpg [0x300000]
        mov eax, [0x200000]
        mov [0x200000], eax
        mov eax, [0x300000]
        put 'z'
        off
page_fault:
        mov eax, cr2
        cmp eax, 0x300000
        jne hang
        cmp dword [esp], 0
        jne hang
        put 'p'
        mov dword [table + 0x300 * 4], 0x200003
        add esp, 4
        iret
${HANDLER_TEXT}`);
    expect(text).toBe('pz');
    const faults = host.events('shadow').filter((e) => e.a === Shadow.guestFault);
    expect(faults.map((e) => e.b)).toEqual([0x300000]);
    expect(domain.state).toBe('halted');
  });

  it('accessed and dirty bits appear in the guest’s own tables', () => {
    const { text } = run(`
${PAGING}
        mov eax, [0x200000]
        mov ebx, [table + 0x200 * 4]
        mov [0x200000], eax
        mov ecx, [table + 0x200 * 4]
        cmp ebx, 0x200023
        jne hang
        cmp ecx, 0x200063
        jne hang
        put 'a'
        off
${HANDLER_TEXT}`);
    expect(text).toBe('a');
  });

  it('4-MiB pages work, and write protection holds for ring 0 when CR0.WP is 1', () => {
    const { text } = run(`
        gate 14, page_fault
        mov eax, 0x10
        mov cr4, eax
        mov dword [directory], 0x83
        mov dword [directory + 4], 0x81  ; the same 4 MiB once more, read-only
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov dword [0x600000], 1          ; WP = 0: ring 0 writes where it likes
        mov eax, cr0
        or eax, 0x10000
        mov cr0, eax
        mov dword [0x600000], 2
        put 'n'
        cmp dword [0x200000], 1
        jne hang
        put '1'
        off
page_fault:
        cmp dword [esp], 3
        jne hang
        put 'w'
        add dword [esp + 4], 10          ; over MOV [imm32], imm32
        add esp, 4
        iret
${HANDLER_TEXT}`);
    expect(text).toBe('wn1');
  });

  it('address spaces switch without new hidden faults once both have been seen', () => {
    const { host, domain } = run(`
${PAGING}
        mov dword [0x300000], table + 3  ; a second directory, in the guest's page 300h
        mov ecx, 50
again:  mov eax, 0x300000
        mov cr3, eax
        mov eax, directory
        mov cr3, eax
        loop again
        off
${HANDLER_TEXT}`);
    expect(domain.state).toBe('halted');
    const fills = host.events('shadow').filter((e) => e.a === Shadow.fill).length;
    expect(host.events('shadow').filter((e) => e.a === Shadow.switchRoot).length).toBeGreaterThanOrEqual(100);
    expect(fills).toBeLessThan(30);
  });

  it('where there is no memory, reads are ones and writes are lost, with any instruction', () => {
    const { text, domain } = run(`
        mov eax, [0x800000]
        cmp eax, -1
        jne hang
        mov dword [0x800000], 0x1234
        mov eax, [0x800000]
        cmp eax, -1
        jne hang
        mov edi, 0x900ff0                ; over a page border
        mov ecx, 8
        xor eax, eax
        rep stosd
        cmp edi, 0x901010
        jne hang
        inc dword [0x800000]
        mov eax, [0x900ffc]
        cmp eax, -1
        jne hang
        pushfd
        pop eax
        test eax, 0x100                  ; no trap flag is left over
        jnz hang
        put 'v'
        off
${HANDLER_TEXT}`);
    expect(text).toBe('v');
    expect(domain.state).toBe('halted');
  });
});

needsNasm('interrupts', () => {
  const PIC = `
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
        mov al, 0x34                     ; PIT channel 0, mode 2, 100 Hz
        out 0x43, al
        mov al, 11932 & 255
        out 0x40, al
        mov al, 11932 >> 8
        out 0x40, al
`;
  it('the virtual timer ticks a hundred times a second, and HLT sleeps until it does', () => {
    const { host, domain, text, exits } = run(`
${PIC}
        sti
sleep:  hlt
        cmp dword [ticks], 10
        jb sleep
        put 't'
        off
tick:   push eax
        inc dword [ticks]
        mov al, 0x20
        out 0x20, al
        pop eax
        iret
ticks:  dd 0
${HANDLER_TEXT}`);
    expect(text).toBe('t');
    const seconds = host.pc.cpu.cycles / host.pc.cost.clockHz;
    expect(seconds).toBeGreaterThan(0.095);
    expect(seconds).toBeLessThan(0.115);
    expect(exits.get(EXIT.hlt)).toBe(10);
    expect(host.events('inject').filter((e) => e.a === 0x20)).toHaveLength(10);
    expect(domain.state).toBe('halted');
  });

  it('while IF is 0 an interrupt waits for its window', () => {
    const { host, text, exits } = run(`
${PIC}
        mov ecx, 3000000                 ; longer than one tick
spin:   dec ecx
        jnz spin
        put 'a'
        sti
        nop
        nop
        put 'c'
        off
tick:   put 'b'
        mov al, 0x20
        out 0x20, al
        cli
        iret
${HANDLER_TEXT}`);
    expect(text.slice(0, 3)).toBe('abc');
    expect(exits.get(EXIT.interruptWindow)).toBeGreaterThanOrEqual(1);
    expect(host.events('inject').filter((e) => e.a === 0x20).length).toBeGreaterThanOrEqual(1);
  });

  it('a page fault on the way of an interrupt (a hidden one) loses neither', () => {
    const { text } = run(`
${PIC}
${PAGING}
        mov eax, cr3                     ; all shadows of the stack and the tables may go
        sti
again:  mov cr3, eax
        cmp dword [ticks], 3
        jb again
        put 't'
        off
tick:   inc dword [ticks]
        push eax
        mov al, 0x20
        out 0x20, al
        pop eax
        iret
ticks:  dd 0
${HANDLER_TEXT}`);
    expect(text).toBe('t');
  });

  it('CLI; HLT waits for ever, and the host says so', () => {
    const { domain, host } = run('cli\nhlt\nput "x"', 4, 1_000_000);
    expect(domain.state).toBe('running');
    expect(domain.ending).toMatch(/interrupts off/);
    expect(domain.vcpus[0].state).toBe('blocked');
    expect(host.exits(1).get(EXIT.hlt)).toBe(1);
  });
});

needsNasm('exceptions', () => {
  it('go through the guest’s own IDT, whether they leave first (#GP) or not (#UD, #DE)', () => {
    const { text, exits } = run(`
        gate 0, divide
        gate 6, opcode
        gate 13, protection
        ud2
        xor ecx, ecx
        div ecx
        mov ax, 0x1000
        mov ds, ax
        put 'z'
        off
opcode: put 'u'
        add dword [esp], 2
        iret
divide: put 'd'
        add dword [esp], 2
        iret
protection:
        cmp dword [esp], 0x1000
        jne hang
        put 'g'
        add dword [esp + 4], 2
        add esp, 4
        iret
${HANDLER_TEXT}`);
    expect(text).toBe('udgz');
    expect(exits.get(EXIT.exceptionOrNmi)! >= 1).toBe(true);
  });

  it('a triple fault ends the domain and tells the chain', () => {
    const { domain } = run(`
        lidt [nothing]
        mov ax, 0x1000
        mov ds, ax
nothing: dw 0
        dd 0
${HANDLER_TEXT}`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(
      /^triple fault at 001[0-9A-F]+h: #GP\(1000h\) → #GP\(6Bh\) → #DF → #GP\(43h\) → shutdown$/,
    );
  });

  it('a page fault whose handler faults names both addresses', () => {
    const { domain } = run(`
        gate 14, page_fault
        gate 8, page_fault
${PAGING}
        mov dword [table + 0x300 * 4], 0
        invlpg [0x300000]
        mov esp, 0x300800
        push eax
page_fault: hlt
${HANDLER_TEXT}`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toContain('#PF(2h) for 003007FCh → #PF(2h) for 003007FCh → #DF');
  });

  it('VMX instructions do not exist for the guest, and CPUID says so', () => {
    const { text } = run(`
        gate 6, opcode
        mov eax, 1
        cpuid
        test ecx, 32
        jnz hang
        vmcall
        put 'v'
        off
opcode: put 'u'
        add dword [esp], 3
        iret
${HANDLER_TEXT}`);
    expect(text).toBe('uv');
  });

  it('a hardware task switch ends the domain with the reason', () => {
    const { domain } = run(`
        mov dword [gdt + 8], 0x67
        mov dword [gdt + 12], 0x8900
        jmp 8:0
${HANDLER_TEXT}`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(/hardware task switch by JMP to TSS 8h/);
  });
});

needsNasm('input and output', () => {
  it('string forms move between memory and the virtual board', () => {
    const { text } = run(`
        mov esi, message
        mov ecx, message_end - message
        mov dx, 0xe9
        rep outsb
        mov edi, 0x200000
        mov dx, 0xe9                      ; reads E9h
        mov ecx, 3
        rep insb
        cmp edi, 0x200003
        jne hang
        cmp byte [0x200002], 0xe9
        jne hang
        std
        mov esi, message_end - 1
        mov ecx, 2
        rep outsb
        cld
        off
message: db 'string'
message_end:
${HANDLER_TEXT}`);
    expect(text).toBe('stringgn');
  });

  it('a string form stops at a page that the guest’s tables do not give it', () => {
    const { text } = run(`
        gate 14, page_fault
${PAGING}
        mov dword [table + 0x201 * 4], 0
        invlpg [0x201000]
        mov edi, 0x200ffe
        mov ecx, 4
        mov dx, 0xe9
        rep insb
        put 'e'
        off
page_fault:
        push eax
        cmp edi, 0x201000
        jne hang
        cmp ecx, 2
        jne hang
        cmp dword [esp + 4], 2
        jne hang
        mov dword [table + 0x201 * 4], 0x201003
        put 'f'
        pop eax
        add esp, 4
        iret
${HANDLER_TEXT}`);
    // The handler's own OUT goes between; INSB changes no register that it uses.
    expect(text).toBe('fe');
  });

  it('the clock chip shows the host’s date, and CMOS the domain’s memory', () => {
    const { text } = run(`
        mov al, 0x32
        out 0x70, al
        in al, 0x71
        cmp al, 0x20
        jne hang
        mov al, 0x09
        out 0x70, al
        in al, 0x71
        cmp al, 0x05
        jne hang
        put 'd'
        off
${HANDLER_TEXT}`);
    expect(text).toBe('d');
  });

  it('MSRs: SYSENTER and the time stamp are there, others are #GP', () => {
    const { text } = run(`
        gate 13, protection
        mov ecx, 0x176
        mov eax, 0x1234
        xor edx, edx
        wrmsr
        xor eax, eax
        rdmsr
        cmp eax, 0x1234
        jne hang
        mov ecx, 0x10
        xor eax, eax
        xor edx, edx
        wrmsr
        rdtsc
        cmp eax, 100000
        ja hang
        mov ecx, 0x480
        rdmsr
        put 'm'
        off
protection:
        put '#'
        add dword [esp + 4], 2
        add esp, 4
        iret
${HANDLER_TEXT}`);
    expect(text).toBe('#m');
  });
});

needsNasm('two guests on one host', () => {
  const worker = (letter: string) =>
    kernel(`
${PAGING}
        mov ecx, 20
work:   push ecx
        mov ecx, 60000
        xor ebx, ebx
inner:  inc ebx
        dec ecx
        jnz inner
        mov [0x200000], ebx
        put '${letter}'
        pop ecx
        dec ecx
        jnz work
        off
${HANDLER_TEXT}`);

  it('share the processor in slices, each with its own memory and debug registers', () => {
    const host = new TestHost();
    const a = host.boot(nasm(worker('a')), 1);
    const b = host.boot(nasm(worker('b')), 2);
    host.run(100_000_000);
    expect([a.state, b.state]).toEqual(['halted', 'halted']);
    expect(said(a)).toBe('a'.repeat(20));
    expect(said(b)).toBe('b'.repeat(20));
    expect(host.recorder.count(11)).toBeGreaterThan(10);
  });

  it('a guest that writes to every address it can form changes nothing outside its domain', () => {
    const host = new TestHost();
    const quiet = host.boot(nasm(kernel('cli\nhlt\nhang: jmp hang')), 2);
    host.run(1_000_000);
    const outside = (): string => {
      const { frames } = host.hypervisor;
      let hash = 0x811c9dc5;
      for (const gfn of quiet.memory.p2m) {
        for (let at = gfn * 4096; at < gfn * 4096 + 4096; at += 4)
          hash = Math.imul(hash ^ host.pc.memory.read32(at), 0x01000193);
        expect(frames.owner[gfn]).toBe(2);
      }
      return hash.toString(16);
    };
    const before = outside();
    // Every page-directory entry points to every 4 MiB in turn, and one doubleword of each page is written.
    const wild = host.boot(
      nasm(
        kernel(`
        gate 14, skip
        mov eax, 0x10
        mov cr4, eax
        mov edi, directory
        mov eax, 0x83
fill:   mov [edi], eax
        add eax, 0x400000
        add edi, 4
        cmp edi, directory + 4096
        jb fill
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov edi, 0x400000
storm:  mov dword [edi], 0xdeadbeef
        add edi, 0x40000
        jnz storm
        put 's'
        off
skip:   add dword [esp + 4], 6
        add esp, 4
        iret
hang:   jmp hang`),
      ),
      1,
    );
    host.run(800_000_000);
    expect(said(wild)).toBe('s');
    expect(outside()).toBe(before);
    const { monitor } = host.hypervisor;
    expect(host.pc.memory.read32(monitor.idt + 4) >>> 16, 'the monitor’s IDT is whole').toBe(
      (monitor.monitorGate(0)[1] >>> 16) & 0xffff,
    );
  });
});

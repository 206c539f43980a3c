// Interrupts of the virtual board and exceptions of the guest: in the right order, at the right moment, and to the end.
import { expect, it } from 'vitest';
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { needsNasm, PAGING, runKernel } from './testing.ts';

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
    const { host, domain, text, exits } = runKernel(`
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
ticks:  dd 0`);
    expect(text).toBe('t');
    // Time goes on after the guest has switched itself off: what counts is when it did.
    const seconds = host.events('domain').at(-1)!.time / host.pc.cost.clockHz;
    expect(seconds).toBeGreaterThan(0.095);
    expect(seconds).toBeLessThan(0.115);
    expect(exits.get(EXIT.hlt)).toBe(10);
    expect(host.events('inject').filter((e) => e.a === 0x20)).toHaveLength(10);
    expect(domain.state).toBe('halted');
  });

  it('while IF is 0 an interrupt waits for its window', () => {
    const { host, text, exits } = runKernel(`
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
        iret`);
    expect(text.slice(0, 3)).toBe('abc');
    expect(exits.get(EXIT.interruptWindow)).toBeGreaterThanOrEqual(1);
    expect(host.events('inject').filter((e) => e.a === 0x20).length).toBeGreaterThanOrEqual(1);
  });

  it('a page fault on the way of an interrupt (a hidden one) loses neither', () => {
    const { text } = runKernel(`
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
ticks:  dd 0`);
    expect(text).toBe('t');
  });

  it('CLI; HLT waits for ever, and the host says so', () => {
    const { domain, host } = runKernel('cli\nhlt\nput "x"', { cycles: 1_000_000 });
    expect(domain.state).toBe('running');
    expect(domain.ending).toMatch(/interrupts off/);
    expect(domain.vcpus[0].state).toBe('blocked');
    expect(host.exits(1).get(EXIT.hlt)).toBe(1);
  });
});

needsNasm('exceptions', () => {
  it('go through the guest’s own IDT, whether they leave first (#GP) or not (#UD, #DE)', () => {
    const { text, exits } = runKernel(`
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
        iret`);
    expect(text).toBe('udgz');
    expect(exits.get(EXIT.exceptionOrNmi)! >= 1).toBe(true);
  });

  it('a triple fault ends the domain and tells the chain', () => {
    const { domain } = runKernel(`
        lidt [nothing]
        mov ax, 0x1000
        mov ds, ax
nothing: dw 0
        dd 0`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(
      /^triple fault at 001[0-9A-F]+h: #GP\(1000h\) → #GP\(6Bh\) → #DF → #GP\(43h\) → shutdown$/,
    );
  });

  it('a page fault whose handler faults names both addresses', () => {
    const { domain } = runKernel(`
        gate 14, page_fault
        gate 8, page_fault
${PAGING}
        mov dword [table + 0x300 * 4], 0
        invlpg [0x300000]
        mov esp, 0x300800
        push eax
page_fault: hlt`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toContain('#PF(2h) for 003007FCh → #PF(2h) for 003007FCh → #DF');
  });

  it('VMX instructions do not exist for the guest, and CPUID says so', () => {
    const { text } = runKernel(`
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
        iret`);
    expect(text).toBe('uv');
  });
});

// Ports, string I/O, the clock chip and model-specific registers of a guest under VT-x.
import { expect, it } from 'vitest';
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { needsNasm, PAGING, runKernel } from './testing.ts';

needsNasm('input and output', () => {
  it('string forms move between memory and the virtual board', () => {
    const { text } = runKernel(`
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
message_end:`);
    expect(text).toBe('stringgn');
  });

  it('a string form stops at a page that the guest’s tables do not give it', () => {
    const { text } = runKernel(`
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
        iret`);
    // The handler's own OUT goes between; INSB changes no register that it uses.
    expect(text).toBe('fe');
  });

  it('the clock chip shows the host’s date, and CMOS the domain’s memory', () => {
    const { text } = runKernel(`
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
        off`);
    expect(text).toBe('d');
  });

  it('MSRs: SYSENTER and the time stamp are there, others are #GP', () => {
    const { text } = runKernel(`
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
        mov ecx, 0xc1
        rdmsr
        put 'm'
        xor ecx, ecx                      ; nor are there performance counters
        rdpmc
        put 'p'
        off
protection:
        put '#'
        add dword [esp + 4], 2
        add esp, 4
        iret`);
    expect(text).toBe('##m#p');
  });

  it('RDTSC leaves when that was asked for, and time goes on all the same', () => {
    const body = 'rdtsc\nmov ebx, eax\nrdtsc\ncmp eax, ebx\njbe hang\nput "t"\noff';
    const asked = runKernel(body, { technique: { rdtscExits: true } });
    expect(asked.text).toBe('t');
    expect(asked.exits.get(EXIT.rdtsc)).toBe(2);
    const usual = runKernel(body);
    expect(usual.text).toBe('t');
    expect(usual.exits.has(EXIT.rdtsc)).toBe(false);
  });
});

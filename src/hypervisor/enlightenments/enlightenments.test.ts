// What guests find by CPUID when they are offered interfaces, and that it does what the specifications say: Microsoft's Top-
// Level Functional Specification, and Xen's public headers. A guest that is offered nothing finds nothing.
import { describe, expect, it } from 'vitest';
import { hasNasm } from '../../machine/cpu/test-machine.ts';
import { run, TECHNIQUES, words } from './testing.ts';

/** Bytes of a word in memory to the debug port, low one first. */
const PUT_WORD = `
%macro word_out 1
        mov edi, %1
        call put_word
%endmacro
        jmp begin
put_word:
        mov ecx, 4
.byte:  mov eax, edi
        out 0xe9, al
        shr edi, 8
        loop .byte
        ret
begin:
`;
/** Makes a page for overlays at 2 MiB, with the guest's own mark in it. */
const HYPER_V_PAGE = `
        mov dword [0x200000], 0x11223344
        mov ecx, 0x40000000
        mov eax, 1
        mov edx, 0x80000000
        wrmsr
        mov ecx, 0x40000001
        mov eax, 0x200001
        xor edx, edx
        wrmsr
`;

if (!hasNasm()) console.warn('Enlightenments are not tried here: nasm is not installed');
describe.skipIf(!hasNasm()).each(TECHNIQUES)('under %s', (_, technique) => {
  it('nothing is there when nothing is offered', () => {
    const { text, domain } = run(
      technique,
      `${PUT_WORD}
        mov eax, 1
        cpuid
        word_out ecx
        gate 6, ud
        gate 13, gp
        mov ecx, 0x40000000
        rdmsr
gp:     put "g"
        ${_ === 'vt-x' ? 'vmcall' : 'vmmcall'}
ud:     put "u"
        off`,
      [],
    );
    expect(words(text.slice(0, 4))[0] >>> 31).toBe(0);
    expect(text.slice(4)).toBe('gu');
    expect(domain.state).toBe('halted');
  });

  it('each interface has its place in CPUID, Microsoft’s first', () => {
    const leaves = `${PUT_WORD}
        mov eax, 1
        cpuid
        word_out ecx
        mov eax, 0x40000000
        cpuid
        mov esi, ecx
        mov ebp, eax
        word_out ebx
        word_out esi
        word_out edx
        word_out ebp
        mov eax, 0x40000100
        cpuid
        word_out ebx
        off`;
    const both = run(technique, leaves, ['xen', 'hyper-v']).text;
    expect(words(both)[0] >>> 31).toBe(1);
    expect(both.slice(4, 16)).toBe('Microsoft Hv');
    expect(both.slice(20)).toBe('XenV');
    const xen = run(technique, leaves, ['xen']).text;
    expect(xen.slice(4, 16)).toBe('XenVMMXenVMM');
    expect(words(xen.slice(16, 20))[0]).toBe(0x40000002);
  });

  it('the page of hypercalls lies over the guest’s own, which comes back', () => {
    const { text } = run(
      technique,
      `${PUT_WORD}${HYPER_V_PAGE}
        word_out [0x200000]
        mov ecx, 0x40000001
        xor eax, eax
        xor edx, edx
        wrmsr
        word_out [0x200000]
        mov ecx, 0x40000000
        xor eax, eax
        wrmsr
        mov ecx, 0x40000001
        mov eax, 0x200001
        wrmsr
        rdmsr
        word_out eax                    ; without a name nothing is enabled
        off`,
      ['hyper-v'],
    );
    expect(words(text)).toEqual([0x0000000d, 0x11223344, 0x200000]);
  });

  it('hypercalls answer with a status, and what is no call says so', () => {
    const call = (code: number, ecx: string, edx = 0) =>
      `
        mov eax, ${code}
        mov edx, ${edx}
        xor ebx, ebx
        mov ecx, ${ecx}
        call 0x200000
        word_out eax
`.replace('call 0x200000', 'mov ebp, 0x200000\n        call ebp');
    const { text } = run(
      technique,
      `${PUT_WORD}${HYPER_V_PAGE}
${call(8 | 0x10000, '0')}
${call(0x7777, '0')}
${call(2, '0x300000')}
${call(2, '0x300004')}
${call(2, '0x300ff0')}
${call(2, '0x40000000')}
${call(3, '0x300000', 3)}
${call(3, '0x300000', 0)}
        off`,
      ['hyper-v'],
    );
    // Success, invalid code, success, alignment, parameter (twice), success, invalid input.
    expect(words(text)).toEqual([0, 2, 0, 4, 5, 5, 0, 3]);
  });

  it('the reference page gives the time that the register gives', () => {
    const { text, host } = run(
      technique,
      `${PUT_WORD}
        mov ecx, 0x40000021
        mov eax, 0x201001
        xor edx, edx
        wrmsr
        mov ecx, 0x40000020
        rdmsr
        mov esi, eax
        rdtsc                           ; less than 4 Gi cycles, and a scale below 1: one product is enough
        mul dword [0x201000 + 12]
        mov ebp, edx
        word_out esi
        word_out ebp
        word_out [0x201000]
        off`,
      ['hyper-v'],
    );
    const [register, page, sequence] = words(text);
    expect(sequence).toBe(1);
    const units = 10_000_000 / host.pc.cost.clockHz;
    // Between the two lies an exit or two; the page's low half of the scale was left out.
    expect(Math.abs(page - register)).toBeLessThan(20_000 * units);
    expect(register).toBeGreaterThan(0);
  });

  it('Xen’s pages take the place of the guest’s', () => {
    const { text, domain } = run(
      technique,
      `${PUT_WORD}
        mov dword [0x202000 + 2304 + 4], 0x99
        mov ecx, 0x40000200
        mov eax, 0x200000
        xor edx, edx
        wrmsr
        mov ebx, 7                      ; add_to_physmap {self, shared_info, 0, frame 202h}
        mov ecx, argument
        mov ebp, 0x200000 + 12 * 32
        call ebp
        word_out eax
        word_out [0x202000 + 2304 + 4]  ; seconds of the wall clock: 5 December 2005
        mov dword [argument + 12], 0xb8 ; not over the video memory
        mov ebx, 7
        mov ecx, argument
        mov ebp, 0x200000 + 12 * 32
        call ebp
        word_out eax
        mov dword [argument + 12], 0x7fffffff
        mov ebx, 7
        mov ecx, argument
        mov ebp, 0x200000 + 12 * 32
        call ebp
        word_out eax
        mov ebx, 0
        mov ebp, 0x200000 + 17 * 32
        call ebp
        word_out eax
        mov ebx, 2
        mov ecx, reason
        mov ebp, 0x200000 + 29 * 32
        call ebp
        align 4
argument: dd 0x7ff0, 0, 0, 0x202
reason: dd 0`,
      ['xen'],
    );
    expect(words(text)).toEqual([0, Date.UTC(2005, 11, 5, 10) / 1000, 2 ** 32 - 22, 2 ** 32 - 22, 0x30000]);
    expect(domain.ending).toBe('the guest shut down');
  });
});

// Each enlightenment of Microsoft's interface against what it stands for: a small kernel does the same thing by instructions
// and by call, says the same, and leaves less often. (The whole of it in a real kernel: guests/penguin/enlightened.test.ts.)
import { describe, expect, it } from 'vitest';
import { hasNasm } from '../../machine/cpu/test-machine.ts';
import { PAGING } from '../testing/small-kernels.ts';
import { run, TECHNIQUES, words } from './testing.ts';

const TIMES = 16;
/** 16 pages from 3 MiB, a mark in each that is its number; hypercalls at 2 MiB. */
const SET_UP = `
%macro word_out 1
        mov edi, %1
        call put_word
%endmacro
%macro hyper 3                          ; call with its form, repeats, parameters (physical, or the value)
        mov eax, %1
        mov edx, %2
        xor ebx, ebx
        mov ecx, %3
        mov ebp, 0x200000
        call ebp
        or [failed], eax
%endmacro
pages   equ 0x300000
        jmp begin
put_word:
        mov ecx, 4
.byte:  mov eax, edi
        out 0xe9, al
        shr edi, 8
        loop .byte
        ret
; Page tables anew: page n shows frame n + ESI of those at 3 MiB.
turn:   xor ecx, ecx
.next:  lea eax, [ecx + esi]
        and eax, ${TIMES - 1}
        shl eax, 12
        lea eax, [eax + pages + 3]
        or eax, [global_bit]
        mov [table + (pages >> 12) * 4 + ecx * 4], eax
        inc ecx
        cmp ecx, ${TIMES}
        jb .next
        ret
; EDI = what all pages show, as one number.
look:   xor ecx, ecx
        xor edi, edi
.next:  mov eax, ecx
        shl eax, 12
        rol edi, 1
        xor edi, [pages + eax]
        inc ecx
        cmp ecx, ${TIMES}
        jb .next
        ret
        align 8
failed: dd 0
global_bit: dd 0
parameters: dd 0, 0, 0, 0, 1, 0         ; space, flags, processors
        dd pages + ${TIMES - 1}, 0      ; a page, and how many more
begin:  ${PAGING}
        mov dword [0x200000], 0
        mov ecx, 0x40000000
        mov eax, 1
        xor edx, edx
        wrmsr
        mov ecx, 0x40000001
        mov eax, 0x200001
        wrmsr
        mov ecx, 0x40000021
        mov eax, 0x201001
        wrmsr
        xor ecx, ecx
.mark:  mov eax, ecx
        shl eax, 12
        lea edx, [ecx * 8 + ecx + 0x51]
        mov [pages + eax], edx
        inc ecx
        cmp ecx, ${TIMES}
        jb .mark
`;
const END = `
        word_out [failed]
        off`;
const LIST = 3;
const SPACE = 2;
const SWITCH = 0x10001;
const FAST_FLUSH = 0x10002;

/** What \`look\` finds after \`turn\` by so many. */
const shown = (by: number): number => {
  let sum = 0;
  for (let n = 0; n < TIMES; n++) {
    const mark = ((n + by) % TIMES) * 9 + 0x51;
    sum = (((sum << 1) | (sum >>> 31)) ^ mark) >>> 0;
  }
  return sum;
};

const WAYS = TECHNIQUES.flatMap(([name, technique]) => [
  { name, technique, paging: 'shadow' as const },
  { name, technique, paging: 'nested' as const },
]);

if (!hasNasm()) console.warn('Microsoft’s enlightenments are not tried here: nasm is not installed');
describe.skipIf(!hasNasm()).each(WAYS)('under $name, $paging', ({ technique, paging }) => {
  const told = (body: string) => {
    const { text, exits } = run(technique, SET_UP + body + END, ['hyper-v'], { paging });
    return { said: words(text), exits };
  };
  const changes = (flush: string, more = '') =>
    told(`${more}
        mov esi, 0
.again: push esi
        call turn
        ${flush}
        call look
        call put_word
        pop esi
        inc esi
        cmp esi, 4
        jb .again`);
  const expected = [0, 1, 2, 3].map(shown);

  it('pages are flushed by one call for all of them', () => {
    const one = changes(`
        mov ecx, pages
.page:  invlpg [ecx]
        add ecx, 4096
        cmp ecx, pages + ${TIMES} * 4096
        jb .page`);
    const list = changes(`hyper ${LIST}, 1, parameters`);
    expect(list.said).toEqual([...expected, 0]);
    expect(one.said).toEqual(list.said);
    // With nested tables INVLPG is the guest's own, and the call is not recommended.
    if (paging === 'shadow') expect(one.exits - list.exits).toBeGreaterThanOrEqual(4 * (TIMES - 2));
  });

  it('an address space is flushed by one call; global pages too', () => {
    const space = changes(`hyper ${SPACE}, 0, parameters`);
    expect(space.said).toEqual([...expected, 0]);
    const PGE = `
        mov eax, cr4
        or eax, 0x80
        mov cr4, eax
        mov dword [global_bit], 0x100
`;
    expect(changes(`hyper ${SPACE}, 0, parameters`, PGE).said).toEqual([...expected, 0]);
    // Its parameters do not fit into registers.
    expect(told(`hyper ${FAST_FLUSH}, 0, 0`).said).toEqual([3]);
  });

  it('an address space is entered by call, and what is asked of CR3 need not be', () => {
    // Two directories: the second has the page table turned by one.
    const spaces = (enter: string, current: string) => `
        mov eax, [directory]
        mov dword [0x210000], 0x211003
        mov edi, 0x211000
        xor ecx, ecx
.entry: mov eax, [table + ecx * 4]
        mov [edi + ecx * 4], eax
        inc ecx
        cmp ecx, 1024
        jb .entry
        mov eax, [0x211000 + (pages >> 12) * 4]
        xchg eax, [0x211000 + (pages >> 12) * 4 + 4]
        mov [0x211000 + (pages >> 12) * 4], eax
        mov esi, 8
.again: mov eax, 0x210000
        call enter
        mov edi, [pages]
        call put_word
        mov eax, directory
        call enter
        mov edi, [pages]
        call put_word
        dec esi
        jnz .again
        jmp done
enter:  ${enter}
        ${current}
        ret
done:`;
    const by = told(spaces('mov cr3, eax', 'mov eax, cr3'));
    const call = told(spaces(`mov edi, eax\nhyper ${SWITCH}, 0, edi`, ''));
    const first = 0x51;
    if (paging === 'nested') {
      // Not recommended there, and not offered: the call is refused, and changes nothing.
      expect(call.said).toEqual([...Array.from({ length: 16 }, () => first), 2]);
      return;
    }
    expect(call.said).toEqual([...Array.from({ length: 8 }, () => [first + 9, first]).flat(), 0]);
    expect(by.said).toEqual(call.said);
    expect(by.exits - call.exits).toBeGreaterThanOrEqual(TIMES - 4);
  });

  it('the time is read without leaving', () => {
    const read = (how: string) =>
      told(`
        mov esi, ${TIMES}
        mov eax, [0x201000]             ; from here on it is in the shadow tables
.again: ${how}
        dec esi
        jnz .again`);
    const register = read('mov ecx, 0x40000020\nrdmsr');
    const page = read('mov ebx, [0x201000]\nrdtsc\nmul dword [0x201000 + 12]\ncmp ebx, [0x201000]\njne $');
    expect(register.exits - page.exits).toBe(TIMES);
  });
});

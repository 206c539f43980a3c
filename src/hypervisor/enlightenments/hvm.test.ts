// The balloon and the clock of unmodified guests of Xen's interface, as hypercalls do them: under both vendors' techniques,
// with shadow and with nested paging. Numbers are Xen's (public/memory.h, vcpu.h, features.h).
import { describe, expect, it } from 'vitest';
import { hasNasm } from '../../machine/cpu/test-machine.ts';
import { run, TECHNIQUES, words } from './testing.ts';

/** Calls, and what each answered goes to the debug port; `page` is where hypercalls are. */
const CALLS = `
%macro word_out 1
        mov edi, %1
        call put_word
%endmacro
%macro ask 4                            ; number, EBX, ECX, EDX
        mov ebx, %2
        mov ecx, %3
        mov edx, %4
        mov ebp, page + %1 * 32
        call ebp
        word_out eax
%endmacro
page    equ 0x200000
frame   equ 0x280                       ; an ordinary one of the guest's 400h
        jmp begin
put_word:
        mov ecx, 4
.byte:  mov eax, edi
        out 0xe9, al
        shr edi, 8
        loop .byte
        ret
        align 4
list:   dd frame, frame + 1, frame + 2
reservation: dd list, 3, 0, 0, 0x7ff0
field:  dd 0, 0, 0
begin:  mov ecx, 0x40000200
        mov eax, page
        xor edx, edx
        wrmsr
`;
const MEMORY = 12;
const [INCREASE, DECREASE, CURRENT, MAXIMUM, POPULATE] = [0, 1, 3, 4, 6];
const INVALID = 2 ** 32 - 22;
const PAGES = 0x400;
/** The three frames, mapped by paging too (the small kernel's tables), with a mark in each. */
const MARK = `
        mov dword [frame * 4096], 0x11111111
        mov dword [frame * 4096 + 4096], 0x22222222
        mov dword [frame * 4096 + 8192], 0x33333333
`;
const WAYS = TECHNIQUES.flatMap(([name, technique]) => [
  { name, technique, paging: 'shadow' as const },
  { name, technique, paging: 'nested' as const },
]);

if (!hasNasm()) console.warn('The balloon and clock of HVM guests are not tried here: nasm is not installed');
describe.skipIf(!hasNasm()).each(WAYS)('under $name, $paging', ({ technique, paging }) => {
  const told = (body: string) => {
    const { text, ...rest } = run(technique, CALLS + body, ['xen'], { paging });
    return { said: words(text), ...rest };
  };

  it('frames go back to the host, are gone for the guest, and come again empty', () => {
    const { said, host, domain } = told(`${MARK}
        ask ${MEMORY}, ${CURRENT}, 0, 0
        ask ${MEMORY}, ${DECREASE}, reservation, 0
        ask ${MEMORY}, ${CURRENT}, 0, 0
        ask ${MEMORY}, ${MAXIMUM}, 0, 0
        word_out [frame * 4096 + 4096]  ; nobody answers there
        mov dword [frame * 4096 + 4096], 5
        word_out [frame * 4096 + 4096]
        mov dword [reservation + 4], 2
        ask ${MEMORY}, ${POPULATE}, reservation, 0
        ask ${MEMORY}, ${CURRENT}, 0, 0
        word_out [frame * 4096]
        word_out [frame * 4096 + 4096]
        mov dword [frame * 4096 + 4096], 7
        word_out [frame * 4096 + 4096]
        off`);
    const ones = 2 ** 32 - 1;
    expect(said).toEqual([PAGES, 3, PAGES - 3, PAGES, ones, ones, 2, PAGES - 1, 0, 0, 7]);
    expect(domain.memory.p2m.filter((frame) => frame >= 0).length).toBe(PAGES - 1);
    // Beside them shared_info, and with shadow tables the page that stands where there is none.
    const others = paging === 'shadow' ? 2 : 1;
    expect(host.frames.owner.filter((owner) => owner === 1).length).toBe(PAGES - 1 + others);
  });

  it('a frame that is asked for without a place gets one, and the list says where', () => {
    const { said } = told(`
        ask ${MEMORY}, ${DECREASE}, reservation, 0
        mov dword [list], 0
        mov dword [list + 4], 0
        mov dword [reservation + 4], 2
        ask ${MEMORY}, ${INCREASE}, reservation, 0
        word_out [list]
        word_out [list + 4]
        mov dword [reservation + 4], 3
        ask ${MEMORY}, ${INCREASE}, reservation, 0      ; there is one place left
        off`);
    expect(said).toEqual([3, 2, 0x280, 0x281, 1]);
  });

  it('what is not the guest’s to give, or stands already, ends the list; what is no list is refused', () => {
    const first = (value: string, command: number) => `
        mov dword [list], ${value}
        ask ${MEMORY}, ${command}, reservation, 0`;
    const { said, domain } = told(`
        mov dword [field + 4], frame + 0x10
        mov dword [argument + 12], frame + 0x10
        ask ${MEMORY}, 7, argument, 0                   ; shared_info lies there
        ${first('frame + 0x10', DECREASE)}
        ${first('0xb8', DECREASE)}
        ${first('0xef', DECREASE)}
        ${first('0x400', DECREASE)}
        ${first('0xffffffff', DECREASE)}
        ${first('frame', POPULATE)}
        ${first('0xb8', POPULATE)}
        ${first('0xfffffff0', POPULATE)}
        mov dword [reservation + 8], 1
        ${first('frame', DECREASE)}
        mov dword [reservation + 8], 0
        mov dword [reservation + 16], 1
        ${first('frame', DECREASE)}
        mov dword [reservation + 16], 0x7ff0
        ask ${MEMORY}, ${DECREASE} + 0x140, reservation, 0      ; from the fifth of three
        mov dword [reservation], 0x3ffffff0                     ; where it has no memory
        mov dword [reservation + 4], 0xffffffff
        ask ${MEMORY}, ${DECREASE}, reservation, 0
        mov dword [reservation], list
        ask ${MEMORY}, 63, reservation, 0
        jmp done
        align 4
argument: dd 0x7ff0, 0, 0, 0
done:   off`);
    const [NOSYS, PERM, FAULT] = [2 ** 32 - 38, 2 ** 32 - 1, 2 ** 32 - 14];
    expect(said).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, PERM, 5, FAULT, NOSYS]);
    expect(domain.state).toBe('halted');
  });

  it('the shared page tells the time for the guest’s own counter, also after it has set that', () => {
    // time = system_time + ((tsc - tsc_timestamp) << shift) * mul >> 32: the shift is positive at this clock.
    const NOW = `
        call now
        word_out eax`;
    const { said, host } = told(`
        mov dword [argument + 12], 0x202
        ask ${MEMORY}, 7, argument, 0
        mov dword [field], 0
        ask 17, 6, field, 0                             ; xen_version: get_features
        word_out [field + 4]
        ${NOW}
        mov ecx, 0x10
        mov eax, 0x12345678
        mov edx, 0x9a
        wrmsr
        ${NOW}
        jmp done
        align 4
argument: dd 0x7ff0, 0, 0, 0
info    equ 0x202000
now:    rdtsc
        sub eax, [info + 40]
        sbb edx, [info + 44]
        mov cl, [info + 60]
        shld edx, eax, cl
        shl eax, cl
        mul dword [info + 56]
        mov eax, edx
        add eax, [info + 48]
        ret
done:   word_out [info + 32]
        off`);
    const [mapped, answered, features, before, after, version] = said;
    expect([mapped, answered]).toEqual([0, 0]);
    expect(features & (1 << 9), 'XENFEAT_hvm_safe_pvclock').toBeTruthy();
    const end = (host.now * 1e9) / host.pc.cost.clockHz;
    expect(before).toBeGreaterThan(0);
    expect(after).toBeGreaterThan(before);
    expect(after).toBeLessThan(end);
    expect(end - before, 'some exits, in nanoseconds').toBeLessThan(1e7);
    expect(version % 2).toBe(0);
    expect(version).toBeGreaterThan(2);
  });

  it('vcpu_info moves to where the guest wants it, once; its page stays', () => {
    const { said } = told(`
        mov dword [place], frame
        mov dword [place + 8], 0xfc4
        ask 24, 10, 0, place            ; over the end of the page
        mov dword [place + 8], 0x40
        ask 24, 10, 1, place            ; there is one processor
        mov dword [place + 4], 1
        ask 24, 10, 0, place
        mov dword [place + 4], 0
        mov dword [frame * 4096 + 0x40 + 32], 0x99
        ask 24, 10, 0, place
        word_out [frame * 4096 + 0x40 + 32]     ; the version of the time
        ask 24, 10, 0, place
        ask ${MEMORY}, ${DECREASE}, reservation, 0
        mov eax, 0x40000004             ; a leaf that there is not
        cpuid
        or eax, ebx
        or eax, ecx
        or eax, edx
        word_out eax
        jmp done
        align 4
place:  dd 0, 0, 0, 0
done:   off`);
    const [, , , , version] = said;
    expect(version % 2).toBe(0);
    expect(said).toEqual([INVALID, INVALID, INVALID, 0, version, INVALID, 0, 0]);
    expect(version).not.toBe(0x99);
  });

  it('a timer interrupts once, at its time; the other one again and again, until it is stopped', () => {
    const timer = (body: string) => `
        gate 0x2d, event                                ; input 5 of the PIC pair
        mov al, 0x11
        out 0x20, al
        mov al, 0x28
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xdf
        out 0x21, al
        mov dword [argument + 12], 0x202
        ask ${MEMORY}, 7, argument, 0
        ask 34, 0, callback, 0                          ; hvm_op: set_param
        ask 32, 1, binding, 0                           ; bind_virq: VIRQ_TIMER
        mov ecx, [binding + 8]
        btr [info + 0x880], ecx
        ${body}
        off
        align 4
argument: dd 0x7ff0, 0, 0, 0
callback: dd 0x7ff0, 0, 5, 0
binding: dd 0, 0, 0
when:   dd 0, 0, 0
info    equ 0x202000
event:  mov byte [info], 0
        mov dword [info + 4], 0
        mov ecx, [binding + 8]
        btr [info + 0x800], ecx
        jnc .other
        inc dword [field + 8]
.other: mov al, 0x20
        out 0x20, al
        iretd
`;
    const TEN_MS = 10_000_000;
    const once = told(
      timer(`
        mov ebx, [info + 48]
        add ebx, ${TEN_MS}
        mov esi, ebx
        mov ecx, [info + 52]
        mov ebp, page + 15 * 32                         ; set_timer_op
        call ebp
        word_out eax
        sti
        hlt
        cli
        word_out [field + 8]
        mov [when], esi                                 ; a moment of the past: refused, or right now
        mov dword [when + 8], 1
        ask 24, 8, 0, when
        mov dword [when + 8], 0
        ask 24, 8, 0, when
        sti
        hlt
        cli
        word_out [field + 8]
        ask 24, 8, 1, when                              ; there is one processor
        ask 24, 3, 0, 0`),
    );
    expect(once.said).toEqual([0, 0, 0, 0, 1, 2 ** 32 - 62, 0, 2, 2 ** 32 - 2, 1]);
    expect(once.host.now).toBeGreaterThan((TEN_MS / 1e9) * once.host.pc.cost.clockHz);

    const often = told(
      timer(`
        mov dword [when], 1000
        ask 24, 6, 0, when                              ; a microsecond is too short a period
        mov dword [when], ${TEN_MS / 10}
        ask 24, 6, 0, when
        sti
.again: hlt
        cmp dword [field + 8], 5
        jb .again
        cli
        ask 24, 7, 0, 0
        mov dword [when], 0
        ask 24, 9, 0, 0
        word_out [field + 8]`),
    );
    expect(often.said).toEqual([0, 0, 0, INVALID, 0, 0, 0, 5]);
  });
});

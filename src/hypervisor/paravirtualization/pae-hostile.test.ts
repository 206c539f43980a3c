// A hostile kernel with PAE tries what would let it out of its domain, one entry, frame and descriptor after the other: each
// attempt is refused, and neither its neighbour nor Xen has another byte than before.
import { describe, expect, it } from 'vitest';
import { miscounts, violations } from './invariants.ts';
import type { PageTypes } from './page-types.ts';
import { build, PvHost, withPae } from './testing.ts';

const VICTIM = 1;
const HOSTILE = 2;

/** What all attempts share: `try_*` subroutines, each with its result in EAX. */
const TOOLS = `
crashed: crash
; EAX = machine address of an entry; ECX:EDX = what to write there.
entry:  mov [request], eax
        mov [request + 8], ecx
        mov [request + 12], edx
        mov ebx, request
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        ret
; EAX = command, ECX = first argument, EDX = second.
extended:
        mov [request], eax
        mov [request + 4], ecx
        mov [request + 8], edx
        mov ebx, request
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        hypercall HYPERVISOR_mmuext_op
        ret
; ECX:EDX = entry for \`window\`.
map:    mov ebx, window
        mov esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        ret
request: dd 0, 0, 0, 0
        align 4096, db 0
window: times 4096 db 0
own:    times 4096 db 0
`;

/** Boots a victim and a hostile guest; the latter has the victim's frame and Xen's in its command line's place: assembled in. */
function attempt(body: (numbers: { victim: number; xen: number; frames: number }) => string) {
  const host = new PvHost();
  const victim = host.boot(withPae(build('again: jmp again')), VICTIM);
  host.run(300_000);
  host.loop.leaveGuest();
  victim.state = 'paused';
  host.hypervisor.scheduler.remove(victim.vcpus[0]);
  const { monitor, frames } = host.hypervisor;
  const numbers = {
    victim: victim.memory.p2m[0x100],
    xen: monitor.idt >>> 12,
    frames: frames.count,
  };
  const domain = host.boot(withPae(build(`${body(numbers)}\n        off\n${TOOLS}`)), HOSTILE);
  const before = host.pc.memory.bytes.slice();
  const owner = frames.owner.slice();
  host.run(200_000_000);
  const changed: number[] = [];
  owner.forEach((id, frame) => {
    if (id === HOSTILE || id === -1) return;
    const at = frame * 4096;
    const same = Buffer.compare(before.subarray(at, at + 4096), host.pc.memory.bytes.subarray(at, at + 4096));
    if (same) changed.push(frame);
  });
  // Where the hypervisor writes in passing: its stack, the TSS, gates of the guest, descriptor areas.
  const passing = new Set(
    [monitor.stack, monitor.stack + 4096, monitor.tss, monitor.idt].map((machine) => machine >>> 12),
  );
  for (const id of [victim, domain]) passing.add(host.kept(id).perDomainTable >>> 12);
  const types = (host.technique as unknown as { types: PageTypes }).types;
  return {
    host,
    domain,
    text: domain.consoleOutput,
    damage: changed.filter((frame) => !passing.has(frame)),
    wrong: [
      ...violations(host.hypervisor, host.kept(domain)),
      ...miscounts(host.hypervisor, types, host.kept(domain)),
    ],
  };
}

/** EAX must be -EINVAL. */
const refused = (n: number) => `
        cmp eax, -22
        je .ok${n}
        put 'B'
.ok${n}:`;

describe('a hostile kernel with PAE', () => {
  it('maps no frame of the host but its own, and writes to none that is a page table', () => {
    const { text, damage, wrong, host, domain } = attempt(
      ({ frames }) => `
        xor edi, edi
sweep:  mov ecx, edi
        shl ecx, 12
        or ecx, 0x63
        xor edx, edx
        push edi
        call map
        pop edi
        test eax, eax
        jnz next
        inc dword [mapped]
next:   inc edi
        cmp edi, ${frames + 16}
        jb sweep
        xor ecx, ecx
        xor edx, edx
        call map
        jmp over
mapped: dd 0
over:   put '.'`,
    );
    expect([text, domain.ending, damage, wrong]).toEqual(['.', 'the guest shut down', [], []]);
    const updates = host.events('pageTable', HOSTILE).filter((e) => e.d === 0);
    for (const { b } of updates) {
      const frame = b >>> 12;
      if (b & 1) expect(host.hypervisor.frames.owner[frame], `frame ${frame}`).toBe(HOSTILE);
    }
  });

  it('entries of every level that lead to a neighbour, to Xen, above 4 GiB, or make large pages', () => {
    const { text, damage, wrong } = attempt(({ victim, xen }) => {
      const attempts: string[] = [];
      let n = 0;
      const targets = [
        [`(${victim} << 12) | 0x67`, '0'],
        [`(${xen} << 12) | 0x67`, '0'],
        [`(${victim} << 12) | 0x01`, '0'],
        ['0x67', '0'],
        ['0x67', '1'],
        ['0x67', '0x80000000'],
        ['0xe7', '0'],
        ['0x167', '0'],
      ];
      // Pointers 0, 1; entries 0 and 427 of the top directory; an entry of the first table.
      const places = ['[pointers]', '[pointers] + 8', '[top]', '[top] + 427 * 8', '[table] + 8'];
      for (const place of places)
        for (const [low, high] of targets) {
          const [base, offset = '0'] = place.split(' + ');
          attempts.push(`
        mov eax, ${base}
        add eax, ${offset}
        mov ecx, ${low}
        mov edx, ${high}
        call entry${refused(n++)}`);
        }
      // The hypervisor's own entries, and the pointer of its GiB.
      for (const [base, offset, low] of [
        ['[top]', '428 * 8', '0'],
        ['[top]', '511 * 8', '0'],
        ['[top]', '484 * 8', `(${victim} << 12) | 0x67`],
        ['[pointers]', '3 * 8', '0'],
        ['[top]', '4', '0'],
      ])
        attempts.push(`
        mov eax, ${base}
        add eax, ${offset}
        mov ecx, ${low}
        xor edx, edx
        call entry${refused(n++)}`);
      return `
        mov eax, cr3
        mov [pointers], eax
        mov ebx, [ebp + START_PT_BASE]
        mov eax, [ebx + 3 * 8]
        and eax, ~0xfff
        mov [top], eax
        mov eax, [ebx + 4096]                   ; the first entry of the directory
        and eax, ~0xfff
        mov [table], eax
start_of_attempts:
${attempts.join('\n')}
        put '.'
        jmp done
pointers: dd 0
top:    dd 0
table:  dd 0
done:`;
    });
    expect([text, damage, wrong]).toEqual(['.', [], []]);
  });

  it('page tables as ordinary pages, ordinary pages as tables of two levels at once, foreign frames as tables', () => {
    const { text, damage, wrong } = attempt(
      ({ victim, xen }) => `
start_of_attempts:
        mov eax, cr3                            ; the pointers, writable
        mov ecx, eax
        or ecx, 0x63
        xor edx, edx
        call map${refused(0)}
        mov ebx, [ebp + START_PT_BASE]
        mov ecx, [ebx + 3 * 8]                  ; the top directory, writable
        or ecx, 0x63
        xor edx, edx
        call map${refused(1)}
        mov ebx, [ebp + START_PT_BASE]
        mov ecx, [ebx + 3 * 8]                  ; pinned as something else
        shr ecx, 12
        mov eax, MMUEXT_PIN_L2_TABLE
        call extended${refused(2)}
        mov eax, cr3
        mov ecx, eax
        shr ecx, 12
        xor eax, eax
        call extended${refused(3)}
        mov ecx, ${victim}
        mov eax, 2
        call extended${refused(4)}
        mov ecx, ${xen}
        xor eax, eax
        call extended${refused(5)}
        mov ecx, ${victim}
        mov eax, MMUEXT_NEW_BASEPTR
        call extended${refused(6)}
        mov ecx, 0xfffff
        mov eax, MMUEXT_NEW_BASEPTR
        call extended${refused(7)}
        mov ecx, ${victim}                      ; cleared, copied to
        mov eax, 16
        call extended${refused(8)}
        mov ecx, ${victim}
        mov edx, ${victim}
        mov eax, 17
        call extended${refused(9)}
        mov eax, (${victim} << 12) | MMU_MACHPHYS_UPDATE
        mov ecx, 5
        xor edx, edx
        call entry${refused(10)}
        put '.'`,
    );
    expect([text, damage, wrong]).toEqual(['.', [], []]);
  });

  it('segments that reach into Xen, whose area begins lower here than without PAE', () => {
    const { text, damage } = attempt(
      () => `
start_of_attempts:
        handle 13, fault
        mov dword [resume], after_1
        mov eax, [0xf6800000]                   ; behind the flat segments
        put 'B'
after_1:
        mov dword [resume], after_2
        mov eax, [0xfc403800]
        put 'B'
after_2:
        mov dword [resume], after_3
        mov eax, FLAT_RING3_DS
        mov es, eax
        mov eax, [es:0xfc403800]
        put 'B'
after_3:
        mov eax, FLAT_RING1_DS
        mov es, eax
        mov eax, [0xf5800000]                   ; readable
        handle 14, page
        mov dword [resume], after_4
        mov dword [0xf5800000], 0
        put 'B'
after_4:
        put '.'
        off
page:
fault:  add esp, 4
        mov eax, [resume]
        mov [esp], eax
        push eax
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1
resume: dd 0`,
    );
    expect([text, damage]).toEqual(['.', []]);
  });
});

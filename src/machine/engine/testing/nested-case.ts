import { EPT } from '../../cpu/vmx/ept.ts';
import { FIELD, LATER_FIELD } from '../../cpu/vmx/fields.ts';
import '../provide.ts';
import '../../cpu/svm/provide.ts';
import '../../cpu/vmx/provide-second-generation.ts';

export const F = { ...FIELD, ...LATER_FIELD };
export const CODE = 0x10000;
/** Cycles after which a guest is given up. */
export const MOST = 15_000_000;
/** Where the guest's memory is in the machine with nested paging; without, it is where it is. */
export const MOVED = 0x80000;
export const HIGH = 0xc0000000;
/** The guest's: two directories, with tables for 0, and for 400000h each. */
export const G = { a: 0x60000, low: 0x61000, tableA: 0x62000, b: 0x63000, tableB: 0x64000, data: 0x70000 };
export const E = {
  pml4: 0x40000,
  pdpt: 0x41000,
  pd: 0x42000,
  pt: 0x43000,
  pdHigh: 0x46000,
  ptHigh: 0x47000,
  other: 0x49000,
};
export const N = { root: 0x44000, pt: 0x45000, ptHigh: 0x48000 };
export const RWX = EPT.read | EPT.write | EPT.execute;

export interface Case {
  vendor: 'vmx' | 'svm';
  nested: boolean;
  /** VPID, where there is a choice. */
  tagged: boolean;
  ours: boolean;
  user: boolean;
  stride: number;
  body: readonly string[];
  away: string;
  flags: number;
  taken: number;
  /** The guest's data lies above 3 GiB. */
  high: boolean;
  /** Each so many rounds, a power of two less one. */
  calls: number;
  actions: readonly string[];
  /** What a violation maps: everything, or what is wanted. */
  stingy: boolean;
  /** Pages that the hypervisor maps when they are met. */
  lazy: boolean;
  cr0: number;
  cr4: number;
  slices: readonly number[];
}

export const CALL = { vmx: 'db 0x0f, 0x01, 0xc1', svm: 'db 0x0f, 0x01, 0xd9' };

export const source = (c: Case, rounds: number) => `
bits 32
org ${CODE}
  mov ecx, ${rounds}
  xor edi, edi
  xor esi, esi
  xor ebp, ebp
${c.user ? 'push dword 0x2b\n push dword 0x1f000\n push dword 0x40202\n push dword 0x23\n push dword round\n mov eax, 0x2b\n mov ds, ax\n mov es, ax\n iret' : ''}
round:
${c.body.join('\n')}
  add edi, ${c.stride}
  and edi, 0xfffc
  test ecx, 63
  jnz keep
  ${c.user ? 'int 0x40' : 'call away'}
keep:
  test ecx, ${c.calls}
  jnz busy
  ${CALL[c.vendor]}
busy:
  mov eax, 3
little:
  add esi, ebp
  rol esi, 3
  dec eax
  jnz little
  dec ecx
  jnz round
  ${c.user ? 'int 0x41' : 'hlt'}
subroutine:
  mov eax, [0x403000]
  add esi, eax
  ret
done:
  hlt
gate40:
  call away
  iret
away:
  mov ebx, 16
next:
  mov eax, ecx
  shr eax, 6
  and eax, 1
  shl eax, 6
  or eax, ${c.taken}
  not eax
  and [${G.tableA} + ebx * 4 - 4], eax
  test ebx, 3
  jz one
  and [${G.tableB} + ebx * 4 - 4], eax
one:
  ${c.away}
  dec ebx
  jnz next
  test ecx, 256
  jnz same
  xor byte [patched + 1], 3
same:
  ret
fault:
  push eax
  push ecx
  mov ecx, cr2
  shr ecx, 12
  and ecx, 15
  mov eax, [esp + 8]
  and eax, 6
  inc eax
  or [${G.tableA} + ecx * 4], eax
  or [${G.tableB} + ecx * 4], eax
  inc dword [faults]
  pop ecx
  pop eax
  add esp, 4
  iret
debug:
  add dword [faults], 0x100
  iret
patched:
  mov dl, 1
  add al, dl
  adc ebp, eax
  ret
faults: dd 0
align 4096
other:
  add esi, ecx
  mov eax, [0x400000 + edi]
  xor ebp, eax
  ret
`;

export const BODY = [
  'mov eax, [0x400000 + edi]\n add eax, ecx\n rol eax, 7\n mov [0x400000 + edi], eax',
  'inc dword [0x400000 + edi]',
  'mov eax, [0x400000 + edi]\n add esi, eax',
  'push eax\n adc [esp], edi\n pop edx',
  'call patched',
  'call other',
  'call subroutine',
  'rdtsc\n add ebp, eax\n rol ebp, 5',
  `mov eax, [${G.tableA} + 8]\n add esi, eax`,
  'add [0x6f004], ecx\n add [0x402000], ecx',
  // Through the directory as a table: the tables themselves.
  'mov eax, [0xffc01000]\n add esi, eax',
  'mov [0x40effe], ecx',
  'add [0x86f008], ecx\n mov eax, [0x86f004]',
  'and dword [0xfffff004], ~0x20\n and dword [0xfffffffc], ~0x60',
  'inc dword [0xfffff800]\n and dword [0xfffff800], 0xfffffffe',
  'mov eax, [0x404ffe]\n add ebp, eax',
];
export const KERNEL = [
  'mov ebx, cr3\n mov cr3, ebx',
  'mov ebx, cr3\n mov cr3, ebx\n add [0x400000 + edi], ecx\n inc dword [faults]',
  `mov ebx, cr3\n xor ebx, ${G.a ^ G.b}\n mov cr3, ebx\n add [0x400000 + edi], ecx`,
  'mov eax, cr3\n add esi, eax\n mov eax, cr2\n add esi, eax',
  'lea eax, [0x400000 + edi]\n invlpg [eax]\n add [eax], esi',
  'invlpg [0x401000]',
  'invlpg [other]',
  'mov eax, cr0\n xor eax, 0x10000\n mov cr0, eax',
  'test ecx, 31\n jnz near $ + 17\n mov eax, cr4\n xor eax, 0x80\n mov cr4, eax',
  `and dword [${G.low + 0x6f * 4}], ~0x60\n invlpg [0x6f000]\n inc dword [0x6f004]`,
  'mov dword [0xffc01000 + 8 * 4], 0x78067',
];
export const USER = ['pushfd\n xor dword [esp], 0x40000\n popfd', 'pushfd\n or dword [esp], 0x40000\n popfd'];

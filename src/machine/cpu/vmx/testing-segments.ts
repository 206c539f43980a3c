// A guest that loads its segment registers in many ways, several times over, so that what is remembered of gates and returns
// is gone through as well; behind each way it executes CPUID, at ring 0 or 3. At the end, HLT. For the tables of `guestTables`.
import { AT } from './testing.ts';

/** Where SYSENTER leads, and with which stack: for the three registers. */
export const SYSENTER = { cs: 8, eip: AT.code + 0x200, esp: AT.stack } as const;
/** Leads from vector 30h back into the program. */
export const HANDLER_30 = `jmp ${AT.code + 0x100}`;

const USER_STACK = AT.stack + 0x1000;

export const SEGMENT_CHANGES = `
  mov ebp, 3
again:
  cpuid
  mov ax, 0x28
  mov es, ax
  cpuid
  push dword 0x2b
  push dword ${USER_STACK}
  push dword 2
  push dword 0x23
  push dword user
  iret
user:
  cpuid
  int 0x30
  times 0x100 - ($ - $$) nop
  cpuid
  jmp 8:beyond
beyond:
  cpuid
  push dword 8
  push dword back
  retf
back:
  xor eax, eax
  lldt ax
  mov fs, ax
  cpuid
  mov edx, fast
  mov ecx, ${USER_STACK}
  sysexit
fast:
  cpuid
  sysenter
  times 0x200 - ($ - $$) nop
  cpuid
  mov ax, 0x10
  mov es, ax
  mov ss, ax
  dec ebp
  jnz again
  hlt`;

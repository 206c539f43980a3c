// System instructions: descriptor tables, control and debug registers, MSRs, caches, segment queries, fast system calls.
// SDM vol. 2 and vol. 3A §2.8, §5.9 (what is privileged); the silent ones after Robin & Irvine 2000.
import { type Row, rows } from './row.ts';

export const SYSTEM: Row[] = rows(`
  # sgdt sensitive | SDM 2B SGDT; Robin & Irvine 2000 | Stores the real GDTR at any privilege level.
  sgdt mdesc  0F 01 /0
  # sidt sensitive | SDM 2B SIDT; Robin & Irvine 2000 | Stores the real IDTR at any privilege level: the classic way to notice a hypervisor.
  sidt mdesc  0F 01 /1
  # lgdt privileged | SDM 2A LGDT/LIDT, SDM 3A §5.9 | Loads GDTR; #GP at CPL > 0.
  lgdt mdesc  0F 01 /2
  # lidt privileged | SDM 2A LGDT/LIDT, SDM 3A §5.9 | Loads IDTR; #GP at CPL > 0.
  lidt mdesc  0F 01 /3
  # smsw sensitive | SDM 2B SMSW; Robin & Irvine 2000 | Stores the low half of the real CR0 at any privilege level.
  smsw m16  0F 01 /4
  smsw rrv  0F 01 /4
  # lmsw privileged | SDM 2A LMSW, SDM 3A §5.9 | Loads the low four bits of CR0, and cannot clear PE; #GP at CPL > 0.
  lmsw rm16  0F 01 /6
  # invlpg privileged | SDM 2A INVLPG, SDM 3A §5.9 | Drops the TLB entry of one page; #GP at CPL > 0.
  invlpg m  0F 01 /7

  # sldt sensitive | SDM 2B SLDT; Robin & Irvine 2000 | Stores the real LDTR selector at any privilege level; #UD in real and V86 mode.
  sldt m16  0F 00 /0
  sldt rrv  0F 00 /0
  # str sensitive | SDM 2B STR; Robin & Irvine 2000 | Stores the real task register selector at any privilege level; #UD in real and V86 mode.
  str m16  0F 00 /1
  str rrv  0F 00 /1
  # lldt privileged | SDM 2A LLDT, SDM 3A §5.9 | Loads LDTR; #GP at CPL > 0.
  lldt rm16  0F 00 /2
  # ltr privileged | SDM 2A LTR, SDM 3A §5.9 | Loads the task register and marks the TSS busy; #GP at CPL > 0.
  ltr rm16  0F 00 /3
  # verr sensitive | SDM 2B VERR/VERW; Robin & Irvine 2000 | ZF = 1 when the segment can be read from the real CPL.
  verr rm16  0F 00 /4
  # verw sensitive | SDM 2B VERR/VERW; Robin & Irvine 2000 | ZF = 1 when the segment can be written from the real CPL.
  verw rm16  0F 00 /5
  # lar sensitive | SDM 2A LAR; Robin & Irvine 2000 | Loads the access rights of a descriptor if the real CPL may see it; ZF tells.
  lar rv,rm16  0F 02 /r
  lar rv,rr32  0F 02 /r
  # lsl sensitive | SDM 2A LSL; Robin & Irvine 2000 | Loads the limit of a descriptor if the real CPL may see it; ZF tells.
  lsl rv,rm16  0F 03 /r
  lsl rv,rr32  0F 03 /r
  # arpl | SDM 2A ARPL | Raises the RPL of a selector to that of another; ZF = 1 when it changed; #UD in real and V86 mode.
  arpl rm16,r16  63 /r

  # clts privileged | SDM 2A CLTS, SDM 3A §5.9 | Clears CR0.TS; #GP at CPL > 0.
  clts -  0F 06
  # mov-from-cr privileged | SDM 2B MOV control registers, SDM 3A §5.9 | Reads a control register; #GP at CPL > 0.
  mov rr32,cr  0F 20 /r
  # mov-to-cr privileged | SDM 2B MOV control registers, SDM 3A §5.9 | Writes a control register; #GP at CPL > 0.
  mov cr,rr32  0F 22 /r
  # mov-from-dr privileged | SDM 2B MOV debug registers, SDM 3A §5.9 | Reads a debug register; #GP at CPL > 0.
  mov rr32,dr  0F 21 /r
  # mov-to-dr privileged | SDM 2B MOV debug registers, SDM 3A §5.9 | Writes a debug register; #GP at CPL > 0.
  mov dr,rr32  0F 23 /r

  # invd privileged | SDM 2A INVD, SDM 3A §5.9 | Empties the caches without writing back; #GP at CPL > 0.
  invd -  0F 08
  # wbinvd privileged | SDM 2D WBINVD, SDM 3A §5.9 | Writes the caches back and empties them; #GP at CPL > 0.
  wbinvd -  0F 09
  # rdmsr privileged | SDM 2B RDMSR, SDM 3A §5.9 | Reads the model-specific register ECX into EDX:EAX; #GP at CPL > 0 or when it does not exist.
  rdmsr -  0F 32
  # wrmsr privileged | SDM 2D WRMSR, SDM 3A §5.9 | Writes EDX:EAX to the model-specific register ECX; #GP at CPL > 0 or when it does not exist.
  wrmsr -  0F 30
  # rdpmc privileged | SDM 2B RDPMC, SDM 3A §5.9 | Reads a performance counter; #GP at CPL > 0 unless CR4.PCE = 1.
  rdpmc -  0F 33
  # rdtsc | SDM 2B RDTSC, SDM 3A §5.9 | Reads the cycle counter into EDX:EAX; #GP at CPL > 0 only when CR4.TSD = 1.
  rdtsc -  0F 31
  # cpuid | SDM 2A CPUID | Describes the processor; leaf in EAX (and ECX). Never traps before VT-x.
  cpuid -  0F A2
  # sysenter | SDM 2B SYSENTER | Enters ring 0 at the address in the SYSENTER MSRs; #GP when they are empty.
  sysenter -  0F 34
  # sysexit privileged | SDM 2B SYSEXIT | Returns to ring 3 at EDX with the stack ECX; #GP at CPL > 0.
  sysexit -  0F 35
  # rsm privileged | SDM 2B RSM, SDM 3C "System management mode" | Leaves system management mode; #UD anywhere else.
  rsm -  0F AA
  # monitor privileged | SDM 2B MONITOR | Watches the cache line at EAX for writes; #UD at CPL > 0.
  monitor -            0F 01 C8 np
  monitor eax,ecx,edx  0F 01 C8 np
  # mwait privileged | SDM 2B MWAIT | Waits for a write to the watched line or an interrupt; #UD at CPL > 0.
  mwait -        0F 01 C9 np
  mwait eax,ecx  0F 01 C9 np
`);

// AMD SVM ("Pacifica") instructions. AMD APM vol. 3 "System instruction reference", vol. 2 ch. 15.
// All but VMMCALL are #UD without EFER.SVME and #GP at CPL > 0. The address size chooses EAX or AX as the pointer.
import { type Row, rows } from './row.ts';

export const SVM: Row[] = rows(`
  # vmrun privileged | APM 3 VMRUN | Runs the guest described by the VMCB at physical address EAX until an intercept.
  vmrun -  0F 01 D8
  # vmmcall | APM 3 VMMCALL | Calls the hypervisor at any CPL; #UD when nobody intercepts it.
  vmmcall -  0F 01 D9
  # vmload privileged | APM 3 VMLOAD | Loads FS GS TR LDTR and system-call state from the VMCB at EAX.
  vmload -  0F 01 DA
  # vmsave privileged | APM 3 VMSAVE | Saves FS GS TR LDTR and system-call state to the VMCB at EAX.
  vmsave -  0F 01 DB
  # stgi privileged | APM 3 STGI | Sets the global interrupt flag.
  stgi -  0F 01 DC
  # clgi privileged | APM 3 CLGI | Clears the global interrupt flag: nothing interrupts a world switch.
  clgi -  0F 01 DD
  # skinit privileged | APM 3 SKINIT | Starts a measured secure loader at the address in EAX.
  skinit -  0F 01 DE
  # invlpga privileged | APM 3 INVLPGA | Drops the TLB entry of the page at EAX for the address space in ECX.
  invlpga -        0F 01 DF
  invlpga eax,ecx  0F 01 DF a32
  invlpga ax,ecx   0F 01 DF a16
`);

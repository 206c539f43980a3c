// Intel VT-x instructions. SDM vol. 3C "VMX instruction reference".
// Outside VMX operation all but VMXON are #UD (VMCALL too, unless CR4.VMXE and root); in non-root all of them exit.
import { type Row, rows } from './row.ts';

export const VMX: Row[] = rows(`
  # vmcall privileged | SDM 3C VMCALL | Calls the hypervisor: from a guest it exits at any CPL; in root operation #GP at CPL > 0.
  vmcall -  0F 01 C1 np
  # vmlaunch privileged | SDM 3C VMLAUNCH/VMRESUME | Enters the guest of a current VMCS that is in clear state.
  vmlaunch -  0F 01 C2 np
  # vmresume privileged | SDM 3C VMLAUNCH/VMRESUME | Enters the guest of a current VMCS that was launched before.
  vmresume -  0F 01 C3 np
  # vmxoff privileged | SDM 3C VMXOFF | Leaves VMX operation.
  vmxoff -  0F 01 C4 np
  # vmxon privileged | SDM 3C VMXON | Enters VMX root operation with the VMXON region at the given physical address.
  vmxon m64  F3 0F C7 /6
  # vmclear privileged | SDM 3C VMCLEAR | Writes a VMCS back to its region and puts it in clear state.
  vmclear m64  66 0F C7 /6
  # vmptrld privileged | SDM 3C VMPTRLD | Makes the VMCS at the given physical address current.
  vmptrld m64  0F C7 /6 np
  # vmptrst privileged | SDM 3C VMPTRST | Stores the physical address of the current VMCS.
  vmptrst m64  0F C7 /7 np
  # vmread privileged | SDM 3C VMREAD | Reads the field of the current VMCS whose encoding is in the second operand.
  vmread rm32,r32  0F 78 /r np
  # vmwrite privileged | SDM 3C VMWRITE | Writes the field of the current VMCS whose encoding is in the first operand.
  vmwrite r32,rm32  0F 79 /r np
  # invept privileged | SDM 3C INVEPT | Drops translations that came from extended page tables.
  invept r32,m128  66 0F 38 80 /r
  # invvpid privileged | SDM 3C INVVPID | Drops translations tagged with a virtual-processor identifier.
  invvpid r32,m128  66 0F 38 81 /r
`);

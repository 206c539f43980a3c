// Control registers that a guest has changed in the emulator, on their way to what keeps its paging.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import type { GuestPaging } from '../guest-paging.ts';

/** The emulated processor has checked the values, and has loaded the PDPTEs that they name. */
export function loadControl(paging: GuestPaging, { cr0, cr3, cr4, pdptes }: Cpu): void {
  const { control } = paging;
  if (control.cr4 !== cr4) paging.loadCr4(cr4, pdptes);
  if (control.cr0 !== cr0) paging.loadCr0(cr0, pdptes);
  paging.loadCr3(cr3, pdptes);
}

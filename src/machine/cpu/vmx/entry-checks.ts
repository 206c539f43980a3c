// What VM entry looks at before it trusts a VMCS with the processor: controls and host state (SDM vol. 3 §26.2).
// Every function answers with a sentence that names the broken rule, or '' when all is well: the silicon only wants to
// know whether it is empty, the people who debug a hypervisor want the sentence.
import { PIN, PROC, supported } from './capabilities.ts';
import { INFO_ERROR_CODE, INFO_VALID, TYPE } from './exit-reasons.ts';
import type { VmxState } from './state.ts';
import { W } from './words.ts';

/** Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
const WITH_ERROR_CODE = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);

/** SDM vol. 3 §26.2.1: VM-execution, VM-exit and VM-entry control fields. Failure is VMfailValid(7). */
export function checkControls(vmx: VmxState): string {
  const { words: w, base: b, capabilities: can } = vmx;
  const pin = w[b + W.pin];
  const proc = w[b + W.proc];
  if (!supported(pin, can.pin))
    return 'pin-based controls: a reserved bit is set wrongly (IA32_VMX_PINBASED_CTLS)';
  if (!supported(proc, can.proc))
    return 'processor-based controls: a reserved bit is set wrongly (IA32_VMX_PROCBASED_CTLS)';
  const rule = vmx.second === null ? '' : vmx.second.checkControls(vmx);
  if (rule) return rule;
  if (w[b + W.cr3TargetCount] >>> 0 > can.cr3Targets) return 'CR3-target count is greater than 4';
  if (proc & PROC.ioBitmaps && (!isPage(w, b + W.ioBitmapA) || !isPage(w, b + W.ioBitmapB))) {
    return 'an I/O-bitmap address is not the address of a page';
  }
  if (proc & PROC.msrBitmaps && !isPage(w, b + W.msrBitmap))
    return 'the MSR-bitmap address is not the address of a page';
  if (!(pin & PIN.nmi) && pin & PIN.virtualNmis) return '"virtual NMIs" needs "NMI exiting"';
  if (!(pin & PIN.virtualNmis) && proc & PROC.nmiWindow) return '"NMI-window exiting" needs "virtual NMIs"';
  if (!supported(w[b + W.exitControls], can.exit))
    return 'VM-exit controls: a reserved bit is set wrongly (IA32_VMX_EXIT_CTLS)';
  if (!isMsrArea(w, b + W.exitStoreCount, b + W.exitStoreAddress))
    return 'the VM-exit MSR-store address is not usable';
  if (!isMsrArea(w, b + W.exitLoadCount, b + W.exitLoadAddress))
    return 'the VM-exit MSR-load address is not usable';
  if (!supported(w[b + W.entryControls], can.entry))
    return 'VM-entry controls: a reserved bit is set wrongly (IA32_VMX_ENTRY_CTLS)';
  if (!isMsrArea(w, b + W.entryLoadCount, b + W.entryLoadAddress))
    return 'the VM-entry MSR-load address is not usable';
  return w[b + W.entryInfo] & INFO_VALID ? checkInjection(vmx) : '';
}

/** SDM vol. 3 §26.2.1.3, the part about event injection. */
export function checkInjection(vmx: VmxState): string {
  const { words: w, base: b } = vmx;
  const info = w[b + W.entryInfo];
  const vector = info & 0xff;
  const type = (info >>> 8) & 7;
  if (type === 1 || type === 7) return 'event injection: the interruption type is reserved';
  if (type === TYPE.nmi && vector !== 2) return 'event injection: an NMI has vector 2';
  if (type === TYPE.hardwareException && vector > 31)
    return 'event injection: a hardware exception has a vector of at most 31';
  // In real mode, which only an unrestricted guest can be in, nothing has an error code.
  const real = vmx.unrestricted && !(w[b + W.cr0] & 1);
  const hasErrorCode = !real && type === TYPE.hardwareException && ((WITH_ERROR_CODE >>> vector) & 1) === 1;
  if (hasErrorCode !== ((info & INFO_ERROR_CODE) !== 0))
    return 'event injection: deliver-error-code does not fit the vector';
  if (info & 0x7ffff000) return 'event injection: reserved bits 30:12 are set';
  // Sixteen bits: a selector with bit 15 is a real error code. (Older manuals say fifteen; processors never did.)
  if (hasErrorCode && w[b + W.entryErrorCode] & ~0xffff)
    return 'event injection: the error code has bits above 15';
  const length = w[b + W.entryLength] >>> 0;
  if (type >= TYPE.softwareInterrupt && (length === 0 || length > 15))
    return 'event injection: the instruction length is not 1 to 15';
  return '';
}

/** SDM vol. 3 §26.2.2–26.2.4: host-state area. Failure is VMfailValid(8). */
export function checkHostState(vmx: VmxState): string {
  const { words: w, base: b, capabilities: can } = vmx;
  if (!supported(w[b + W.hostCr0], can.cr0)) return 'host CR0 has a bit that VMX operation does not support';
  if (!supported(w[b + W.hostCr4], can.cr4)) return 'host CR4 has a bit that VMX operation does not support';
  for (let n = 0; n < 7; n++) {
    // The seventh slot is TR: the host has no LDTR field.
    if (w[b + W.hostSelector + n] & 7) return 'a host selector has a TI flag or an RPL';
  }
  if (w[b + W.hostSelector + 1] === 0) return 'host CS is null';
  if (w[b + W.hostSelector + 2] === 0) return 'host SS is null';
  if (w[b + W.hostTrSelector] === 0) return 'host TR is null';
  return '';
}

/** A 64-bit address field that names a page below 4 GiB. */
function isPage(w: Int32Array, at: number): boolean {
  return (w[at] & 0xfff) === 0 && w[at + 1] === 0;
}

/** An MSR area is 16-byte aligned and ends below 4 GiB; the address does not matter when the count is zero. */
function isMsrArea(w: Int32Array, count: number, address: number): boolean {
  const entries = w[count] >>> 0;
  return (
    entries === 0 ||
    ((w[address] & 15) === 0 && w[address + 1] === 0 && (w[address] >>> 0) + entries * 16 <= 2 ** 32)
  );
}

// VCPUOP_initialise: a virtual processor's first state, as struct vcpu_guest_context says (xen/include/public/arch-x86/xen.h
// and xen-x86_32.h; xen/arch/x86/domain.c arch_set_info_guest of 3.x). All of it is checked as the hypercalls check it that
// would set it later; when something is not acceptable, nothing of it is taken.
import { MXCSR_MASK, type X87 } from '../../../machine/cpu/x87/state.ts';
import { ERROR, TRAP_INFO_SIZE } from '../abi.ts';
import type { HypercallRequest } from '../extensions.ts';
import { isLdt, useLdt } from '../ldt.ts';
import type { PvVcpu } from '../pv-vcpu.ts';
import { CONTEXT, USER_REGS, VGCF_I387_VALID } from './numbers.ts';
import { writeDebugRegister } from './processor.ts';

/** What a guest may have in its first EFLAGS; IF is always on, IOPL 0. */
const EFLAGS_GUESTS = 0x00240dd5;
const EFLAGS_ALWAYS = 0x202;
/** Order of Vcpu.regs: EAX ECX EDX EBX, ESP (which is in the frame), EBP ESI EDI. */
const GENERAL = ['eax', 'ecx', 'edx', 'ebx', null, 'ebp', 'esi', 'edi'] as const;

/** @param at linear address of the context. @returns result of the hypercall */
export function initialise(request: HypercallRequest, v: PvVcpu, at: number): number {
  const { access, descriptors, hypervisor, pv, tables } = request;
  const word = (offset: number) => access.read32(pv, at + offset);
  const user = (name: keyof typeof USER_REGS) => word(CONTEXT.userRegs + USER_REGS[name]);
  const selector = (value: number) => descriptors.guestSelector(value);
  const callback = (offset: number) => ({ selector: selector(word(offset)), address: word(offset + 4) });

  // Everything is read before anything changes: a page that is missing is -EFAULT.
  const regs = GENERAL.map((name) => (name ? user(name) : 0));
  const traps = Array.from({ length: 256 }, (_, n) => {
    const entry = at + CONTEXT.traps + n * TRAP_INFO_SIZE;
    const flags = access.read8(pv, entry + 1);
    const address = access.read32(pv, entry + 4);
    const target = selector(access.read16(pv, entry + 2));
    return address ? { dpl: flags & 3, masksEvents: (flags & 4) !== 0, selector: target, address } : null;
  });
  const [ldtBase, ldtEntries] = [word(CONTEXT.ldtBase) >>> 0, word(CONTEXT.ldtEntries) >>> 0];
  const gdtPages = Math.ceil((word(CONTEXT.gdtEntries) >>> 0) / 512);
  if (gdtPages > CONTEXT.gdtFramesMost || !isLdt(pv, ldtBase, ldtEntries)) return ERROR.inval;
  const gdt = Array.from({ length: gdtPages }, (_, n) => word(CONTEXT.gdtFrames + n * 4) >>> 0);
  const cr3 = word(CONTEXT.cr3);
  const debug = Array.from({ length: 8 }, (_, n) => word(CONTEXT.debugRegisters + n * 4));
  const eventCallback = callback(CONTEXT.eventCallback);
  const failsafeCallback = callback(CONTEXT.failsafeCallback);
  const kernelStack = { selector: selector(word(CONTEXT.kernelSs)), pointer: word(CONTEXT.kernelSp) };
  const frame = {
    eip: user('eip'),
    cs: selector(user('cs') & 0xffff),
    eflags: (user('eflags') & EFLAGS_GUESTS) | EFLAGS_ALWAYS,
    esp: user('esp'),
    ss: selector(user('ss') & 0xffff),
    ds: user('ds') & 0xffff,
    es: user('es') & 0xffff,
    fs: user('fs') & 0xffff,
    gs: user('gs') & 0xffff,
  };
  const floating = word(CONTEXT.flags) & VGCF_I387_VALID ? fxsaveImage(request, at) : null;
  if (floating && floating.getUint32(24, true) & ~MXCSR_MASK) return ERROR.inval;

  if (descriptors.useGdt(pv, v, gdt)) return ERROR.inval;
  // With PAE a frame above 4 GiB would have its upper bits in the lower ones of CR3 (xen_cr3_to_pfn).
  const baseFrame = ((cr3 >>> 12) | (cr3 << 20)) >>> 0;
  if (!tables.charged(() => tables.types.take(pv, baseFrame, pv.layout.baseType))) {
    descriptors.useGdt(pv, v, []);
    return ERROR.inval;
  }
  v.baseFrame = baseFrame;
  useLdt(tables, pv, v, ldtBase, ldtEntries);
  v.vcpu.regs.set(regs);
  v.vcpu.eip = frame.eip;
  v.vcpu.cpl = frame.cs & 3;
  Object.assign(v.frame, frame);
  traps.forEach((handler, n) => {
    v.traps[n] = handler;
  });
  v.trapsVersion++;
  Object.assign(v, { eventCallback, failsafeCallback, kernelStack });
  // As in Xen, one that is not acceptable is left out.
  debug.forEach((value, n) => {
    if (value && n !== 4 && n !== 5) writeDebugRegister(pv, v, hypervisor.cpu, n, value);
  });
  if (floating) loadFxsave(v.vcpu.floatingPoint, floating);
  v.initialised = true;
  return 0;
}

function fxsaveImage({ access, pv }: HypercallRequest, at: number): DataView {
  const bytes = new Uint8Array(512);
  for (let n = 0; n < 512; n++) bytes[n] = access.read8(pv, at + n);
  return new DataView(bytes.buffer);
}

/** The registers that an image of FXSAVE holds (SDM vol. 1 §10.5.1.1). */
function loadFxsave(x87: X87, image: DataView): void {
  const status = image.getUint16(2, true);
  x87.control = image.getUint16(0, true);
  x87.status = status & ~0x3800;
  x87.top = (status >>> 11) & 7;
  x87.occupied = image.getUint8(4);
  x87.mxcsr = image.getUint32(24, true);
  for (let n = 0; n < 8; n++) {
    const at = 32 + n * 16;
    const register = (x87.top + n) & 7;
    x87.lo[register] = image.getInt32(at, true);
    x87.hi[register] = image.getInt32(at + 4, true);
    x87.se[register] = image.getUint16(at + 8, true);
  }
  for (let n = 0; n < 32; n++) x87.xmm[n] = image.getInt32(160 + n * 4, true);
}

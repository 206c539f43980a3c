// Segments of 4 GiB (VMASST_TYPE_4gb_segments; xen/arch/x86/x86_32/seg_fixup.c): Xen cuts guests' segments off where its own
// area begins, but thread-local storage is reached at negative offsets, which wrap around at 4 GiB. Such an access faults;
// then the cut descriptor becomes one that expands down and has just the negative offsets, and back again when it is
// needed. Neither form reaches Xen. With VMASST_TYPE_4gb_segments_notify the guest hears of it by exception 15.
import { decode } from '../../machine/isa/decode.ts';
import { ESP, type Instruction } from '../../machine/isa/instruction.ts';
import { SELECTOR } from '../monitor.ts';
import { PTE } from './abi.ts';
import { VMASST } from './calls/numbers.ts';
import { descriptorSlot } from './descriptors.ts';
import type { ExceptionHandler, HypercallRequest } from './extensions.ts';
import { GUEST_FAULT } from './guest-access.ts';

/** Of a descriptor's upper word: present, code or data; granularity in pages, 32 bits; expands down; is code. */
const PRESENT_SEGMENT = 0x9000;
const PAGES_AND_32_BITS = 0x00c00000;
const EXPANDS_DOWN = 0x400;
const CODE = 0x800;
const NOTICE = 15;
const LDT_PAGE = 16;

function instructionAt({ access, descriptors, pv }: HypercallRequest): Instruction | null {
  const { frame } = pv.current;
  const code = descriptors.segment(pv, frame.cs);
  if (!code) return null;
  const bytes = new Uint8Array(15);
  let length = 0;
  try {
    for (; length < 15; length++) bytes[length] = access.read8(pv, code.base + frame.eip + length);
  } catch (error) {
    if (error !== GUEST_FAULT) throw error;
  }
  const instruction = decode(bytes, 0, code.wide ? 32 : 16, length);
  return typeof instruction === 'string' ? null : instruction;
}

/** Offset of the memory operand in its segment. */
function offsetOf({ vcpu, pv }: HypercallRequest, i: Instruction): number {
  const register = (n: number) => (n < 0 ? 0 : n === ESP ? pv.current.frame.esp : vcpu.regs[n]);
  return (register(i.base) + (register(i.index) << i.scale) + i.displacement) >>> 0;
}

/** Machine address of a descriptor of the guest's own, or -1. */
function descriptorOf({ hypervisor, pv }: HypercallRequest, selector: number): number {
  if (!(selector & 0xfffc) || (!(selector & 4) && selector >= SELECTOR.firstReserved)) return -1;
  const page = (selector >>> 12) + (selector & 4 ? LDT_PAGE : 0);
  const mapping = hypervisor.pc.memory.read32(descriptorSlot(pv, pv.current, page));
  return mapping & PTE.present ? ((mapping & ~0xfff) >>> 0) + (selector & 0xff8) : -1;
}

/** A general protection fault with error code 0: was it a cut segment? Then the other part of it is there now. */
export const cutSegmentFault: ExceptionHandler = (request, errorCode) => {
  const { hypervisor, exceptions, vcpu, pv } = request;
  if (errorCode || !(pv.assists & (1 << VMASST.segments4gb))) return false;
  const i = instructionAt(request);
  if (!i?.memory) return false;
  const { es, cs, ss, ds, fs, gs } = pv.current.frame;
  const at = descriptorOf(request, [es, cs, ss, ds, fs, gs][i.segment]);
  if (at < 0) return false;
  const { memory } = hypervisor.pc;
  const low = memory.read32(at);
  const high = memory.read32(at + 4);
  if ((high & PRESENT_SEGMENT) !== PRESENT_SEGMENT || high & CODE) return false;
  if ((high & PAGES_AND_32_BITS) !== PAGES_AND_32_BITS) return false;
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  const field = (low & 0xffff) | (high & 0xf0000);
  const offset = offsetOf(request, i);
  const upwards = Math.floor((pv.layout.segmentEnd - base) / 4096) - 1;
  const downwards = (0x100000000 - ((base & ~0xfff) >>> 0)) / 4096 - 1;
  // One that begins in the first page has no negative offsets below Xen.
  if (base < 4096 || upwards < 0) return false;
  const down = (high & EXPANDS_DOWN) !== 0;
  if (field !== (down ? downwards & 0xfffff : upwards)) return false;
  // What is in neither form, or in the present one, is a fault of the guest's own.
  const above = offset > downwards * 4096 + 0xfff;
  const below = offset <= upwards * 4096 + 0xfff;
  if (down ? above || !below : below || !above) return false;
  const next = (down ? upwards : downwards) & 0xfffff;
  memory.write32(at, (low & 0xffff0000) | (next & 0xffff));
  memory.write32(at + 4, ((high & ~0xf0000) | (next & 0xf0000)) ^ EXPANDS_DOWN);
  hypervisor.charge.emulateInstruction();
  if (pv.assists & (1 << VMASST.segments4gbNotify) && pv.current.traps[NOTICE])
    exceptions.reflect(vcpu, pv, NOTICE, -1);
  return true;
};

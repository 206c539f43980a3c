// An unmodified guest, whatever holds it: memory laid out as on a PC, a virtual board, paging. What the
// techniques for such guests share is written against this.
import { type Image, ImageError } from '../../images/image.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { VIDEO_BASE, VIDEO_SIZE } from '../../machine/pc.ts';
import type { Domain, Vcpu } from '../domain.ts';
import type { GuestTranslation } from '../guest-paging.ts';
import type { Hypervisor } from '../hypervisor.ts';

export interface PcGuest {
  readonly hypervisor: Hypervisor;
  readonly domain: Domain;
  readonly vcpu: Vcpu;
  readonly board: Board;
  /** Its devices at memory addresses, where it has any. */
  readonly devices?: MemoryMap;
  /** Its paging: by shadow tables, or nested. */
  readonly shadow: GuestTranslation;
}

/** Backs all of the guest's memory, the video frames in one row. Throws ImageError when there is less than a PC needs. */
export function populatePc(domain: Domain, image: Image): void {
  const { memory } = domain;
  const video = VIDEO_BASE >>> 12;
  const afterVideo = (VIDEO_BASE + VIDEO_SIZE) >>> 12;
  if (memory.pages <= afterVideo) throw new ImageError(`${image.name}: a PC needs at least 1 MiB of memory`);
  memory.populate(0, video);
  memory.populate(video, afterVideo - video, true);
  memory.populate(afterVideo, memory.pages - afterVideo);
}

/** Ends the domain when the guest has switched its machine off, or reset it. True when it has. */
export function endWhenPoweredOff({ board, domain, hypervisor }: PcGuest): boolean {
  if (board.state === 'on') return false;
  if (board.state === 'off') hypervisor.endDomain(domain, 'halted', 'the guest switched the machine off');
  else hypervisor.endDomain(domain, 'rebooting', 'the guest reset the machine');
  return true;
}

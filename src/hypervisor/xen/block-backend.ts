// The split block device's back end (xen/include/public/io/blkif.h, protocol x86_32-abi): requests from a ring, data through
// grants, sectors of the domain's own drive. Every segment is checked when it is used.
import type { Medium } from '../../machine/devices/storage/medium.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { GNTST } from './abi.ts';
import type { GrantMapping, GrantTables } from './grants.ts';
import type { XenGuest } from './guest.ts';
import { BackRing } from './shared-ring.ts';

export const BLKIF = { read: 0, write: 1, writeBarrier: 2, flush: 3 } as const;
const STATUS = { okay: 0, error: -1, unsupported: -2 } as const;
/** struct blkif_request on i386: u8 operation, u8 segments, u16 handle, u64 id, u64 sector, 11 × {u32 grant, u8 first, u8 last, u16}. */
const REQUEST_SIZE = 108;
const MAX_SEGMENTS = 11;
/** blkif counts in sectors of 512 bytes, whatever the medium's are. */
const SECTOR = 512;

export class BlockBackend {
  private readonly ring: BackRing;
  private broken = false;
  /** Requests done so far, and sectors moved: for whoever shows them. */
  requests = 0;
  sectorsRead = 0;
  sectorsWritten = 0;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly grants: GrantTables,
    private readonly guest: XenGuest,
    private readonly medium: Medium,
    readonly shared: GrantMapping,
    private readonly notify: () => void,
  ) {
    this.ring = new BackRing(hypervisor.pc.memory, shared.machine, REQUEST_SIZE);
    this.ring.listen();
  }

  /** Sectors of 512 bytes. */
  static sectors(medium: Medium): number {
    return medium.sectors * (medium.sectorSize / SECTOR);
  }

  /** The guest has put requests into the ring: at most a ringful at a time. */
  serve(): void {
    if (this.broken) return;
    const waiting = this.ring.waiting();
    if (waiting < 0) {
      this.broken = true;
      return;
    }
    for (let n = 0; n < waiting; n++) this.perform(this.ring.take());
    this.ring.listen();
    if (waiting && this.ring.publish()) this.notify();
  }

  private perform(request: DataView): void {
    this.hypervisor.charge.backendRequest();
    this.requests++;
    const operation = request.getUint8(0);
    const status = this.move(operation, request);
    const response = new DataView(new ArrayBuffer(12));
    response.setUint32(0, request.getUint32(4, true), true);
    response.setUint32(4, request.getUint32(8, true), true);
    response.setUint8(8, operation);
    response.setInt16(10, status, true);
    this.ring.respond(new Uint8Array(response.buffer));
  }

  private move(operation: number, request: DataView): number {
    const count = request.getUint8(1);
    const first = request.getUint32(12, true);
    // Writes are in the medium as soon as they are done, so a flush has nothing left to do; a barrier writes, too.
    if (operation === BLKIF.flush) return STATUS.okay;
    const write = operation === BLKIF.write || operation === BLKIF.writeBarrier;
    if (!write && operation !== BLKIF.read) return STATUS.unsupported;
    if (count > MAX_SEGMENTS || (count === 0 && operation !== BLKIF.writeBarrier)) return STATUS.error;
    if (request.getUint32(16, true) !== 0 || (write && this.medium.readOnly)) return STATUS.error;
    let sector = first;
    for (let n = 0; n < count; n++) {
      const at = 20 + n * 8;
      const from = request.getUint8(at + 4);
      const to = request.getUint8(at + 5);
      if (from > to || to > 7) return STATUS.error;
      const sectors = to - from + 1;
      if (sector + sectors > BlockBackend.sectors(this.medium)) return STATUS.error;
      if (!this.segment(write, request.getUint32(at, true), from, sectors, sector)) return STATUS.error;
      sector += sectors;
    }
    return STATUS.okay;
  }

  /** One piece of a page. */
  private segment(write: boolean, grant: number, from: number, sectors: number, sector: number): boolean {
    const data = new Uint8Array(sectors * SECTOR);
    if (write) {
      if (this.grants.copyOut(this.guest, grant, from * SECTOR, data) !== GNTST.okay) return false;
      if (!this.store(sector, data)) return false;
      this.sectorsWritten += sectors;
      return true;
    }
    if (!this.load(sector, data)) return false;
    this.sectorsRead += sectors;
    return this.grants.copyIn(this.guest, grant, from * SECTOR, data) === GNTST.okay;
  }

  private load(sector: number, into: Uint8Array): boolean {
    const { sectorSize } = this.medium;
    const whole = new Uint8Array(sectorSize);
    for (let at = 0; at < into.length; at += SECTOR) {
      const byte = sector * SECTOR + at;
      if (!this.medium.read(Math.floor(byte / sectorSize), whole)) return false;
      into.set(whole.subarray(byte % sectorSize, (byte % sectorSize) + SECTOR), at);
    }
    return true;
  }

  private store(sector: number, data: Uint8Array): boolean {
    const { sectorSize } = this.medium;
    // What can be written has sectors of 512 bytes; a CD cannot.
    if (sectorSize !== SECTOR) return false;
    for (let at = 0; at < data.length; at += SECTOR)
      if (!this.medium.write(sector + at / SECTOR, data.subarray(at, at + SECTOR))) return false;
    return true;
  }
}

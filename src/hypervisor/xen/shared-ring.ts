// The ring of requests and responses that a frontend and its backend share (xen/include/public/io/ring.h), from the backend's
// side. The producer index is the guest's word: no more than a ringful is taken at once, and a guest that claims more has
// broken its own device.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';

/** struct sring: four indices, then entries. */
const REQUEST_PRODUCER = 0,
  REQUEST_EVENT = 4,
  RESPONSE_PRODUCER = 8,
  RESPONSE_EVENT = 12,
  ENTRIES = 64;

export class BackRing {
  readonly size: number;
  private consumer: number;
  private producer: number;

  /** @param machine address of the shared page; @param entry bytes of the larger of request and response */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly machine: number,
    private readonly entry: number,
  ) {
    this.size = 1 << (31 - Math.clz32(Math.floor((4096 - ENTRIES) / entry)));
    // A frontend that comes back (after a driver's restart) finds the ring where it left it.
    this.producer = memory.read32(machine + RESPONSE_PRODUCER);
    this.consumer = this.producer;
  }

  private word(offset: number): number {
    return this.memory.read32(this.machine + offset);
  }

  private at(index: number): number {
    return this.machine + ENTRIES + (index & (this.size - 1)) * this.entry;
  }

  /** Requests that wait, or -1 when the index is one that no honest frontend can reach. */
  waiting(): number {
    const waiting = (this.word(REQUEST_PRODUCER) - this.consumer) >>> 0;
    return waiting > this.size ? -1 : waiting;
  }

  /**
   * Takes the next request: a copy, so that the guest cannot change it while it is looked at. Only when `waiting` says so.
   */
  take(): DataView {
    const bytes = this.memory.bytes.slice(this.at(this.consumer), this.at(this.consumer) + this.entry);
    this.consumer = (this.consumer + 1) | 0;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Puts a response of 16- and 32-bit fields in; it is the guest's when `publish` says so. */
  respond(response: Uint8Array): void {
    this.memory.load(this.at(this.producer), response);
    this.producer = (this.producer + 1) | 0;
  }

  /** Makes responses seen. True when the guest wants an event for them (RING_PUSH_RESPONSES_AND_CHECK_NOTIFY). */
  publish(): boolean {
    const old = this.word(RESPONSE_PRODUCER);
    this.memory.write32(this.machine + RESPONSE_PRODUCER, this.producer);
    return (this.producer - this.word(RESPONSE_EVENT)) >>> 0 < (this.producer - old) >>> 0;
  }

  /** The next request shall come with an event (RING_FINAL_CHECK_FOR_REQUESTS). */
  listen(): void {
    this.memory.write32(this.machine + REQUEST_EVENT, this.consumer + 1);
  }
}

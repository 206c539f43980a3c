// A domain's connection to the store: messages over two rings of bytes in a page that it shares with domain 0
// (io/xs_wire.h). Indices and messages are the guest's word, so each is checked before it is believed; a guest that breaks
// the protocol, or takes no answers, is not served any more.
import type { Hypervisor } from '../../hypervisor.ts';
import { STORE } from '../abi.ts';
import { domidOf, type XenGuest } from '../guest.ts';
import type { Store } from './store.ts';
import { type Permission, StoreError } from './tree.ts';

/** enum xsd_sockmsg_type. */
export const XS = {
  control: 0,
  directory: 1,
  read: 2,
  getPerms: 3,
  watch: 4,
  unwatch: 5,
  transactionStart: 6,
  transactionEnd: 7,
  introduce: 8,
  release: 9,
  getDomainPath: 10,
  write: 11,
  mkdir: 12,
  rm: 13,
  setPerms: 14,
  watchEvent: 15,
  error: 16,
  isDomainIntroduced: 17,
  resetWatches: 21,
} as const;

const HEADER = 16;
const MAX_PAYLOAD = 4096;
/** Bytes of answers that wait for the guest to take others: more, and it hears of no more changes. */
const MAX_WAITING = 64 * 1024;

export class StoreConnection {
  /** Bytes of a message that is not complete yet. */
  private incoming: number[] = [];
  private outgoing: number[] = [];
  /** It broke the protocol: nobody listens. */
  private broken = false;
  private readonly domid: number;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly store: Store,
    private readonly guest: XenGuest,
    /** There is something in the ring for the guest, or room. */
    private readonly notify: () => void,
  ) {
    this.domid = domidOf(guest.domain);
  }

  private get memory() {
    return this.hypervisor.pc.memory;
  }

  /** The guest has moved on: takes its requests, answers what fits. */
  serve(): void {
    if (this.broken) return;
    let moved = this.flush();
    moved = this.receive() || moved;
    moved = this.flush() || moved;
    if (moved) this.notify();
  }

  /** Takes everything that is in the request ring. True when there was something. */
  private receive(): boolean {
    const ring = this.guest.storeRing;
    let consumer = this.memory.read32(ring + STORE.requestCons);
    const waiting = (this.memory.read32(ring + STORE.requestProd) - consumer) >>> 0;
    if (waiting > STORE.size) {
      this.broken = true;
      return false;
    }
    // Answers first: a guest that takes none is not asked for more.
    if (this.outgoing.length > MAX_WAITING) return false;
    for (let n = 0; n < waiting; n++, consumer++)
      this.incoming.push(this.memory.read8(ring + STORE.request + (consumer & (STORE.size - 1))));
    this.memory.write32(ring + STORE.requestCons, consumer);
    this.hypervisor.charge.copyByte(waiting);
    while (this.incoming.length >= HEADER && !this.broken) {
      const length = this.word(12);
      if (length > MAX_PAYLOAD) this.broken = true;
      else if (this.incoming.length < HEADER + length) break;
      else this.take(length);
    }
    return waiting > 0;
  }

  private word(at: number): number {
    const { incoming: i } = this;
    return (i[at] | (i[at + 1] << 8) | (i[at + 2] << 16) | (i[at + 3] << 24)) >>> 0;
  }

  private take(length: number): void {
    const [type, request, transaction] = [this.word(0), this.word(4), this.word(8)];
    const payload = String.fromCharCode(...this.incoming.slice(HEADER, HEADER + length));
    this.incoming = this.incoming.slice(HEADER + length);
    this.hypervisor.charge.storeRequest();
    try {
      this.send(type, request, transaction, this.perform(type, transaction, payload));
      // The first event of a watch follows its answer.
      const after = this.after;
      this.after = null;
      after?.();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.send(XS.error, request, transaction, `${error.code}\0`);
    }
  }
  private after: (() => void) | null = null;

  /** Does what a request asks for; the payload of the answer. Throws StoreError. */
  private perform(type: number, transaction: number, payload: string): string {
    const { store, domid } = this;
    switch (type) {
      case XS.read:
        return store.read(domid, text(payload), transaction);
      case XS.directory: {
        const names = store.directory(domid, text(payload), transaction);
        return bounded(names.map((name) => `${name}\0`).join(''));
      }
      case XS.getPerms: {
        const list = store.permissions(domid, text(payload), transaction);
        return list.map(({ may, domid }) => `${may}${domid}\0`).join('');
      }
      case XS.write: {
        const end = payload.indexOf('\0');
        if (end < 0) throw new StoreError('EINVAL');
        store.write(domid, payload.slice(0, end), payload.slice(end + 1), transaction);
        return 'OK\0';
      }
      case XS.mkdir:
        store.makeDirectory(domid, text(payload), transaction);
        return 'OK\0';
      case XS.rm:
        store.remove(domid, text(payload), transaction);
        return 'OK\0';
      case XS.setPerms: {
        const [path, ...list] = words(payload);
        store.setPermissions(domid, path, permissions(list), transaction);
        return 'OK\0';
      }
      case XS.watch:
      case XS.unwatch:
        return this.watch(type === XS.watch, payload);
      case XS.transactionStart:
        if (transaction) throw new StoreError('EBUSY');
        return `${store.start(domid)}\0`;
      case XS.transactionEnd: {
        const how = text(payload);
        if (how !== 'T' && how !== 'F') throw new StoreError('EINVAL');
        store.end(domid, transaction, how === 'T');
        return 'OK\0';
      }
      case XS.getDomainPath:
        return `/local/domain/${domidIn(payload)}\0`;
      case XS.isDomainIntroduced:
        return `${domidIn(payload) === domid ? 'T' : 'F'}\0`;
      case XS.resetWatches:
        store.forget(domid);
        return 'OK\0';
      case XS.introduce:
      case XS.release:
        // Domain 0's to say.
        throw new StoreError('EACCES');
      default:
        throw new StoreError('ENOSYS');
    }
  }

  private watch(on: boolean, payload: string): string {
    const [path, token, ...rest] = words(payload);
    if (token === undefined || rest.length > 0) throw new StoreError('EINVAL');
    if (!on) this.store.unwatch(this.domid, path, token);
    else {
      const event = (at: string, t: string) => this.event(at, t);
      let first = true;
      this.store.watch(this.domid, path, token, (at, t) => {
        if (first) this.after = () => event(at, t);
        else event(at, t);
        first = false;
      });
    }
    return 'OK\0';
  }

  /** Something that the guest watches has changed. */
  private event(path: string, token: string): void {
    if (this.broken || this.outgoing.length > MAX_WAITING) return;
    this.send(XS.watchEvent, 0, 0, `${path}\0${token}\0`);
    if (this.flush()) this.notify();
  }

  private send(type: number, request: number, transaction: number, payload: string): void {
    for (const word of [type, request, transaction, payload.length])
      this.outgoing.push(word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24);
    for (let n = 0; n < payload.length; n++) this.outgoing.push(payload.charCodeAt(n) & 0xff);
  }

  /** Puts into the ring what fits. True when that was something. */
  private flush(): boolean {
    const ring = this.guest.storeRing;
    let producer = this.memory.read32(ring + STORE.replyProd);
    const used = (producer - this.memory.read32(ring + STORE.replyCons)) >>> 0;
    if (used > STORE.size) {
      this.broken = true;
      return false;
    }
    const length = Math.min(STORE.size - used, this.outgoing.length);
    for (let n = 0; n < length; n++, producer++)
      this.memory.write8(ring + STORE.reply + (producer & (STORE.size - 1)), this.outgoing[n]);
    this.outgoing = this.outgoing.slice(length);
    this.memory.write32(ring + STORE.replyProd, producer);
    this.hypervisor.charge.copyByte(length);
    return length > 0;
  }
}

/** The one string of a payload; its end may be marked or not. */
function text(payload: string): string {
  const end = payload.indexOf('\0');
  if (end >= 0 && end < payload.length - 1) throw new StoreError('EINVAL');
  return end < 0 ? payload : payload.slice(0, end);
}

/** Strings that each end with a zero. At least one. */
function words(payload: string): [string, ...string[]] {
  if (!payload.endsWith('\0')) throw new StoreError('EINVAL');
  return payload.slice(0, -1).split('\0') as [string, ...string[]];
}

function bounded(payload: string): string {
  if (payload.length > MAX_PAYLOAD) throw new StoreError('E2BIG');
  return payload;
}

function domidIn(payload: string): number {
  const digits = text(payload);
  if (!/^\d{1,5}$/.test(digits) || Number(digits) > 0x7fef) throw new StoreError('EINVAL');
  return Number(digits);
}

function permissions(list: readonly string[]): Permission[] {
  if (!list.length || list.length > 16) throw new StoreError('EINVAL');
  return list.map((word) => {
    const match = /^([nrwb])(\d{1,5})$/.exec(word);
    if (!match) throw new StoreError('EINVAL');
    return { may: match[1] as Permission['may'], domid: Number(match[2]) };
  });
}

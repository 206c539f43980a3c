// For tests: guests of Xen's interface whose kernels do nothing, and a front end in TypeScript that does to their memory, and
// asks by hypercall, what a driver would.
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Vendor } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { HYPERCALL_VECTOR } from '../monitor.ts';
import { Paravirtualization } from '../paravirtualization/paravirtualization.ts';
import { withPae } from '../paravirtualization/testing.ts';
import type { BootOptions } from '../technique.ts';
import { GNTTABOP, GRANT_ENTRY_SIZE, GTF, STORE } from './abi.ts';
import type { DomainZero } from './domain-0.ts';
import { domidOf, type XenGuest, xenGuests } from './guest.ts';
import { xenServices } from './services.ts';
import './provide.ts';

const image = parseImage(
  assemble(
    new Map([
      ...readSources(fileURLToPath(new URL('../../guests/', import.meta.url))),
      [
        'loop.asm',
        '%include "include/xen.inc"\nxen_guest "loop", "1", start\nstart: jmp start\nxen_guest_end\n',
      ],
    ]),
    'loop.asm',
    { includePaths: [''] },
  ).bytes,
  'loop',
);

/** Linear address of the first page that is the front end's to use, behind which others follow. */
export const PAGES = 0xc0180000;

/** A message of the store: its type and its payload as text. */
export interface Message {
  type: number;
  request: number;
  payload: string;
}

export class XenHost {
  readonly pc: Pc;
  readonly hypervisor: Hypervisor;
  readonly technique: Paravirtualization;
  readonly domain0: DomainZero;

  constructor(memoryMiB = 16) {
    this.pc = new Pc(costModel('prescott'), new Recorder(1 << 10), memoryMiB << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    this.hypervisor = new Hypervisor(this.pc);
    this.technique = new Paravirtualization(this.hypervisor);
    this.domain0 = xenServices(this.hypervisor) as DomainZero;
  }

  boot(id: number, options: Partial<BootOptions> & { pae?: boolean } = {}): FrontEnd {
    const domain = this.hypervisor.createDomain({
      id,
      name: `guest ${id}`,
      technique: this.technique,
      memoryBytes: 2 << 20,
      image: options.pae ? withPae(image) : image,
      options: { commandLine: '', modules: [], ...options },
    });
    return new FrontEnd(this, domain);
  }
}

export class FrontEnd {
  readonly guest: XenGuest;
  readonly domid: number;
  /** Linear address of the grant table, which the test maps nowhere: it is written by machine address. */
  private table = 0;
  private request = 0;

  constructor(
    readonly host: XenHost,
    readonly domain: Domain,
  ) {
    this.domid = domidOf(domain);
    this.guest = xenGuests(host.hypervisor).get(this.domid)!;
  }

  private get memory() {
    return this.host.pc.memory;
  }

  /** Makes a hypercall; the result. */
  call(number: number, ...values: number[]): number {
    return this.callOn(0, number, ...values);
  }

  /** Makes a hypercall on one of its virtual processors. */
  callOn(which: number, number: number, ...values: number[]): number {
    const vcpu = this.domain.vcpus[which];
    const [ebx = 0, ecx = 0, edx = 0, esi = 0, edi = 0] = values;
    vcpu.regs.set([number, ecx, edx, ebx, 0, 0, esi, edi]);
    const nothing = { qualification: 0, detail: 0, instructionLength: 0, eip: 0 };
    this.host.technique.handle(vcpu, { vendor: Vendor.xen, reason: HYPERCALL_VECTOR, ...nothing });
    return vcpu.regs[0];
  }

  /** Machine frame of the front end's page `n`. */
  frame(n: number): number {
    return this.domain.memory.p2m[(PAGES - 0xc0000000) / 4096 + n];
  }

  /** Bytes of its page `n`, to read and to write. */
  page(n: number): DataView {
    return new DataView(this.memory.bytes.buffer, this.memory.bytes.byteOffset + this.frame(n) * 4096, 4096);
  }

  words(at: number, ...words: number[]): void {
    words.forEach((word, n) => this.guest.access.write32(this.guest, at + n * 4, word));
  }

  /** event_channel_op with its arguments; the words of the argument afterwards. */
  event(command: number, ...words: number[]): { result: number; words: number[] } {
    this.words(PAGES, ...words, 0, 0, 0);
    const result = this.call(32, command, PAGES);
    return {
      result,
      words: [0, 1, 2, 3, 4, 5].map((n) => this.guest.access.read32(this.guest, PAGES + n * 4)),
    };
  }

  /** A port that domain `remote` may bind to. */
  offer(remote = 0): number {
    return this.event(6, 0x7ff0 | (remote << 16), 0).words[1];
  }

  /** Is this port's event pending? Takes it. */
  pending(port: number): boolean {
    const at = this.guest.sharedInfo + 0x800 + (port >>> 5) * 4;
    const word = this.memory.read32(at);
    this.memory.write32(at, word & ~(1 << (port & 31)));
    return (word & (1 << (port & 31))) !== 0;
  }

  /** Puts an entry into its grant table. */
  grant(reference: number, frame: number, { readonly = false, domid = 0 } = {}): number {
    if (!this.table) {
      this.words(PAGES, 0x7ff0, 1, 0, PAGES + 64);
      this.call(20, GNTTABOP.setupTable, PAGES, 1);
      this.table = this.guest.access.read32(this.guest, PAGES + 64) * 4096;
    }
    const at = this.table + reference * GRANT_ENTRY_SIZE;
    this.memory.write32(at + 4, frame);
    this.memory.write32(at, 1 | (readonly ? 4 : 0) | (domid << 16));
    return reference;
  }

  /** An entry that takes a frame from `domid`. */
  accept(reference: number, domid: number, page = 0): number {
    this.grant(reference, page, { domid });
    this.memory.write32(this.table + reference * GRANT_ENTRY_SIZE, GTF.acceptTransfer | (domid << 16));
    return reference;
  }

  /** map_grant_ref: the status, and the handle. `address` is linear, or an entry's machine address. */
  map(
    address: number,
    flags: number,
    reference: number,
    domid: number,
  ): { status: number; handle: number; bus: number } {
    this.words(PAGES, address, 0, flags, reference, domid | (0x7fff << 16), -1, 0, 0);
    expect(this.call(20, GNTTABOP.mapGrantRef, PAGES, 1)).toBe(0);
    return {
      status: this.status(PAGES + 18),
      handle: this.guest.access.read32(this.guest, PAGES + 20),
      bus: this.guest.access.read32(this.guest, PAGES + 24) >>> 0,
    };
  }

  /** unmap_grant_ref: the status. */
  unmap(address: number, handle: number, bus = 0): number {
    this.words(PAGES, address, 0, bus, 0, handle, 0x7fff);
    expect(this.call(20, GNTTABOP.unmapGrantRef, PAGES, 1)).toBe(0);
    return this.status(PAGES + 20);
  }

  /** transfer: the status. */
  transfer(frame: number, domid: number, reference: number): number {
    this.words(PAGES, frame, domid, reference, 0x7fff);
    expect(this.call(20, GNTTABOP.transfer, PAGES, 1)).toBe(0);
    return this.status(PAGES + 12);
  }

  private status(at: number): number {
    return (this.guest.access.read16(this.guest, at) << 16) >> 16;
  }

  /** The flags of an entry. */
  flags(reference: number): number {
    return this.memory.read16(this.table + reference * GRANT_ENTRY_SIZE);
  }

  /** Bytes into the store's request ring, and its event. */
  send(bytes: readonly number[]): void {
    const ring = this.guest.storeRing;
    let producer = this.memory.read32(ring + STORE.requestProd);
    for (const byte of bytes) {
      this.memory.write8(ring + STORE.request + (producer & 1023), byte);
      producer++;
    }
    this.memory.write32(ring + STORE.requestProd, producer);
    const port = this.guest.ports.findIndex((p) => p?.kind === 'store');
    this.event(4, port);
  }

  /** All messages that wait for it. */
  receive(): Message[] {
    const ring = this.guest.storeRing;
    const bytes: number[] = [];
    for (let turn = 0; turn < 200; turn++) {
      let consumer = this.memory.read32(ring + STORE.replyCons);
      const producer = this.memory.read32(ring + STORE.replyProd);
      if (consumer === producer) break;
      for (; consumer !== producer; consumer++)
        bytes.push(this.memory.read8(ring + STORE.reply + (consumer & 1023)));
      this.memory.write32(ring + STORE.replyCons, consumer);
      this.send([]);
    }
    const view = new DataView(Uint8Array.from(bytes).buffer);
    const messages: Message[] = [];
    for (let at = 0; at + 16 <= bytes.length; ) {
      const length = view.getUint32(at + 12, true);
      const payload = String.fromCharCode(...bytes.slice(at + 16, at + 16 + length));
      messages.push({ type: view.getUint32(at, true), request: view.getUint32(at + 4, true), payload });
      at += 16 + length;
    }
    return messages;
  }

  /** One request; its answer (events that came before it are lost). */
  ask(type: number, payload: string, transaction = 0): Message {
    const request = ++this.request;
    const bytes: number[] = [];
    for (const word of [type, request, transaction, payload.length])
      bytes.push(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
    bytes.push(...[...payload].map((c) => c.charCodeAt(0)));
    for (let at = 0; at < bytes.length; at += 512) this.send(bytes.slice(at, at + 512));
    const answer = this.receive().find((m) => m.request === request && m.type !== 15);
    if (!answer) throw new Error('the store does not answer');
    return answer;
  }
}

// The split network device's back end (xen/include/public/io/netif.h): frames that a guest sends are copied from its granted
// pages to the bridge; frames for it are copied into the pages that it has put up for them (request-rx-copy).
import type { Hypervisor } from '../hypervisor.ts';
import { GNTST } from './abi.ts';
import type { Bridge, BridgePort } from './bridge.ts';
import type { GrantMapping, GrantTables } from './grants.ts';
import type { XenGuest } from './guest.ts';
import { BackRing } from './shared-ring.ts';

/** netif_tx_request: u32 grant, u16 offset, u16 flags, u16 id, u16 size. */
const TX_REQUEST_SIZE = 12;
/** netif_rx_request and _response: 8 bytes. */
const RX_SIZE = 8;
const TXF_MORE_DATA = 4,
  TXF_EXTRA_INFO = 8;
const STATUS = { okay: 0, error: -1 } as const;
/** Ethernet without a checksum: an address pair and a type at least, 1500 bytes behind them at most (and a VLAN tag). */
const MIN_FRAME = 14,
  MAX_FRAME = 1518;
/** Frames that wait for room in the guest. */
const MAX_WAITING = 64;

export class NetBackend implements BridgePort {
  private readonly tx: BackRing;
  private readonly rx: BackRing;
  private broken = false;
  private readonly waiting: Uint8Array[] = [];
  /** What has gone through: for whoever shows it (xentop's NETTX, NETRX). */
  framesSent = 0;
  bytesSent = 0;
  framesReceived = 0;
  bytesReceived = 0;
  framesDropped = 0;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly grants: GrantTables,
    private readonly guest: XenGuest,
    private readonly bridge: Bridge,
    readonly shared: readonly [tx: GrantMapping, rx: GrantMapping],
    private readonly notify: () => void,
  ) {
    const { memory } = hypervisor.pc;
    this.tx = new BackRing(memory, shared[0].machine, TX_REQUEST_SIZE);
    this.rx = new BackRing(memory, shared[1].machine, RX_SIZE);
    this.tx.listen();
    this.rx.listen();
    bridge.connect(this);
  }

  close(): void {
    this.broken = true;
    this.bridge.disconnect(this);
  }

  /** The guest has sent frames, or has put up pages for others. */
  serve(): void {
    if (this.broken) return;
    const waiting = this.tx.waiting();
    if (waiting < 0 || this.rx.waiting() < 0) {
      this.close();
      return;
    }
    let tell = false;
    for (let n = 0; n < waiting; n++) this.transmit(this.tx.take());
    if (waiting) tell = this.tx.publish();
    this.tx.listen();
    tell = this.receive() || tell;
    if (tell) this.notify();
  }

  private transmit(request: DataView): void {
    this.hypervisor.charge.backendRequest();
    const offset = request.getUint16(4, true);
    const flags = request.getUint16(6, true);
    const size = request.getUint16(10, true);
    const response = new DataView(new ArrayBuffer(4));
    response.setUint16(0, request.getUint16(8, true), true);
    // One frame is one request: neither scatter-gather nor segmentation was offered.
    const well = !(flags & (TXF_MORE_DATA | TXF_EXTRA_INFO)) && size >= MIN_FRAME && size <= MAX_FRAME;
    const frame = new Uint8Array(well ? size : 0);
    const copied =
      well && this.grants.copyOut(this.guest, request.getUint32(0, true), offset, frame) === GNTST.okay;
    response.setInt16(2, copied ? STATUS.okay : STATUS.error, true);
    this.tx.respond(new Uint8Array(response.buffer));
    if (!copied) return;
    this.framesSent++;
    this.bytesSent += size;
    this.bridge.forward(this, frame);
  }

  /** A frame from the bridge. */
  deliver(frame: Uint8Array): void {
    if (this.broken) return;
    if (this.waiting.length >= MAX_WAITING) {
      this.framesDropped++;
      return;
    }
    this.waiting.push(frame);
    if (this.receive()) this.notify();
  }

  /** Puts waiting frames into the guest's pages. True when the guest wants to know. */
  private receive(): boolean {
    let moved = false;
    while (this.waiting.length) {
      const room = this.rx.waiting();
      if (room < 0) {
        this.close();
        return false;
      }
      if (!room) break;
      this.put(this.rx.take(), this.waiting.shift()!);
      moved = true;
    }
    this.rx.listen();
    return moved && this.rx.publish();
  }

  /** {u16 id, u32 grant} is answered by {u16 id, u16 offset, u16 flags, s16 length or error}. */
  private put(request: DataView, frame: Uint8Array): void {
    this.hypervisor.charge.backendRequest();
    const copied = this.grants.copyIn(this.guest, request.getUint32(4, true), 0, frame) === GNTST.okay;
    const response = new DataView(new ArrayBuffer(8));
    response.setUint16(0, request.getUint16(0, true), true);
    response.setInt16(6, copied ? frame.length : STATUS.error, true);
    this.rx.respond(new Uint8Array(response.buffer));
    if (copied) {
      this.framesReceived++;
      this.bytesReceived += frame.length;
    } else this.framesDropped++;
  }
}

// A virtual Ethernet bridge between the network devices of one host, as domain 0's xenbr0: it learns who is where, floods what
// it does not know, and nothing leaves the host. Frames arrive in the order in which they were sent.

export interface BridgePort {
  /** A frame for this device: dropped when it has no room. */
  deliver(frame: Uint8Array): void;
}

/** Addresses remembered: as many as the host's devices could ever have, even when they lie about theirs. */
const MAX_ADDRESSES = 256;

export class Bridge {
  private readonly ports = new Set<BridgePort>();
  private readonly stations = new Map<string, BridgePort>();

  connect(port: BridgePort): void {
    this.ports.add(port);
  }

  disconnect(port: BridgePort): void {
    this.ports.delete(port);
    for (const [address, at] of this.stations) if (at === port) this.stations.delete(address);
  }

  /** A frame from a device, destination and source address first (IEEE 802.3 §3.2). */
  forward(from: BridgePort, frame: Uint8Array): void {
    const source = name(frame, 6);
    if (!(frame[6] & 1) && (this.stations.has(source) || this.stations.size < MAX_ADDRESSES))
      this.stations.set(source, from);
    const known = frame[0] & 1 ? undefined : this.stations.get(name(frame, 0));
    if (known === from) return;
    if (known) known.deliver(frame);
    else for (const port of this.ports) if (port !== from) port.deliver(frame);
  }
}

const name = (frame: Uint8Array, at: number): string =>
  Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');

// A split device as the toolstack makes it: its nodes in the store on both sides, and the handshake of states between front
// end and back end (xen/include/public/io/xenbus.h, docs/misc/xenstore-paths). The device itself is in the kinds below.
import { XENBUS } from './abi.ts';
import { domidOf, type XenGuest } from './guest.ts';
import { bindBackend, unbindBackend } from './interdomain.ts';
import type { Store } from './store/store.ts';

/** One kind of device: what its nodes say, and what runs while front end and back end are connected. */
export interface DeviceKind {
  readonly type: 'vbd' | 'vif' | 'console';
  /** Name of the device within its kind: 51712, 0. */
  readonly handle: number;
  /** Nodes for the front end and for the back end, before anybody has connected. */
  readonly frontend: Readonly<Record<string, string>>;
  readonly backend: Readonly<Record<string, string>>;
  /** Nodes that the back end adds when it connects. */
  readonly connected: Readonly<Record<string, string>>;
  /**
   * Maps what the front end offers and begins to serve. Null when it offers nothing usable.
   * @param read a node of the front end as a number, -1 when it is none
   */
  connect(read: (node: string) => number, notify: () => void): Connected | null;
}
export interface Connected {
  /** The guest has sent an event. */
  serve(): void;
  /** Gives back all that was mapped. */
  close(): void;
}

export class SplitDevice {
  readonly frontendPath: string;
  readonly backendPath: string;
  /** What serves the guest now, or null. */
  connection: Connected | null = null;
  private port = 0;
  private readonly domid: number;
  private readonly token: string;

  constructor(
    private readonly store: Store,
    private readonly guest: XenGuest,
    readonly kind: DeviceKind,
    /** Sets a port of the guest's pending. */
    private readonly raise: (port: number) => void,
  ) {
    this.domid = domidOf(guest.domain);
    this.frontendPath = `/local/domain/${this.domid}/device/${kind.type}/${kind.handle}`;
    this.backendPath = `/local/domain/0/backend/${kind.type}/${this.domid}/${kind.handle}`;
    this.token = `${kind.type}/${this.domid}/${kind.handle}`;
    this.create();
  }

  private create(): void {
    const { store, domid, kind } = this;
    const front = (node: string, value: string) =>
      store.put(`${this.frontendPath}/${node}`, value, domid, [0]);
    const back = (node: string, value: string) => store.put(`${this.backendPath}/${node}`, value, 0, [domid]);
    store.put(this.frontendPath, '', domid, [0]);
    store.put(this.backendPath, '', 0, [domid]);
    back('frontend', this.frontendPath);
    back('frontend-id', `${domid}`);
    back('online', '1');
    for (const [node, value] of Object.entries(kind.backend)) back(node, value);
    back('state', `${XENBUS.initWait}`);
    front('backend', this.backendPath);
    front('backend-id', '0');
    for (const [node, value] of Object.entries(kind.frontend)) front(node, value);
    front('state', `${XENBUS.initialising}`);
    store.watch(0, `${this.frontendPath}/state`, this.token, () => this.frontendChanged());
  }

  /** The front end has said where it stands. */
  private frontendChanged(): void {
    const state = this.number('state');
    switch (state) {
      case XENBUS.initialising:
        this.disconnect(XENBUS.initWait);
        break;
      case XENBUS.initialised:
      case XENBUS.connected:
        if (!this.connection) this.connect();
        break;
      case XENBUS.closing:
        this.disconnect(XENBUS.closing);
        break;
      case XENBUS.closed:
        this.disconnect(XENBUS.closed);
        break;
    }
  }

  private number(node: string): number {
    const value = this.store.get(`${this.frontendPath}/${node}`);
    return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : -1;
  }

  private say(state: number): void {
    this.store.put(`${this.backendPath}/state`, `${state}`);
  }

  private connect(): void {
    const port = this.number('event-channel');
    const made = this.kind.connect(
      (node) => this.number(node),
      () => this.raise(port),
    );
    if (!made) return;
    if (!bindBackend(this.guest, port, () => made.serve())) {
      made.close();
      return;
    }
    this.connection = made;
    this.port = port;
    for (const [node, value] of Object.entries(this.kind.connected))
      this.store.put(`${this.backendPath}/${node}`, value, 0, [this.domid]);
    this.say(XENBUS.connected);
    // What the front end put into its rings before it said so.
    made.serve();
  }

  private disconnect(state: number): void {
    this.connection?.close();
    this.connection = null;
    if (this.port) unbindBackend(this.guest, this.port);
    this.port = 0;
    this.say(state);
  }

  /** The guest goes, and its device with it. */
  destroy(): void {
    this.store.unwatch(0, `${this.frontendPath}/state`, this.token);
    this.connection?.close();
    this.connection = null;
    if (this.port) unbindBackend(this.guest, this.port);
    this.port = 0;
    this.store.delete(this.backendPath);
  }
}

// What the hypervisor keeps about one paravirtualized domain beside its memory. What belongs to one of its virtual processors
// is in pv-vcpu.ts; `current` is the one that the hypervisor serves at the moment, as Xen's `current` is.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { Domain, Vcpu } from '../domain.ts';
import type { ArgumentAccess, ForeignFrames, GuestFrames, Port, XenGuest } from '../xen/guest.ts';
import type { Layout } from './layout.ts';
import { PvVcpu, RUNSTATE } from './pv-vcpu.ts';

export class PvDomain implements XenGuest {
  readonly vcpus: readonly PvVcpu[];
  /** Whose registers and address space a hypercall means. */
  current: PvVcpu;
  /** Entries of the hypervisor's in every address space, low words: the last is at the top. */
  sharedEntries = new Int32Array(0);
  /** Machine address of the page table at PER_DOMAIN_START: it maps the descriptor tables of all its virtual processors. */
  perDomainTable = 0;
  /** Machine address of the page of start_info, as it was built. */
  startInfo = 0;
  /** Machine addresses of shared_info, the console ring and the store ring. */
  sharedInfo = 0;
  consoleRing = 0;
  storeRing = 0;
  /** Linear address of the guest's hypercall page; 0 when it has none. */
  hypercallPage = 0;
  readonly ports: Port[] = [{ kind: 'free' }];
  readonly grantFrames: number[] = [];
  /** VMASST_TYPE_* that are on, a bit each. */
  assists = 0;
  /** A page table that the guest may write at the moment (writable-tables.ts): `reconnect` checks what it has written. */
  unhooked: { readonly from: number; reconnect(): void } | null = null;

  constructor(
    readonly domain: Domain,
    readonly memory: PhysicalMemory,
    readonly access: ArgumentAccess,
    readonly frames: GuestFrames,
    readonly layout: Layout,
    /** The time, in cycles. */
    private readonly now: () => number,
    private readonly makeForeign: (pv: PvDomain) => ForeignFrames | null = () => null,
  ) {
    this.vcpus = domain.vcpus.map((vcpu) => new PvVcpu(vcpu, memory));
    this.current = this.vcpus[0];
    for (const v of this.vcpus) v.runstateSince = now();
  }

  private foreignFrames: ForeignFrames | null = null;
  /** Made when it is first asked for: that part of the interface may come after the guest. */
  get foreign(): ForeignFrames | null {
    this.foreignFrames ??= this.makeForeign(this);
    return this.foreignFrames;
  }

  vcpuInfoOf({ id }: Vcpu): number {
    return this.vcpus[id].vcpuInfo;
  }

  /** No event brings a processor up that is down. */
  isDown({ id }: Vcpu): boolean {
    return !this.vcpus[id].up;
  }

  /** An event has arrived: if it waited for one, it waits for the processor now. */
  onUpcall({ id }: Vcpu): void {
    const v = this.vcpus[id];
    if (v.runstate === RUNSTATE.blocked) v.enterRunstate(RUNSTATE.runnable, this.now());
  }
}

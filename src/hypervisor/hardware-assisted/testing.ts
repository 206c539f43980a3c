// For the tests of this room: a host with guests under VT-x (../testing/hardware-host.ts), and small kernels on it.
import { Vendor } from '../../trace/events.ts';
import { HardwareHost } from '../testing/hardware-host.ts';
import { build, said } from '../testing/small-kernels.ts';
import { HardwareAssisted } from './hardware-assisted.ts';
import type { VtxOptions } from './vmcs.ts';

export { build, kernel, needsNasm, PAGING, runNative, said } from '../testing/small-kernels.ts';

/** A host under the hypervisor. */
export class TestHost extends HardwareHost<HardwareAssisted> {
  /** @param processor `nehalem` has nested paging */
  constructor(
    memoryMiB = 32,
    technique: VtxOptions = {},
    processor: 'prescott' | 'merom' | 'nehalem' = 'prescott',
  ) {
    super((hypervisor) => new HardwareAssisted(hypervisor, technique), Vendor.vmx, { memoryMiB, processor });
  }
}

/** Boots a small kernel on a host of its own, lets it run, and tells what came of it. */
export function runKernel(body: string, options: { cycles?: number; technique?: VtxOptions } = {}) {
  const host = new TestHost(32, options.technique);
  const domain = host.boot(build(body));
  host.run(options.cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}

/** Silicon and paging that a guest can have under this technique. */
export const WAYS = [
  { processor: 'prescott', paging: 'shadow' },
  { processor: 'nehalem', paging: 'shadow' },
  { processor: 'nehalem', paging: 'nested' },
] as const;
export type Way = (typeof WAYS)[number];

/** Boots a small kernel under VT-x in one of the ways. */
export function runWay(body: string, { processor, paging }: Way, cycles?: number) {
  const host = new TestHost(32, {}, processor);
  const domain = host.boot(build(body), 1, 4, { paging });
  host.run(cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}

// For the tests of this room: a host with guests under SVM (../testing/hardware-host.ts), and small kernels on it.
import { Vendor } from '../../trace/events.ts';
import { type HostOptions as CommonOptions, HardwareHost } from '../testing/hardware-host.ts';
import { build, said } from '../testing/small-kernels.ts';
import { Svm } from './svm.ts';
import type { SvmOptions } from './vmcb.ts';

export { build, kernel, needsNasm, PAGING, said } from '../testing/small-kernels.ts';

export interface HostOptions extends CommonOptions {
  technique?: SvmOptions;
}

/** A host under the hypervisor. */
export class TestHost extends HardwareHost<Svm> {
  constructor({ technique = {}, ...options }: HostOptions = {}) {
    super((hypervisor) => new Svm(hypervisor, technique), Vendor.svm, options);
  }
}

/** Boots a small kernel on a host of its own, lets it run, and tells what came of it. */
export function runKernel(
  body: string,
  options: HostOptions & { cycles?: number; paging?: 'shadow' | 'nested' } = {},
) {
  const host = new TestHost({
    ...options,
    processor: options.paging === 'nested' ? 'nehalem' : options.processor,
  });
  const domain = host.boot(build(body), 1, 4, { paging: options.paging });
  host.run(options.cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}

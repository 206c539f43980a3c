// Hosts have Xen's paravirtual devices from now on: grant tables, the store, block and network back ends.
import { DomainZero } from './domain-0.ts';
import { provideInterdomain } from './interdomain.ts';
import { optionalXen } from './services.ts';

provideInterdomain();
optionalXen.make = (hypervisor) => new DomainZero(hypervisor);

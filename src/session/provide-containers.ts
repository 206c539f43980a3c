// Machines can run containers from now on.
import { ContainerHost } from '../hypervisor/containers/container-host.ts';
import { optionalContainers } from './host.ts';

optionalContainers.make = (pc, image, options) => new ContainerHost(pc, image, options);

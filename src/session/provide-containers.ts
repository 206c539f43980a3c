// Machines can run containers from now on.
import { ContainerHost } from '../hypervisor/containers/container-host.ts';
import { optionalMachines } from './host.ts';

optionalMachines.containers = (pc, image, options) => new ContainerHost(pc, image, options);

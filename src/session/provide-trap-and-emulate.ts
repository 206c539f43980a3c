// Hosts can run guests by trap-and-emulate from now on.
import { TrapAndEmulate } from '../hypervisor/trap-and-emulate/trap-and-emulate.ts';
import { optionalTechniques } from './host.ts';

optionalTechniques['trap-and-emulate'] = (hypervisor) => new TrapAndEmulate(hypervisor);

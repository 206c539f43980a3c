// Hosts can run guests by binary translation from now on.
import { BinaryTranslation } from '../hypervisor/binary-translation/binary-translation.ts';
import { optionalTechniques } from './host.ts';

optionalTechniques['binary-translation'] = (hypervisor) => new BinaryTranslation(hypervisor);

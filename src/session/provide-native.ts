// Guests can have the bare machine from now on.
import { NativeHost } from '../hypervisor/native/native-host.ts';
import { optionalMachines } from './host.ts';

optionalMachines.native = (pc, { id, name, image, options }) => new NativeHost(pc, id, name, image, options);

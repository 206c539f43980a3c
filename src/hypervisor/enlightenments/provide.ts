// Hardware-assisted guests can be offered Microsoft's and Xen's interfaces from now on.
import '../xen/provide.ts';
import { HyperV } from './hyper-v.ts';
import { optionalInterfaces } from './seam.ts';
import { XenHvm } from './xen-hvm.ts';

optionalInterfaces['hyper-v'] = (context) => new HyperV(context);
optionalInterfaces.xen = (context) => new XenHvm(context);

// Hardware-assisted guests can be offered Microsoft's and Xen's interfaces from now on.
import '../hypervisor/enlightenments/provide.ts';

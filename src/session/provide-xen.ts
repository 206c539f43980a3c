// Hosts offer all of Xen's interface from now on, beyond what our own kernels ask for.
import '../hypervisor/paravirtualization/provide.ts';
import '../hypervisor/xen/provide.ts';

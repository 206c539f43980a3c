// Everything that is optional in the page: for the terminal and the tests.
import '../images/other.ts';
import '../machine/cpu/executors/provide-floating-point.ts';
import '../machine/cpu/provide-performance-counters.ts';
import '../hypervisor/hardware-assisted/provide.ts';
import '../machine/devices/apic/provide.ts';
import '../machine/engine/provide.ts';
import '../machine/devices/provide-scan-set-3.ts';
import '../machine/devices/storage/provide.ts';
import '../machine/devices/vga/provide.ts';
import './provide-binary-translation.ts';
import './provide-containers.ts';
import './provide-svm.ts';
import './provide-enlightenments.ts';
import './provide-native.ts';
import './provide-trap-and-emulate.ts';
import './provide-xen.ts';

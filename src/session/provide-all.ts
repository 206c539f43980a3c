// Everything that is optional in the page: for the terminal and the tests.
import '../machine/cpu/executors/provide-floating-point.ts';
import '../machine/cpu/vmx/provide-second-generation.ts';
import '../machine/devices/apic/provide.ts';
import '../machine/devices/storage/provide.ts';
import './provide-binary-translation.ts';
import './provide-svm.ts';
import './provide-trap-and-emulate.ts';
import './provide-xen.ts';

// The scenarios that come with Ringside, as they stand in their files: what a page shows of them before it asks for one.
import barePanes from './bare-panes.json' with { type: 'json' };
import barePenguin from './bare-penguin.json' with { type: 'json' };
import classical from './classical.json' with { type: 'json' };
import containers from './containers.json' with { type: 'json' };
import enlightened from './enlightened.json' with { type: 'json' };
import helloXen from './hello-xen.json' with { type: 'json' };
import ownHypervisor from './own-hypervisor.json' with { type: 'json' };
import ownHypervisorSvm from './own-hypervisor-svm.json' with { type: 'json' };
import pacifica from './pacifica.json' with { type: 'json' };
import sameKernelTwice from './same-kernel-twice.json' with { type: 'json' };
import sideBySide from './side-by-side.json' with { type: 'json' };
import splitDevices from './split-devices.json' with { type: 'json' };
import translated from './translated.json' with { type: 'json' };

/** All of them, the opening one first. */
export const SHIPPED = [
  sideBySide,
  sameKernelTwice,
  pacifica,
  classical,
  translated,
  containers,
  enlightened,
  splitDevices,
  barePenguin,
  barePanes,
  helloXen,
  ownHypervisor,
  ownHypervisorSvm,
] as const;

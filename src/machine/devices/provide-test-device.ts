// Boards have QEMU's test device from now on.
import { optional } from './optional.ts';
import { TestDevice } from './test-device.ts';

optional.TestDevice = TestDevice;

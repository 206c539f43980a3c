// Keyboards know scan-code set 3 from now on.
import { optional } from './optional.ts';
import { ScanSet3 } from './scan-set-3.ts';

optional.ScanSet3 = ScanSet3;

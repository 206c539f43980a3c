// The house's own guests, unmodified, under VT-x: see ../testing/unmodified-guests.ts.
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { unmodifiedGuests } from '../testing/unmodified-guests.ts';
import { TestHost } from './testing.ts';

unmodifiedGuests({
  name: 'VT-x',
  host: (processor) => new TestHost(40, {}, processor),
  common: [EXIT.exceptionOrNmi, EXIT.externalInterrupt, EXIT.hlt, EXIT.ioInstruction],
  paged: [EXIT.crAccess, EXIT.invlpg],
});

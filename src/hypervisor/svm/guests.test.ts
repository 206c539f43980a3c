// The house's own guests, unmodified, under SVM: see ../testing/unmodified-guests.ts.
import { SVM_EXIT } from '../../machine/cpu/svm/exit-codes.ts';
import { unmodifiedGuests } from '../testing/unmodified-guests.ts';
import { TestHost } from './testing.ts';

unmodifiedGuests({
  name: 'SVM',
  host: (processor) => new TestHost({ memoryMiB: 40, processor }),
  common: [SVM_EXIT.interrupt, SVM_EXIT.hlt, SVM_EXIT.ioio],
  paged: [SVM_EXIT.exception + 14, SVM_EXIT.crWrite + 3, SVM_EXIT.invlpg],
});

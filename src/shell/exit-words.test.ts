import { expect, it } from 'vitest';
import { Vendor } from '../trace/events.ts';
import { exitName, vocabularies } from '../trace/exits.ts';
import { learnExitWords } from './exit-words.ts';

it('AMD’s exits are told by AMD’s names as soon as a guest may have any', async () => {
  // The page begins without what tests have from the start.
  delete vocabularies[Vendor.svm];
  expect(await learnExitWords([{ technique: 'vt-x' }, { technique: 'paravirtualization' }])).toBe(false);
  expect(exitName(Vendor.svm, 0x78)).not.toBe('hlt');
  expect(await learnExitWords([{ technique: 'vt-x' }, { technique: 'svm' }])).toBe(true);
  expect(exitName(Vendor.svm, 0x78)).toBe('hlt');
  expect(await learnExitWords([{ technique: 'svm' }])).toBe(false);
});

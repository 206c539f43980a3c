import { expect, test } from 'vitest';
import { choiceOf, choicesFor, techniqueChoices } from './technique-choices.ts';

const alone = { shared: false, nested: true, enlightenments: [] };

test('hardware assistance is offered once for each kind of paging', () => {
  expect(techniqueChoices(['native', 'vt-x', 'svm'], alone).map((c) => c.label)).toEqual([
    'bare machine',
    'VT-x',
    'VT-x, nested paging',
    'SVM',
    'SVM, nested paging',
  ]);
});

test('what a guest knows how to use is switched on and off, alone and together, with either paging', () => {
  const choices = techniqueChoices(['svm'], { ...alone, enlightenments: ['hyper-v', 'xen'] });
  expect(choices.map((c) => c.label)).toEqual([
    'SVM',
    'SVM + Hyper-V',
    'SVM + Xen',
    'SVM + Hyper-V + Xen',
    'SVM, nested paging',
    'SVM, nested paging + Hyper-V',
    'SVM, nested paging + Xen',
    'SVM, nested paging + Hyper-V + Xen',
  ]);
  expect(choices[3]).toMatchObject({ paging: 'shadow', enlightenments: ['hyper-v', 'xen'] });
});

test('what cannot be chosen says why', () => {
  const choices = techniqueChoices(['native', 'vt-x'], { shared: true, nested: false, enlightenments: [] });
  expect(choices.map((c) => c.obstacle)).toEqual(['only alone', '', 'needs Nehalem']);
});

test('a guest that runs is found among its choices, however it was booted', () => {
  const host = { shared: false, nested: true };
  for (const guest of ['penguin-native', 'penguin-xen', 'penguin-container', 'panes', 'somebody-elses.elf'])
    for (const choice of choicesFor({ guest, technique: 'native' }, undefined, host))
      expect(choiceOf(choice)).toBe(choice.value);
  const both = { guest: 'panes', technique: 'vt-x', enlightenments: ['hyper-v', 'xen'] } as const;
  expect(choicesFor(both, undefined, host).map((c) => c.value)).toContain('vt-x shadow hyper-v xen');
});

test('the ported and the unmodified build of one kernel are one guest', () => {
  const host = { shared: true, nested: false };
  const choices = choicesFor({ guest: 'penguin-xen', technique: 'paravirtualization' }, undefined, host);
  expect(choices.find((c) => c.value === 'paravirtualization')).not.toHaveProperty('guest');
  expect(choices.find((c) => c.value === 'vt-x shadow')).toMatchObject({
    guest: 'penguin-native',
    obstacle: '',
  });
  const back = choicesFor({ guest: 'penguin-native', technique: 'vt-x' }, undefined, host);
  expect(back.find((c) => c.technique === 'paravirtualization')).toMatchObject({ guest: 'penguin-xen' });
  expect(new Set(back.map((c) => c.value)).size).toBe(back.length);
});

test('a system that comes as a product can be neither ported nor put into a container', () => {
  const choices = choicesFor({ guest: 'panes', technique: 'vt-x' }, undefined, {
    shared: true,
    nested: true,
  });
  expect(choices.slice(-2).map((c) => [c.technique, c.obstacle])).toEqual([
    ['paravirtualization', 'it was not ported to Xen'],
    ['container', 'it has a kernel of its own'],
  ]);
});

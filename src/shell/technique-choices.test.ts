import { expect, test } from 'vitest';
import { choiceOf, techniqueChoices } from './technique-choices.ts';

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

test('what a guest knows how to use is a way of its own', () => {
  const [, , enlightened] = techniqueChoices(['svm'], { ...alone, enlightenments: ['hyper-v'] });
  expect(enlightened).toMatchObject({
    label: 'SVM, Hyper-V enlightened',
    paging: 'shadow',
    enlightenments: ['hyper-v'],
  });
});

test('what cannot be chosen says why', () => {
  const choices = techniqueChoices(['native', 'vt-x'], { shared: true, nested: false, enlightenments: [] });
  expect(choices.map((c) => c.obstacle)).toEqual(['only alone', '', 'needs Nehalem']);
});

test('a guest that runs is found among its choices', () => {
  const choices = techniqueChoices(['native', 'vt-x'], { ...alone, enlightenments: ['xen'] });
  for (const choice of choices) expect(choiceOf(choice)).toBe(choice.value);
  expect(choiceOf({ technique: 'vt-x' })).toBe('vt-x shadow');
});

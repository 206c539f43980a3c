// `ringside popek-goldberg` as somebody types it: one technique at one ring, as a table and as data; and wrong words.
import { expect, it } from 'vitest';
import { inProcess } from './testing.ts';

it.each([
  [['--technique', 'vmware'], /^ringside: --technique vmware: there is native, /],
  [['--ring', '4'], /^ringside: --ring 4: there are rings 0 to 3$/],
  [['--ring', 'three'], /there are rings 0 to 3$/],
])('refuses %j', async (words, reason) => {
  const { status, out, error } = await inProcess('popek-goldberg', ...words);
  expect(error).toMatch(reason);
  expect({ status, out }).toEqual({ status: 2, out: '' });
});

it('says of each instruction what became of it under one technique, at one ring', async () => {
  const words = ['popek-goldberg', '--technique', 'vt-x', '--ring', '3', '--json'];
  const { status, out } = await inProcess(...words);
  expect(status).toBe(0);
  const { classes, techniques } = JSON.parse(out);
  expect(classes.length).toBeGreaterThan(1000);
  expect(
    techniques.map((each: { technique: string; paging: string }) => [each.technique, each.paging]),
  ).toEqual([
    ['vt-x', 'shadow'],
    ['vt-x', 'nested'],
  ]);
  for (const { ring, exists, instructions } of techniques) {
    expect({ ring, exists }).toEqual({ ring: 3, exists: true });
    expect(instructions.length).toBe(classes.length);
    const cpuid = instructions.find((row: { mnemonic: string }) => row.mnemonic === 'cpuid');
    expect(cpuid).toEqual({ mnemonic: 'cpuid', operands: [], observed: 'trapped', how: ['CPUID'] });
  }
}, 300_000);

it('tells what programs saw in a container, and which kernel ended them; there is no other ring', async () => {
  const { out } = await inProcess('popek-goldberg', '--technique', 'container');
  for (const ring of [0, 1, 2])
    expect(out).toContain(
      `CONTAINER, RING ${ring}\nno guest has this ring here: the probing kernel: brings its own kernel, and a container has none`,
    );
  const [, table] = out.split('CONTAINER, RING 3\n');
  expect(table).toMatch(/^\(a program of Penguin’s.*no exit happened.*\)\nexecuted directly: \d+ forms/);
  expect(table).toMatch(/ended by a signal.*\n.*cli \[SIGSEGV: general protection fault\]/);
  expect(table).not.toContain('silently wrong');
}, 300_000);

it('prints a table, and says why there is no such ring', async () => {
  const { status, out } = await inProcess('popek-goldberg', '--technique', 'trap-and-emulate', '--ring', '1');
  expect(status).toBe(0);
  expect(out).toMatch(/^ON THE BARE MACHINE\nprivileged: \d+ forms/);
  expect(out).toMatch(
    /TRAP-AND-EMULATE, RING 1\nno guest has this ring here: the kernel finds itself at another ring/,
  );
}, 300_000);

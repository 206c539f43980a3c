// Popek and Goldberg's equivalence, observed from the guest's keyboard: whatever runs Penguin, the same commands get the
// same answers. Only counts of cycles and of free frames may differ. (QEMU's answers are checked in penguin.test.ts.)
import { expect, test } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';

const PROMPT = 'penguin# ';
const library = nodeLibrary();

/** Boots a guest and types each command at its prompt. Returns everything from the welcome on. */
function converse(guest: string, technique: string, commands: readonly string[]): string {
  const session = new Session(
    parseScenario({
      name: 'equivalence',
      title: 'Equivalence',
      processor: 'prescott',
      memoryMiB: technique === 'native' ? 16 : 32,
      domains: [{ name: 'Penguin', guest, technique, memoryMiB: 16 }],
    }),
    library,
  );
  session.bootAll();
  const [domain] = session.domains;
  const hertz = session.host.pc.cost.clockHz;
  let read = 0;
  let typed = 0;
  while (session.now < 60 * hertz && session.view(0)?.state === 'running') {
    session.run(session.now + hertz / 100);
    const at = domain.text.indexOf(PROMPT, read);
    if (at < 0 || typed === commands.length) continue;
    read = at + PROMPT.length;
    session.input(
      0,
      [...`${commands[typed++]}\r`].map((character) => character.charCodeAt(0)),
    );
  }
  expect(typed, domain.text).toBe(commands.length);
  expect(session.view(0)?.state).toBe('halted');
  const text = domain.text.replaceAll('\r\n', '\n');
  return text.slice(text.indexOf('Welcome'));
}

const timeless = (text: string) => text.replace(/\d+ cycles/g, '# cycles').replace(/\d+ each/g, '# each');

const COMMANDS = [
  'hello',
  'primes 300',
  'forkwait 5',
  'syscalls 20',
  'memory 64',
  'ls /bin',
  'cat /etc/rings /no',
];
COMMANDS.push('echo one two', 'crash', 'crash read', 'crash divide', 'crash cli', 'crash opcode', 'nosuch');
COMMANDS.push('sleep 1', 'kill 1', 'exit', 'echo a new shell', 'halt');

const bare = converse('penguin-native', 'native', COMMANDS);

test('on the bare machine it does what it does in QEMU', () => {
  expect(bare).toContain('62 primes up to 300, the largest 293');
  expect(bare).toContain('page fault at BAD00000 (write, no such page)');
  expect(bare).toContain('a new shell \n');
});

test.each([
  ['penguin-native', 'vt-x'],
  ['penguin-xen', 'paravirtualization'],
])('%s under %s gives the same answers', (guest, technique) => {
  expect(timeless(converse(guest, technique, COMMANDS))).toBe(timeless(bare));
});

test.each([
  ['penguin-native', 'native'],
  ['penguin-native', 'vt-x'],
  ['penguin-xen', 'paravirtualization'],
])('a program cannot read the kernel: %s, %s', (guest, technique) => {
  expect(converse(guest, technique, ['crash kernel', 'halt'])).toContain(
    'page fault at C0100000 (read, no right to it)',
  );
});

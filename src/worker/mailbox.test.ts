import { describe, expect, it } from 'vitest';
import { Mailbox } from './mailbox.ts';

/** A handler whose slow messages end when the test says so. */
function bench() {
  const log: string[] = [];
  const failures: unknown[] = [];
  const open: (() => void)[] = [];
  const mailbox = new Mailbox<string>(
    (message) => {
      log.push(`begin ${message}`);
      if (message === 'broken') throw new Error(message);
      if (!message.startsWith('slow')) return;
      return new Promise<void>((resolve) => {
        open.push(() => {
          log.push(`end ${message}`);
          resolve();
        });
      });
    },
    (error) => failures.push((error as Error).message),
  );
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return { mailbox, log, failures, open, settle };
}

describe('messages of the page', () => {
  it('that need no time are handled at once', () => {
    const { mailbox, log } = bench();
    mailbox.post('pause');
    expect(log).toEqual(['begin pause']);
  });

  it('never overtake one that is still being handled: the load that came last is the one that stays', async () => {
    const { mailbox, log, open, settle } = bench();
    mailbox.post('slow load of the opening scenario');
    mailbox.post('slow load of a lesson');
    mailbox.post('run');
    await settle();
    expect(log).toEqual(['begin slow load of the opening scenario']);
    open.shift()!();
    await settle();
    expect(log.at(-1)).toBe('begin slow load of a lesson');
    open.shift()!();
    await settle();
    expect(log.slice(-2)).toEqual(['end slow load of a lesson', 'begin run']);
  });

  it('follow one that failed', async () => {
    const { mailbox, log, failures, settle } = bench();
    mailbox.post('broken');
    mailbox.post('run');
    await settle();
    expect(failures).toEqual(['broken']);
    expect(log.at(-1)).toBe('begin run');
  });
});

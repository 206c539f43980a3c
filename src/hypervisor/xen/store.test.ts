// The store over its ring, as docs/misc/xenstore.txt and io/xs_wire.h describe it.
import { beforeEach, describe, expect, it } from 'vitest';
import { XS } from './store/connection.ts';
import { type FrontEnd, XenHost } from './testing.ts';

describe('the store', () => {
  let host: XenHost;
  let front: FrontEnd;
  const value = (path: string, transaction = 0) => front.ask(XS.read, `${path}\0`, transaction).payload;

  beforeEach(() => {
    host = new XenHost();
    front = host.boot(1);
  });

  it('holds the nodes of a domain, relative to its home', () => {
    expect(front.ask(XS.getDomainPath, '2\0').payload).toBe('/local/domain/2\0');
    expect(value('memory/target')).toBe('2048');
    expect(value('/local/domain/2/domid')).toBe('2');
    expect(value('console/type')).toBe('xenconsoled');
    const port = Number(value('console/port'));
    expect(front.guest.ports[port].kind).toBe('console');
    expect(Number(value('console/ring-ref'))).toBe(front.guest.consoleRing / 4096);
    expect(front.ask(XS.directory, 'console\0').payload).toBe('limit\0port\0ring-ref\0type\0');
  });

  it('writes below what a domain owns, makes what is missing, and takes it away again', () => {
    expect(front.ask(XS.write, 'data/a/b\0text with \0 in it').payload).toBe('OK\0');
    expect(value('data/a/b')).toBe('text with \0 in it');
    expect(value('data/a')).toBe('');
    expect(front.ask(XS.getPerms, 'data/a/b\0').payload).toBe('n2\0r2\0');
    expect(front.ask(XS.rm, 'data/a\0').payload).toBe('OK\0');
    expect(front.ask(XS.read, 'data/a/b\0')).toMatchObject({ type: XS.error, payload: 'ENOENT\0' });
    expect(front.ask(XS.rm, 'data/a\0').payload, 'gone already').toBe('OK\0');
  });

  it('refuses what is not the domain’s to do', () => {
    const refused = (type: number, payload: string) => {
      const answer = front.ask(type, payload);
      return answer.type === XS.error ? answer.payload : `allowed ${answer.payload}`;
    };
    expect(refused(XS.write, '/local/domain/2/memory/target\x001')).toBe('EACCES\0');
    expect(refused(XS.write, '/tool/x\x001')).toBe('EACCES\0');
    expect(refused(XS.directory, '/\0')).toBe('EACCES\0');
    expect(refused(XS.rm, '/local/domain/2\0')).toBe('EACCES\0');
    expect(refused(XS.read, '/local/../domain\0')).toBe('EINVAL\0');
    expect(refused(XS.write, 'data/x')).toBe('EINVAL\0');
    expect(refused(XS.write, `data/x\0${'y'.repeat(2049)}`)).toBe('E2BIG\0');
    expect(refused(XS.introduce, '2\x000\x001\0')).toBe('EACCES\0');
    expect(refused(99, '')).toBe('ENOSYS\0');
    expect(refused(XS.setPerms, 'data\0b3\0'), 'gives its node away').toBe('EACCES\0');
    const other = host.boot(2);
    expect(other.ask(XS.read, '/local/domain/2/data\0')).toMatchObject({ payload: 'EACCES\0' });
    expect(front.ask(XS.setPerms, 'data\0n2\0r3\0').payload).toBe('OK\0');
    expect(other.ask(XS.read, '/local/domain/2/data\0').payload, 'and shares it').toBe('');
  });

  it('tells watchers at once, and then of every change at or below', () => {
    front.ask(XS.watch, 'memory/target\0T\0');
    // The answer came before the first event.
    front.ask(XS.unwatch, 'memory/target\0T\0');
    front.send([XS.watch, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, ...bytes('memory/target\0T\0')]);
    expect(front.receive()).toEqual([
      { type: XS.watch, request: 9, payload: 'OK\0' },
      { type: XS.watchEvent, request: 0, payload: 'memory/target\0T\0' },
    ]);
    expect(host.domain0.setMemoryTarget(front.domain, 1536 * 1024)).toBe(true);
    expect(front.receive()).toEqual([{ type: XS.watchEvent, request: 0, payload: 'memory/target\0T\0' }]);
    expect(value('memory/target')).toBe('1536');
    expect(front.ask(XS.watch, 'memory/target\0T\0').payload).toBe('EEXIST\0');
    front.ask(XS.watch, '/local/domain/2/data\0D\0');
    front.send([]);
    front.ask(XS.write, 'data/deep/er\0x');
    front.ask(XS.unwatch, 'memory/target\0T\0');
    host.domain0.setMemoryTarget(front.domain, 1024 * 1024);
    expect(front.receive()).toEqual([]);
  });

  it('carries a transaction out as a whole, or says that it must be done again', () => {
    const begin = () => Number.parseInt(front.ask(XS.transactionStart, '\0').payload, 10);
    const first = begin();
    front.ask(XS.write, 'data/a\x001', first);
    expect(value('data/a', first)).toBe('1');
    expect(value('data/a'), 'nobody else sees it').toBe('ENOENT\0');
    expect(front.ask(XS.transactionEnd, 'T\0', first).payload).toBe('OK\0');
    expect(value('data/a')).toBe('1');

    const second = begin();
    expect(value('data/a', second)).toBe('1');
    front.ask(XS.write, 'data/a\x002');
    front.ask(XS.write, 'data/b\x003', second);
    expect(front.ask(XS.transactionEnd, 'T\0', second).payload).toBe('EAGAIN\0');
    expect(value('data/b')).toBe('ENOENT\0');

    const third = begin();
    front.ask(XS.write, 'data/b\x003', third);
    expect(front.ask(XS.transactionEnd, 'F\0', third).payload).toBe('OK\0');
    expect(value('data/b')).toBe('ENOENT\0');
    expect(front.ask(XS.read, 'data/a\0', 4711).payload, 'no such transaction').toBe('ENOENT\0');
    for (let n = 0; n < 10; n++) begin();
    expect(front.ask(XS.transactionStart, '\0').payload).toBe('ENOSPC\0');
  });

  it('does not let one domain fill it', () => {
    let answer = '';
    for (let n = 0; n < 1100 && answer !== 'ENOSPC\0'; n++)
      answer = front.ask(XS.write, `data/n${n}\0x`).payload;
    expect(answer).toBe('ENOSPC\0');
    let watches = '';
    for (let n = 0; n < 200 && watches !== 'E2BIG\0'; n++)
      watches = front.ask(XS.watch, `data\0${n}\0`).payload;
    expect(watches).toBe('E2BIG\0');
  });

  it('forgets a domain that goes', () => {
    front.ask(XS.watch, 'data\0t\0');
    host.hypervisor.destroyDomain(1);
    expect(host.domain0.store.get('/local/domain/2/data')).toBeUndefined();
    const again = host.boot(1);
    expect(again.ask(XS.read, 'data\0').payload).toBe('');
  });
});

const bytes = (text: string) => [...text].map((c) => c.charCodeAt(0));

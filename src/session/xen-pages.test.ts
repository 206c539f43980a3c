// Rings of split devices, as a back end finds them: by the store and the grant table.
import { expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { inside } from './inside.ts';
import { findScenario } from './scenarios.ts';
import { Session } from './session.ts';

function run(scenario: string): Session {
  const session = new Session(findScenario(scenario)!, nodeLibrary());
  session.bootAll();
  session.run(150_000_000);
  return session;
}
const value = (page: { fields: readonly { name: string; value: number }[] } | undefined, name: string) =>
  page?.fields.find((field) => field.name === name)?.value;

it('shows both rings of a network interface, with what went through them', { timeout: 60_000 }, () => {
  const session = run('split-devices');
  const pages = inside(session, 1, 'shared').shared;
  const sent = pages.find(({ name }) => name.startsWith('net ring, sending'));
  const received = pages.find(({ name }) => name.startsWith('net ring, receiving'));
  // `ping 1` asks four times and is answered four times; each was taken by the back end.
  expect([value(sent, 'req_prod'), value(sent, 'rsp_prod')]).toEqual([4, 4]);
  expect(value(received, 'rsp_prod')).toBe(4);
  const { bytes } = session.host.pc.memory;
  expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(sent!.machine, true)).toBe(4);
});

it('shows the shared_info of a hardware-assisted guest with Xen’s drivers, and none of one without', {
  timeout: 60_000,
}, () => {
  const session = run('enlightened');
  expect(inside(session, 1, 'shared').shared.map(({ name }) => name)).toContain('shared_info');
  expect(inside(session, 1, 'walk').offers.shared).toBe(true);
  expect(inside(session, 0, 'walk').offers.shared).toBe(false);
});

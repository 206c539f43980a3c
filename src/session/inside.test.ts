// What the page looks into: read from the machine, and reading changes nothing.
import { expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { inside, translated, walk } from './inside.ts';
import { findScenario } from './scenarios.ts';
import { Session } from './session.ts';

const library = nodeLibrary();
function run(scenario: string, cycles: number): Session {
  const session = new Session(findScenario(scenario)!, library);
  session.host.recorder.hashing = true;
  session.bootAll();
  session.run(cycles);
  return session;
}
const PENGUIN = 0;
const PANES = 1;

it('looking changes nothing: the trace is the same', () => {
  const seen = run('side-by-side', 30_000_000);
  for (let n = 0; n < 20; n++) {
    inside(seen, PANES, 'control');
    inside(seen, PENGUIN, 'shared');
    walk(seen, PANES, 0x80100000);
    walk(seen, PENGUIN, 0xc0100000);
    seen.run(30_000_000 + n * 1_000_000);
  }
  expect(seen.host.recorder.hash).toBe(run('side-by-side', 49_000_000).host.recorder.hash);
});

it('the control structure tells what the handler of the last exit has changed', () => {
  const session = run('side-by-side', 30_000_000);
  inside(session, PANES, 'control');
  const { recorder } = session.host;
  // To the exit after the next CPUID, IN or HLT, whose handler steps over the instruction.
  for (let n = 0; n < 2000; n++) {
    session.stepEvent();
    const last = recorder.get(recorder.next - 1)!;
    const { fields } = inside(session, PANES, 'control').control!;
    const rip = fields.find((field) => field.name === 'GUEST_RIP')!;
    const changed = fields.filter((f) => f.low !== f.exitLow || f.high !== f.exitHigh);
    if (rip.low === rip.exitLow) continue;
    expect(changed.length).toBeLessThan(12);
    expect(rip.low - rip.exitLow).toBeGreaterThan(0);
    expect(rip.low - rip.exitLow).toBeLessThan(15);
    expect(last.domain).toBe(PANES);
    return;
  }
  throw new Error('no handler ever stepped over an instruction');
});

it('an address is walked to the byte that the machine has there, through two sets of tables', () => {
  const session = run('side-by-side', 60_000_000);
  const eip = session.host.eip(PANES);
  const found = walk(session, PANES, eip)!;
  expect(found.guest.map((step) => step.level)).toEqual([2, 1]);
  expect(found.real.map((step) => step.tables)).toEqual(['shadow', 'shadow']);
  expect(found.machine).toBe(session.host.translate(PANES, eip));
  const penguin = walk(session, PENGUIN, 0xc0100000)!;
  expect(penguin.machine).toBe(session.host.translate(PENGUIN, 0xc0100000));
  expect(walk(session, PANES, 0x7fff0000)!.machine).toBe(-1);
});

it('translated code stands beside its original', () => {
  const session = run('translated', 100_000_000);
  const id = session.domains.findIndex((d) => d.technique === 'binary-translation');
  const { blocks, offers } = inside(session, id, 'blocks');
  expect(offers.blocks).toBe(true);
  expect(blocks.length).toBeGreaterThan(50);
  // Code of before paging was on may not be mapped any more.
  const mapped = blocks.filter((block) => session.host.translate(id, block.guest) >= 0);
  const busiest = mapped.sort((a, b) => b.callOuts - a.callOuts)[0];
  const lines = translated(session, id, busiest.guest);
  expect(lines.map((line) => line.guest)[0]).toBe(busiest.guest);
  for (const line of lines) {
    expect(line.original).not.toBe('not mapped now');
    if (line.how === 'identical') expect(line.translation.map((t) => t.text)).toEqual([line.original]);
  }
});

it('a machine without a hypervisor has the guest’s own tables and nothing else', () => {
  const session = run('bare-penguin', 60_000_000);
  const found = walk(session, 0, 0xc0100000)!;
  expect(found.machine).toBe(0x100000);
  expect(found.real).toEqual([]);
  expect(inside(session, 0, 'control').offers).toEqual({
    control: false,
    blocks: false,
    shared: false,
    walk: true,
  });
});

// A domain that tries everything changes no byte outside itself (issue "Two guests, side by side", §What must hold). The
// hostile guests are src/guests/exercisers/hostile-xen.asm and hostile-pc.asm; here it is looked at what they did.
import { beforeAll, describe, expect, it } from 'vitest';
import { Arena, exerciser, HOSTILE, PANES, PENGUIN } from './testing/arena.ts';
import { Snapshot } from './testing/snapshot.ts';

const XEN = exerciser('exercisers/hostile-xen.asm');
const PC = exerciser('exercisers/hostile-pc.asm');

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});

/** Registers and virtual processor of the victims, as text. */
const state = (): string =>
  JSON.stringify(
    [PENGUIN, PANES].map((id) => [
      arena.session.host.registers(id),
      {
        ...arena.hypervisor.domains.get(id)!.vcpus[0],
        domain: null,
        regs: [...arena.hypervisor.domains.get(id)!.vcpus[0].regs],
      },
    ]),
  );

/** What the hostile guest says it tried. */
function told(text: string): { attempts: number; mapped: number; breaches: number; first: number } {
  const found = /hostile: (\d+) attempts, (\d+) own pages mapped, (\d+) breaches, first (\d+)/.exec(text);
  expect(found, text).not.toBeNull();
  const [attempts, mapped, breaches, first] = found!.slice(1).map(Number);
  return { attempts, mapped, breaches, first };
}

describe('beside two victims that stand still, no byte outside the domain changes', () => {
  it.each([
    ['paravirtualization', XEN, () => arena.session.domains[HOSTILE].text, 90_000, 2030],
    ['vt-x', PC, () => arena.session.domains[HOSTILE].debugText, 20_000, 1900],
  ] as const)('%s', (technique, source, text, attempts, mapped) => {
    const domain = arena.invade(source, technique, '0');
    arena.victims('paused');
    const before = new Snapshot(arena.hypervisor);
    const registers = state();
    expect(arena.untilEnded(3_000_000_000)).toBe(true);
    expect(domain.state, domain.ending).toBe('halted');
    const result = told(text());
    expect(result.attempts).toBeGreaterThan(attempts);
    expect(result.mapped, 'its own pages it could map').toBeGreaterThan(mapped);
    expect(result, 'nothing was possible that must not be').toMatchObject({ breaches: 0, first: 0 });
    expect(before.damage(domain)).toEqual([]);
    expect(state()).toBe(registers);
    arena.victims('running');
    expect(arena.victimsWork()).toBe(true);
  });
});

describe('an attempt that a domain cannot survive ends the domain, and nothing else', () => {
  it.each([
    ['1', /cannot be entered: CS:EIP e009:/],
    ['2', /cannot be entered: CS:EIP e009:/],
    ['3', /cannot be entered: CS:EIP e009:/],
    ['4', /stack cannot take the frame/],
    ['5', /exception 6 at [0-9a-f]{8}h: its ring-1 stack cannot take the frame/],
    ['6', /stack cannot take the frame \(ESP fc403f00h\)/],
    ['7', /stack cannot take the frame \(ESP c03ff008h\)/],
    ['8', /exception 14 at 00000010h/],
  ])('paravirtualization, ending %s', (digit, reason) => {
    const domain = arena.invade(XEN, 'paravirtualization', `${digit}!`);
    arena.victims('paused');
    const before = new Snapshot(arena.hypervisor);
    expect(arena.untilEnded(400_000_000)).toBe(true);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(reason);
    expect(before.damage(domain)).toEqual([]);
    arena.victims('running');
  });

  it.each([
    ['1', 'crashed', /stack lies at [0-9a-f]+h, where it has no memory/],
    ['2', 'crashed', /hardware task switch/],
    ['3', 'crashed', /triple fault at [0-9A-F]{8}h: #UD → #GP.* → #DF → #GP.* → shutdown/],
    ['4', 'crashed', /real mode/],
    ['5', 'running', /waits for ever/],
    ['7', 'crashed', /triple fault at [0-9A-F]{8}h: #PF/],
    ['8', 'running', /^$/],
    ['9', 'crashed', /triple fault/],
  ])('vt-x, ending %s', (digit, end, reason) => {
    const domain = arena.invade(PC, 'vt-x', `${digit}!`);
    arena.victims('paused');
    const before = new Snapshot(arena.hypervisor);
    arena.untilEnded(20_000_000);
    expect(domain.state).toBe(end);
    expect(domain.ending).toMatch(reason);
    expect(before.damage(domain)).toEqual([]);
    arena.victims('running');
  });

  it('leaves victims that work', () => {
    expect(arena.victimsWork()).toBe(true);
  });
});

it('a domain’s frames are empty when the next one gets them', () => {
  arena.invade(PC, 'vt-x', '5!');
  arena.untilEnded(5_000_000);
  const { frames } = arena.hypervisor;
  const had = [...frames.owner.keys()].filter((frame) => frames.owner[frame] === HOSTILE);
  expect(had.length).toBeGreaterThan(2000);
  arena.session.stop(HOSTILE);
  const { bytes } = arena.hypervisor.pc.memory;
  for (const frame of had) {
    expect(frames.owner[frame]).toBe(-1);
    expect(bytes.subarray(frame * 4096, frame * 4096 + 4096).some((byte) => byte !== 0)).toBe(false);
  }
});

// A domain that tries everything changes no byte outside itself (issue "Two guests, side by side", §What must hold). The
// hostile guests are src/guests/exercisers/hostile-xen.asm and hostile-pc.asm; here it is looked at what they did.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Arena, exerciser, HOSTILE, PANES, PENGUIN } from './testing/arena.ts';
import { Snapshot } from './testing/snapshot.ts';

const XEN = exerciser('exercisers/hostile-xen.asm');
const PC = exerciser('exercisers/hostile-pc.asm');

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
}, 60_000);

// Whatever a test found, the next one has victims that run.
afterEach(() => arena.victims('running'));

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

/** Devices of the host that no guest may reach, and of the victim under VT-x. */
function devices(): unknown {
  const { board } = arena.hypervisor.pc;
  const nvram: number[] = [];
  for (let n = 0x0e; n < 0x80; n++) {
    board.write(0x70, n, 1);
    nvram.push(board.read(0x71, 1));
  }
  return {
    state: board.state,
    interruptMasks: [board.read(0x21, 1), board.read(0xa1, 1)],
    a20: arena.hypervisor.cpu.a20Mask,
    said: [board.takeSerial(), board.takeDebug()],
    screen: board.screen().mode,
    nvram,
    panes: {
      state: arena.session.view(PANES)!.board!.state,
      screen: arena.session.view(PANES)!.board!.screen(),
      said: [arena.session.domains[PANES].text, arena.session.domains[PANES].debugText],
    },
    penguin: arena.session.domains[PENGUIN].text,
  };
}

/** Where the processor finds the hypervisor again: what a guest must never get into its registers for good. */
const silicon = (): unknown => {
  const { cpu } = arena.hypervisor;
  return [
    cpu.gdtr.base,
    cpu.gdtr.limit,
    cpu.idtr.base,
    cpu.idtr.limit,
    cpu.segments[7].base,
    cpu.monitorBase,
    cpu.monitorSize,
  ];
};

/**
 * The hostile guest of each technique, where it speaks, how much of it has to succeed, and what it takes for a breach:
 * under trap-and-emulate CPUID, which is unprivileged and so does not trap, shows VMX to it (number 5).
 */
const serial = () => arena.session.domains[HOSTILE].text;
const debug = () => arena.session.domains[HOSTILE].debugText;
const INVADERS = [
  ['paravirtualization', XEN, serial, 90_000, 2030, { breaches: 0, first: 0 }],
  ['vt-x', PC, debug, 20_000, 1900, { breaches: 0, first: 0 }],
  ['svm', PC, debug, 20_000, 1900, { breaches: 0, first: 0 }],
  ['trap-and-emulate', PC, debug, 20_000, 1900, { breaches: 1, first: 5 }],
  ['binary-translation', PC, debug, 20_000, 1900, { breaches: 0, first: 0 }],
] as const;

describe('beside two victims that stand still, no byte outside the domain changes', () => {
  it.each(INVADERS)('%s', (technique, source, text, attempts, mapped, breaches) => {
    const domain = arena.invade(source, technique, '0');
    arena.victims('paused');
    const before = new Snapshot(arena.hypervisor);
    const [registers, outside, tables] = [state(), devices(), silicon()];
    expect(arena.untilEnded(3_000_000_000)).toBe(true);
    expect(domain.state, domain.ending).toBe('halted');
    const result = told(text());
    expect(result.attempts).toBeGreaterThan(attempts);
    expect(result.mapped, 'its own pages it could map').toBeGreaterThan(mapped);
    expect(result, 'nothing was possible that must not be').toMatchObject(breaches);
    expect(before.damage(domain)).toEqual([]);
    expect(state()).toBe(registers);
    expect(devices()).toEqual(outside);
    arena.victims('paused');
    expect(silicon()).toEqual(tables);
    arena.victims('running');
    expect(arena.victimsWork()).toBe(true);
  });
});

describe('beside two victims that work, these do not notice', () => {
  it.each(INVADERS)('%s', (technique, source) => {
    const domain = arena.invade(source, technique, '0');
    const { instructions } = domain.vcpus[0];
    expect(arena.victimsWork()).toBe(true);
    expect(domain.vcpus[0].instructions).toBeGreaterThan(instructions);
  });
});

it('on the bare machine there is nobody to hurt: a guest there has the machine to itself', () => {
  const refused = arena.session.boot(HOSTILE, { source: PC, technique: 'native' });
  expect(refused).toMatchObject({ ok: false, message: expect.stringMatching(/only one can run there/) });
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
    ['vt-x', '1', 'crashed', /stack lies at [0-9a-f]+h, where it has no memory/],
    ['vt-x', '2', 'crashed', /triple fault at 00000000h: #TS/],
    ['vt-x', '3', 'crashed', /triple fault at [0-9A-F]{8}h: #UD → #GP.* → #DF → #GP.* → shutdown/],
    ['vt-x', '4', 'running', /^$/],
    ['vt-x', '5', 'running', /waits for ever/],
    ['vt-x', '7', 'crashed', /triple fault at [0-9A-F]{8}h: #PF/],
    ['vt-x', '8', 'running', /^$/],
    ['vt-x', '9', 'crashed', /triple fault/],
    ['svm', '1', 'crashed', /triple fault/],
    ['svm', '2', 'crashed', /triple fault at 00000000h: #TS/],
    ['svm', '3', 'crashed', /triple fault at [0-9A-F]{8}h: #UD → #GP.* → #DF → #GP.* → shutdown/],
    ['svm', '4', 'running', /^$/],
    ['svm', '5', 'running', /waits for ever/],
    ['svm', '7', 'crashed', /triple fault at [0-9A-F]{8}h: #PF/],
    ['svm', '8', 'running', /^$/],
    ['svm', '9', 'crashed', /triple fault/],
    ['trap-and-emulate', '1', 'crashed', /triple fault at [0-9A-F]{8}h: #PF|where the monitor hides/],
    ['trap-and-emulate', '2', 'crashed', /hardware task switch/],
    [
      'trap-and-emulate',
      '3',
      'crashed',
      /triple fault at [0-9A-F]{8}h: #UD → #GP.* → #DF → #GP.* → shutdown/,
    ],
    ['trap-and-emulate', '4', 'crashed', /real mode/],
    ['trap-and-emulate', '5', 'running', /waits for ever/],
    ['trap-and-emulate', '7', 'crashed', /triple fault at [0-9A-F]{8}h: #PF/],
    ['trap-and-emulate', '8', 'crashed', /lies where the monitor hides/],
    ['trap-and-emulate', '9', 'crashed', /virtual-8086/],
    // It walks through its empty memory, which takes a translator its time.
    ['binary-translation', '1', 'running', /^$/],
    ['binary-translation', '2', 'crashed', /triple fault at 00000000h: #TS/],
    [
      'binary-translation',
      '3',
      'crashed',
      /triple fault at [0-9A-F]{8}h: #UD → #GP.* → #DF → #GP.* → shutdown/,
    ],
    ['binary-translation', '4', 'running', /^$/],
    ['binary-translation', '5', 'running', /waits for ever/],
    ['binary-translation', '7', 'crashed', /triple fault at [0-9A-F]{8}h: #PF/],
    ['binary-translation', '8', 'running', /^$/],
    // Rubbish in virtual-8086 mode, word by word.
    ['binary-translation', '9', 'running', /^$/],
  ] as const)('%s, ending %s', (technique, digit, end, reason) => {
    const domain = arena.invade(PC, technique, `${digit}!`);
    arena.victims('paused');
    const before = new Snapshot(arena.hypervisor);
    arena.untilEnded(20_000_000);
    expect(domain.state).toBe(end);
    expect(domain.ending).toMatch(reason);
    expect(domain.ending).not.toMatch(/mistake of the hypervisor/);
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

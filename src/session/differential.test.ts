// One guest, every technique, the same result: what a guest prints, shows and leaves in its memory does not depend on what
// holds it, but for time, and but for the holes of trap-and-emulate, which are listed here. The bare machine is the yardstick.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { diskImages } from '../guests/testing/disks.ts';
import { bootableCd } from '../images/fixtures.ts';
import {
  assembled,
  BARE,
  booted,
  COMMANDS,
  converse,
  each,
  guests,
  HARDWARE,
  image,
  library,
  memory,
  once,
  outcome,
  source,
  timeless,
  toTheEnd,
  WAYS,
  type Way,
} from './testing/differential.ts';

describe('Penguin, unmodified', () => {
  const penguin = library.find('penguin-native')!;
  const conversation = (way: Way) => {
    const session = toTheEnd(converse(booted(way, penguin), COMMANDS), 10);
    const { serial, state, reason } = outcome(session);
    return { serial: timeless(serial), state, reason };
  };
  const bare = once(() => conversation(BARE));

  it('says much on the bare machine, and switches it off', () => {
    expect(bare().serial).toContain('one two');
    expect(bare().state).toBe('halted');
  });

  it.each(each(WAYS))('says the same under %s', (_, way) => {
    expect(conversation(way)).toEqual(bare());
  });
});

describe('what a kernel is told by the instructions of Robin & Irvine', () => {
  const holes = [...guests.keys()].filter((path) => /^exercisers\/holes\/.*\.asm$/.test(path));
  /** Where trap-and-emulate differs from the bare machine, and is known to: see trap-and-emulate/holes.test.ts for how. */
  const KNOWN = new Set(
    'call iret jmp lar lsl mov pop popf push pushf ret sgdt sidt sldt smsw str verr verw'.split(' '),
  );
  const told = (way: Way, path: string) => {
    const { debug, state, reason } = outcome(toTheEnd(booted(way, source(path)), 10));
    return { debug, state, reason };
  };
  const bare = once(() => new Map(holes.map((path) => [path, told(BARE, path)])));

  it.each(each(WAYS))('is the same under %s, but for the holes of ring 1', (_, way) => {
    const different = holes.filter((path) => {
      const here = told(way, path);
      const there = bare().get(path)!;
      return here.debug !== there.debug || here.state !== there.state;
    });
    const names = different.map((path) => path.replace(/.*\/(.*)\.asm/, '$1'));
    expect(names).toEqual(way.technique === 'trap-and-emulate' ? [...KNOWN].sort() : []);
  });
});

describe('a kernel that changes its own code: ahead, over page boundaries, through an alias, by another frame', () => {
  const told = (way: Way) => {
    const { debug, state, reason } = outcome(
      toTheEnd(booted(way, source('exercisers/self-modifying.asm')), 10),
    );
    return { debug, state, reason };
  };
  const bare = once(() => told(BARE));

  it('runs what it wrote last, on the bare machine', () => {
    // What the program says, worked out without a machine: MOV EAX, imm32 whose first byte ends one page, whose last lies in the next.
    const immediate = Buffer.from([0x44, 0x33, 0x22, 0x11]);
    let [changed, aliased] = [0, 0];
    for (let n = 30; n > 0; n--) {
      for (const at of [0, 3]) {
        immediate[at] = n;
        changed += immediate.readUInt32LE();
      }
    }
    immediate.writeUInt32LE(0xaabbccdd);
    for (let n = 30; n > 0; n--) {
      immediate[0] = n;
      aliased += immediate.readUInt32LE();
    }
    const hex = (value: number) => (value >>> 0).toString(16).toUpperCase().padStart(8, '0');
    expect(bare().debug.split('\n').slice(0, 5)).toEqual([
      `ahead: ${hex((40 * 41) / 2)}`,
      'over the boundary: 11223344',
      `changed from either page: ${hex(changed)}`,
      'changed in both: AABBCCDD',
      `through an alias: ${hex(aliased)}`,
    ]);
    expect(bare().debug).toMatch(/by a string instruction: 00000010\n.*\n.*\n$/);
  });

  it.each(each(WAYS))('does the same under %s', (_, way) => {
    expect(told(way)).toEqual(bare());
  });
});

const TRANSLATED: Way = { technique: 'binary-translation', paging: 'shadow', processor: 'prescott' };
/**
 * Programs run directly, on the processor's own tables and flags, and the instructions that tell of those trap for nobody (Robin &
 * Irvine 2000; Bugnion et al. 2012, §4.3): TR and LDTR, GDTR and IDTR (limit, and half the base), CR0 and EFLAGS (IF) of the monitor.
 */
const TOLD_IN_RING_3: Readonly<Record<string, string>> = {
  'str in ring 3': '0000E038',
  'sldt in ring 3': '0000E040',
  'sgdt in ring 3': 'B340FFFF',
  'sidt in ring 3': '200007FF',
  'smsw in ring 3': '00000031',
  'popf in ring 3': '00240ED7',
};
const REFUSED = '-55505455 -55555555 -55505455 00000000 ';
/**
 * LAR, LSL, VERR and VERW of a program: selector, rights, limit, rights of 16 bits, what may be read and written. The table that it
 * asks has nothing but segments, none of ring 0, cut off below the monitor; those that grow down to its top are not there at all.
 */
function asked(row: string): string {
  const [selector, rights, limit, narrow, allowed] = row.split(' ');
  if (rights.startsWith('-')) return row;
  const word = Number.parseInt(rights, 16);
  if (!(word & 0x1000) || (word & 0x1c00) === 0x1400) return `${selector} ${REFUSED}`;
  const ring1 = word & 0x6000 ? 0 : 0x2000;
  const raised = (text: string) =>
    (Number.parseInt(text, 16) | ring1).toString(16).toUpperCase().padStart(8, '0');
  const reach = limit === 'FFFFFFFF' ? 'FBFFFFFF' : limit;
  return `${selector} ${raised(rights)} ${reach} ${raised(narrow)} ${allowed} `;
}
/** What the program says, line by line, where its rings are 1 and 3: the same, but for what ring 3 sees by itself. */
function withProgramsRunDirectly(lines: readonly string[]): string[] {
  // Of the three times that it asks about all selectors, the last is in ring 3.
  const first = lines.lastIndexOf(`00000003 ${REFUSED}`);
  const isAsked = (n: number) =>
    first >= 0 && n >= first && /^0000[0-9A-F]{4}( [-0-9A-F]{8,9}){4} $/.test(lines[n]);
  return lines.map((line, n) => {
    if (isAsked(n)) return asked(line);
    const [name] = line.split(': ');
    const told = TOLD_IN_RING_3[name];
    return told ? `${name}: ok ${told} ` : line;
  });
}

describe('every system instruction and every kind of transfer', () => {
  const program = once(() => image(assembled('machine/cpu/fixtures/system/', 'main.asm')));
  const bareMemory = once(() => memory(toTheEnd(booted(BARE, program())), 0x100000, 0x100000));
  const expected = readFileSync(
    fileURLToPath(new URL('../machine/cpu/fixtures/system/expected.txt', import.meta.url)),
    'latin1',
  );

  it.each(each([BARE, ...HARDWARE]))('print what QEMU printed: %s', (_, way) => {
    const session = toTheEnd(booted(way, program()));
    expect(session.domains[0].debugText).toBe(expected);
  });

  it('print the same under a translator, but for what ring 3 sees by itself', () => {
    const lines = expected.split('\n');
    const inRing3 = withProgramsRunDirectly(lines);
    const { debug } = outcome(toTheEnd(booted(TRANSLATED, program())));
    expect(debug.split('\n')).toEqual(inRing3);
    expect(inRing3.filter((line, n) => line !== lines[n]).length, 'the list is not for everything').toBe(23);
  });

  it.each(each(HARDWARE))('leave the same in memory under %s', (_, way) => {
    const bare = bareMemory();
    const here = memory(toTheEnd(booted(way, program())), 0x100000, 0x100000);
    const differing: string[] = [];
    for (let at = 0; at < here.length; at += 4) {
      const [now, then] = [here.readUInt32LE(at), bare.readUInt32LE(at)];
      if (now !== then)
        differing.push(`${(0x100000 + at).toString(16)}: ${then.toString(16)} ${now.toString(16)}`);
    }
    expect(differing).toEqual([]);
  });
});

describe('tables of three levels', () => {
  const program = source('exercisers/pae.asm');
  /** PDPTEs as CR3 found them. With nested paging AMD's processors read them in every walk, and refuse none. */
  const kept = (line: string) => line.startsWith('kept: ');
  const READ_IN_EVERY_WALK = [
    'kept: after a write and INVLPG: exception 0e error 0000 at 40000000 ',
    'kept: CR3: done',
    'kept: after a load of CR3: exception 0e error 0000 at 40000000 ',
    'kept: R/W and U/S are reserved: CR3: done',
    'kept: bit 63 is reserved: CR3: done',
    'kept: as it was: exception 0e error 0009 at 40000000 ',
  ];
  const said = (way: Way) => {
    const { serial, state } = outcome(toTheEnd(booted(way, program)));
    const lines = serial.split('\n');
    return { state, lines: lines.filter((line) => !kept(line)), kept: lines.filter(kept) };
  };
  const bare = once(() => said(BARE));

  it('come to an end on the bare machine', () => {
    expect(bare().lines.slice(-2)).toEqual(['end', '']);
    expect(bare().kept).toHaveLength(6);
  });
  it.each(each(HARDWARE))('do the same under %s', (_, way) => {
    const here = said(way);
    expect(here.lines).toEqual(bare().lines);
    const amd = way.technique === 'svm' && way.paging === 'nested';
    expect(here.kept).toEqual(amd ? READ_IN_EVERY_WALK : bare().kept);
    expect(here.state).toBe(bare().state);
  });
});

describe('drives', () => {
  const { disk, floppy } = diskImages();
  const cd = bootableCd({ code: floppy.slice(0, 4096) });
  const program = source('exercisers/disks.asm');
  const asked = (way: Way) => outcome(toTheEnd(booted(way, program, { disk, cd, floppy }))).serial;
  const bare = once(() => asked(BARE));

  it('answer on the bare machine', () => expect(bare()).toMatch(/end\n$/));
  it.each(each(WAYS))('answer the same under %s', (_, way) => {
    expect(asked(way)).toBe(bare());
  });
});

describe('firmware and what it boots', () => {
  const hardDisk = diskImages().disk.slice();
  hardDisk.fill(0, 0x1be, 0x200);
  const run = (way: Way, program: string) => {
    const session = toTheEnd(
      booted(way, image(assembled('guests/exercisers/bios/', `${program}.asm`)), { hardDisk }),
      60,
    );
    return outcome(session);
  };

  describe.each(['system', 'disk', 'video', 'vbe'])('%s services', (program) => {
    const bare = once(() => run(BARE, program));
    it('answer on the bare machine', () => expect(bare().serial.length).toBeGreaterThan(500));
    it.each(each(HARDWARE))('answer the same under %s', (_, way) => {
      expect(run(way, program)).toEqual(bare());
    });
    it('answer the same under a translator, which interprets 16-bit code', () => {
      expect(run(TRANSLATED, program)).toEqual(bare());
    });
  });
});

describe('Panes', () => {
  const panes = library.find('panes')!;
  /** The picture when the desktop stands still, without the clock's corner. */
  const picture = (way: Way) => {
    const session = booted(way, panes);
    session.run(session.now + 2 * session.host.pc.cost.clockHz);
    const screen = session.view(0)!.board!.screen();
    if (screen.mode === 'text') throw new Error('no picture');
    return { width: screen.width, height: screen.height, pixels: screen.pixels };
  };
  const yardstick = once(() => picture(BARE));

  it.each(each(WAYS))('shows the same desktop under %s', (_, way) => {
    const here = picture(way);
    const bare = yardstick();
    expect([here.width, here.height]).toEqual([bare.width, bare.height]);
    let different = 0;
    for (let at = 0; at < bare.pixels.length; at++) if (here.pixels[at] !== bare.pixels[at]) different++;
    // Windows that show the time, or draw as fast as they can, are not where they were.
    expect(different / bare.pixels.length).toBeLessThan(0.25);
  });
});

// The run loop: who gets the processor and for how long, what an exit costs whom, how time passes when nobody runs, and
// that whatever goes wrong in the work for one guest ends that guest and nothing else.
import { describe, expect, it } from 'vitest';
import { Kind, Switch } from '../trace/events.ts';
import { formatEvent } from '../trace/format.ts';
import { OutOfMemory } from './frames.ts';
import { build, PvHost } from './paravirtualization/testing.ts';

const SPIN = build('again: jmp again');
const YIELD = build('again: mov ebx, SCHEDOP_yield\nask sched_op\njmp again');
const BLOCK = build('again: mov ebx, SCHEDOP_block\nask sched_op\njmp again');
const OFF = build('put "o"\noff');
const HZ = new PvHost().pc.cost.clockHz;

const trace = (host: PvHost): string[] => {
  const lines: string[] = [];
  for (let seq = host.recorder.oldest; seq < host.recorder.next; seq++)
    lines.push(formatEvent(host.recorder.get(seq)!));
  return lines;
};

describe('sharing the processor', () => {
  it('guests that only compute change places every 5 ms', () => {
    const host = new PvHost();
    const a = host.boot(SPIN, 1);
    const b = host.boot(SPIN, 2);
    host.run(HZ / 10);
    const switches = host.events('schedule').slice(1);
    expect(switches.map((e) => e.b)).toEqual(switches.map((_, n) => (n % 2 ? 1 : 2)));
    expect(new Set(switches.map((e) => e.c))).toEqual(new Set([Switch.sliceEnd]));
    for (let n = 1; n < switches.length; n++)
      expect((switches[n].time - switches[n - 1].time) / HZ).toBeCloseTo(0.005, 3);
    const share = a.vcpus[0].instructions / (a.vcpus[0].instructions + b.vcpus[0].instructions);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  it('a guest alone stays; its slice begins anew without a world switch', () => {
    const host = new PvHost();
    host.boot(SPIN, 1);
    host.run(HZ / 10);
    expect(host.events('schedule')).toHaveLength(1);
    expect(host.events('exit').length, 'the timer takes the processor all the same').toBeGreaterThan(10);
  });

  it('who yields gives the rest of its slice away', () => {
    const host = new PvHost();
    const polite = host.boot(YIELD, 1);
    const greedy = host.boot(SPIN, 2);
    host.run(HZ / 10);
    expect(host.events('hypercall', 1).length).toBeLessThan(25);
    expect(greedy.vcpus[0].instructions).toBeGreaterThan(1000 * polite.vcpus[0].instructions);
  });

  it('who blocks costs nothing, and is not asked again before its event', () => {
    const host = new PvHost();
    const sleeper = host.boot(BLOCK, 1);
    host.boot(SPIN, 2);
    host.run(HZ / 10);
    expect(host.events('hypercall', 1)).toHaveLength(1);
    expect(sleeper.vcpus[0].state).toBe('blocked');
  });

  it('a paused domain stands still, and goes on where it stood', () => {
    const host = new PvHost();
    const domain = host.boot(SPIN, 1);
    host.run(HZ / 100);
    host.loop.leaveGuest();
    domain.state = 'paused';
    const { instructions } = domain.vcpus[0];
    host.loop.run(host.hypervisor.now + HZ / 10);
    expect(domain.vcpus[0].instructions).toBe(instructions);
    domain.state = 'running';
    host.run(HZ / 100);
    expect(domain.vcpus[0].instructions).toBeGreaterThan(instructions);
  });
});

describe('floating-point registers', () => {
  /** Keeps a number in ST0, lets others run, and looks whether it is still there. */
  const keeper = (number: number) =>
    build(`
        fninit
        fild dword [number]
        mov ecx, 50
again:  push ecx
        mov ebx, SCHEDOP_yield
        ask sched_op
        fist dword [found]
        mov eax, [found]
        cmp eax, [number]
        jne wrong
        pop ecx
        loop again
        off
        align 4
number: dd ${number}
found:  dd 0
wrong:`);

  it('belong to each guest, though there is one unit', () => {
    const host = new PvHost();
    const domains = [11, -22, 33].map((number, n) => host.boot(keeper(number), n + 1, { memoryMiB: 3 }));
    host.run();
    expect(domains.map((domain) => domain.ending)).toEqual(new Array(3).fill('the guest shut down'));
    expect(host.events('schedule').length).toBeGreaterThan(100);
  });

  it('of a guest that is gone are not there for the next one', () => {
    const host = new PvHost();
    host.boot(build('fninit\nfldpi\nagain: jmp again'), 1);
    host.run(HZ / 100);
    host.loop.leaveGuest();
    const { x87 } = host.pc.cpu;
    expect(x87.occupied, 'ST0 is in use').not.toBe(0);
    host.hypervisor.destroyDomain(1);
    host.boot(SPIN, 2);
    host.run(HZ / 100);
    expect(x87.occupied).toBe(0);
    expect([...x87.lo, ...x87.hi, ...x87.se, ...x87.xmm].every((word) => word === 0)).toBe(true);
  });
});

describe('time', () => {
  it('passes when nobody runs, to the end of the budget and not further', () => {
    const host = new PvHost();
    expect(host.loop.run(123_456)).toBe('idle');
    expect(host.hypervisor.now).toBe(123_456);
    host.boot(BLOCK, 1);
    expect(host.loop.run(5_000_000)).toBe('idle');
    expect(host.hypervisor.now).toBe(5_000_000);
    expect(host.pc.idleCycles).toBeGreaterThan(4_900_000);
  });

  it('ends a run within an instruction of its budget while a guest computes', () => {
    const host = new PvHost();
    host.boot(SPIN, 1);
    for (let n = 1; n < 200; n++) {
      const until = host.hypervisor.now + 777;
      expect(host.loop.run(until)).toBe('budget');
      expect(host.hypervisor.now - until).toBeLessThan(5_000);
    }
  });

  it('is charged to an exit from the guest’s last instruction to its next one', () => {
    const host = new PvHost();
    host.boot(build('mov ebx, XENVER_version\nask xen_version\noff'), 1);
    host.run();
    const exit = host.events('exit', 1).find((e) => e.a === 0x82)!;
    const entry = host.events('entry', 1).find((e) => e.seq > exit.seq)!;
    expect(entry.cost).toBe(entry.time - exit.time);
    const { exitDispatch, hypercallDispatch } = host.pc.cost.charges;
    expect(entry.cost).toBeGreaterThan(exitDispatch.cycles + hypercallDispatch.cycles);
  });

  it('that a guest sleeps is not the cost of its exit', () => {
    const host = new PvHost();
    host.boot(
      build(`
        mov ebx, 100000000                      ; wake at 0.1 s
        xor ecx, ecx
        ask set_timer_op
        mov ebx, SCHEDOP_block
        ask sched_op
        off`),
      1,
    );
    host.loop.run(HZ / 20);
    const blocked = host.recorder.next;
    host.loop.run(HZ / 5);
    for (const entry of host.events('entry', 1))
      if (entry.seq >= blocked) expect(entry.cost).toBeLessThan(HZ / 100);
  });
});

describe('stopping and going on', () => {
  /** Two guests with exits of all kinds. */
  const scene = () => {
    const host = new PvHost();
    host.boot(YIELD, 1);
    host.boot(build('mov ecx, 400\nmore: push ecx\nput "x"\npop ecx\nloop more\noff'), 2);
    return host;
  };

  it('between any two phases changes nothing of what happens', () => {
    const whole = scene();
    whole.loop.run(3_000_000);
    const pieces = scene();
    let stops = 0;
    while (pieces.hypervisor.now < 3_000_000)
      if (pieces.loop.run(3_000_000, () => stops++ % 2 === 1) === 'budget') break;
    expect(stops).toBeGreaterThan(1000);
    expect(trace(pieces)).toEqual(trace(whole));
  });

  it('stepInstruction runs one instruction of a guest, with everything that comes before it', () => {
    const host = scene();
    for (let n = 0; n < 300; n++) {
      const before = host.pc.cpu.instructions;
      host.loop.stepInstruction();
      expect(host.pc.cpu.instructions - before).toBeLessThanOrEqual(1);
    }
    expect(host.pc.cpu.instructions).toBeGreaterThan(250);
    expect(host.events('hypercall').length).toBeGreaterThan(3);
  });

  it('stepInstruction says when nobody will ever run', () => {
    expect(new PvHost().loop.stepInstruction()).toBe('idle');
    const host = new PvHost();
    const domain = host.boot(OFF, 1);
    for (let n = 0; n < 200 && domain.alive; n++) host.loop.stepInstruction();
    expect(domain.state).toBe('halted');
    expect(host.loop.stepInstruction()).toBe('idle');
  });

  it('leaveGuest gets the processor back from a guest that never calls', () => {
    const host = new PvHost();
    host.boot(SPIN, 1);
    host.loop.run(1_000_000);
    expect(host.loop.inGuest).toBe(true);
    host.loop.leaveGuest();
    expect(host.loop.inGuest).toBe(false);
    expect(host.pc.cpu.cpl).toBe(0);
  });
});

describe('what goes wrong for one guest', () => {
  /** Two guests; the work for the first fails from some moment on. */
  const failing = (method: 'enter' | 'leave' | 'handle', error: Error) => {
    const host = new PvHost();
    const victim = host.boot(SPIN, 1);
    const other = host.boot(SPIN, 2);
    host.run(HZ / 50);
    const { technique } = host;
    const work = technique[method].bind(technique) as (...of: unknown[]) => never;
    Object.assign(technique, {
      [method]: (...of: [(typeof victim.vcpus)[0]]) => {
        if (of[0].domain === victim) throw error;
        return work(...of);
      },
    });
    return { host, victim, other };
  };

  it.each(['enter', 'leave', 'handle'] as const)(
    'a mistake of ours in %s ends that guest, and the ending says whose it was',
    (method) => {
      const { host, victim, other } = failing(method, new TypeError('p2m is undefined'));
      expect(() => host.run(HZ / 10)).not.toThrow();
      expect(victim.state).toBe('crashed');
      expect(victim.ending).toBe('a mistake of the hypervisor, not of the guest: p2m is undefined');
      expect(other.state).toBe('running');
      expect(host.recorder.get(host.recorder.next - 1)!.domain).not.toBe(1);
      const { instructions } = other.vcpus[0];
      host.run(HZ / 50);
      expect(other.vcpus[0].instructions).toBeGreaterThan(instructions);
      host.hypervisor.destroyDomain(1);
      expect(host.hypervisor.frames.owner.includes(1)).toBe(false);
    },
  );

  it('that the host has no frame left ends the guest that needs one', () => {
    const { host, victim, other } = failing('handle', new OutOfMemory('no free page frame on this host'));
    host.run(HZ / 10);
    expect(victim.ending).toBe('the host has no memory left for what the hypervisor keeps about this guest');
    expect(other.state).toBe('running');
  });

  it('a processor that stops because the monitor’s own tables are broken ends guest by guest, not in an exception', () => {
    const host = new PvHost();
    const domains = [host.boot(SPIN, 1), host.boot(SPIN, 2)];
    host.run(HZ / 50);
    // All gates away: the next interrupt is a triple fault of the host.
    host.pc.memory.clear(host.hypervisor.monitor.idt, 4096);
    expect(() => host.run(HZ / 10)).not.toThrow();
    for (const domain of domains) {
      expect(domain.state).toBe('crashed');
      expect(domain.ending).toMatch(
        /mistake of the hypervisor.*the processor shut down outside the hypervisor/,
      );
    }
    expect(host.loop.run(host.hypervisor.now + 1000)).toBe('idle');
  });

  it('an image that cannot be built leaves nothing behind', () => {
    const host = new PvHost();
    const { free } = host.hypervisor.frames;
    expect(() => host.boot(OFF, 1, { memoryMiB: 64 })).toThrow(OutOfMemory);
    expect(host.hypervisor.frames.free).toBe(free);
    expect(host.hypervisor.domains.size).toBe(0);
    expect(host.loop.run(1000)).toBe('idle');
  });
});

describe('ending', () => {
  it('is written once, counted, and the guest is never entered again', () => {
    const host = new PvHost();
    const domain = host.boot(OFF, 1);
    host.run();
    expect(host.hypervisor.endings).toBe(1);
    expect([domain.state, domain.ending]).toEqual(['halted', 'the guest shut down']);
    host.hypervisor.endDomain(domain, 'crashed', 'later');
    expect([domain.state, domain.ending, host.hypervisor.endings]).toEqual([
      'halted',
      'the guest shut down',
      1,
    ]);
    const { next } = host.recorder;
    host.loop.run(host.hypervisor.now + HZ / 10);
    for (let seq = next; seq < host.recorder.next; seq++)
      expect(host.recorder.get(seq)!.kind).not.toBe(Kind.entry);
  });

  it('a domain that is destroyed while it has the processor leaves no trace in it', () => {
    const host = new PvHost();
    host.boot(SPIN, 1);
    host.loop.run(1_000_000);
    host.loop.leaveGuest();
    host.hypervisor.destroyDomain(1);
    expect(host.hypervisor.current).toBeNull();
    expect(host.pc.cpu.cr3).toBe(host.hypervisor.monitor.pageDirectory | 0);
    const domain = host.boot(OFF, 2);
    host.run();
    expect(domain.state).toBe('halted');
  });
});

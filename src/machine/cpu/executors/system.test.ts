// System instructions one by one: what is refused, what is stored, what a hypervisor's silicon is asked and when, and what
// the watcher of a deprivileged kernel hears. Gates, rings and tasks are in ../system-program.test.ts.
import { describe, expect, it } from 'vitest';
import { Kind } from '../../../trace/events.ts';
import { Stop } from '../cpu.ts';
import { step } from '../execute.ts';
import type { Intercepts } from '../intercepts.ts';
import { hasNasm, nasm, TestMachine } from '../test-machine.ts';

const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESP = 4;
const IF = 0x200;

/** Runs a few instructions in a flat ring; what faults arrives at a HLT for its vector. Returns the vector, or -1. */
class Trial extends TestMachine {
  readonly seen: string[] = [];

  constructor(source: string, ring = 0) {
    super();
    this.flat(nasm(`bits 32\norg 0x1000\n${source}`));
    this.table(0xa000, [0, 0xcf9b, 0xcf93, 0xcfbb, 0xcfb3, 0xcffb, 0xcff3, 0x8b]);
    this.cpu.gdtr.base = 0xa000;
    this.cpu.gdtr.limit = 0x3f;
    this.cpu.idtr.base = 0xb000;
    this.cpu.idtr.limit = 0x7ff;
    for (let vector = 0; vector < 256; vector++) {
      this.memory.write32(0xb000 + vector * 8, (8 << 16) | (0xc000 + vector * 16));
      this.memory.write32(0xb004 + vector * 8, 0x8e00);
    }
    this.memory.bytes.fill(0xf4, 0xc000, 0xd000);
    this.memory.write32(0x9004, 0x8800);
    this.memory.write16(0x9008, 0x10);
    this.memory.write16(0x9066, 0x68); // no I/O bitmap
    const tr = this.cpu.segments[7];
    tr.base = 0x9000;
    tr.limit = 0x67;
    tr.access = 0x8b;
    this.cpu.cpl = ring;
    const selector = [8, 0x19, 0, 0x2b][ring];
    this.cpu.segments.slice(0, 6).forEach((s, n) => {
      s.selector = n === 1 ? selector : selector + 8;
      s.access = (n === 1 ? 0xc09b : 0xc093) | (ring << 5);
    });
  }

  private table(at: number, highs: readonly number[]): void {
    highs.forEach((high, n) => {
      this.memory.write32(at + n * 8, high ? 0xffff : 0);
      this.memory.write32(at + n * 8 + 4, high << 8);
    });
  }

  /** Executes the program up to its HLT or its first exception. @returns [vector, error code], or [] when none came */
  go(count = 1): number[] {
    for (let n = 0; n < count; n++) {
      step(this.cpu);
      if (this.cpu.eip >= 0xc000 && this.cpu.eip < 0xd000) {
        const vector = (this.cpu.eip - 0xc000) >> 4;
        return [8, 10, 11, 12, 13, 14, 17].includes(vector)
          ? [vector, this.memory.read32(this.cpu.regs[ESP])]
          : [vector];
      }
    }
    return [];
  }
}

/** Silicon that exits for what `wants` names, and notes every question. */
function silicon(t: Trial, wants: (question: string) => boolean, overrides: Partial<Intercepts> = {}): void {
  const ask = (question: string): boolean => {
    t.seen.push(question);
    return wants(question);
  };
  t.cpu.intercepts = {
    instruction: (which) => ask(which),
    crWrite: (cr) => ask(`cr${cr} write`),
    crRead: (cr) => ask(`cr${cr} read`),
    clts: () => ask('clts'),
    lmsw: () => ask('lmsw'),
    readCr: (cr) => (cr === 0 ? t.cpu.cr0 : t.cpu.cr4),
    maskCr: (_, value) => value,
    drAccess: () => ask('dr'),
    io: (port, size) => ask(`io ${port}/${size}`),
    msr: () => ask('msr'),
    exception: (vector) => ask(`exception ${vector}`),
    externalInterrupt: () => ask('interrupt'),
    nmi: () => ask('nmi'),
    window: () => false,
    taskSwitch: () => ask('task'),
    tripleFault: () => ask('triple'),
    tscOffset: () => 0,
    vectoring: () => {},
    ...overrides,
  };
}

describe.skipIf(!hasNasm())('control registers', () => {
  it('CR0 refuses paging without protection, and NW without CD', () => {
    for (const value of ['0x80000010', '0x20000011']) {
      expect(new Trial(`mov eax, ${value}\nmov cr0, eax`).go(2)).toEqual([13, 0]);
    }
  });

  it('CR4 refuses every bit that CPUID does not announce', () => {
    const refused = [];
    for (let bit = 0; bit < 32; bit++) {
      if (new Trial(`mov eax, 1 << ${bit}\nmov cr4, eax`).go(2).length) refused.push(bit);
    }
    const accepted = [2, 3, 4, 5, 7, 8, 9, 10, 13]; // TSD DE PSE PAE PGE PCE OSFXSR OSXMMEXCPT VMXE
    expect(refused).toEqual(Array.from({ length: 32 }, (_, n) => n).filter((n) => !accepted.includes(n)));
  });

  it('ET stays 1, other bits that do not exist stay 0', () => {
    const t = new Trial('mov eax, 0x1ffaffef\nmov cr0, eax\nmov ebx, cr0');
    expect(t.go(3)).toEqual([]);
    expect(t.cpu.regs[EBX] >>> 0).toBe(0x0000003f);
  });

  it('MOV CR3 is in the trace', () => {
    const t = new Trial('mov eax, 0x5000\nmov cr3, eax');
    t.go(2);
    const event = t.recorder.get(0)!;
    expect([event.kind, event.eip, event.a, event.b]).toEqual([Kind.addressSpace, 0x1005, 0x5000, 0]);
  });

  it('a touch of a debug register under general detection is #DB with BD, before it happens', () => {
    const t = new Trial('mov eax, 0x2000\nmov dr7, eax\nmov ebx, dr0');
    expect(t.go(3)).toEqual([1]);
    expect(t.cpu.dr[6] & 0x2000).toBe(0x2000);
    expect(t.memory.read32(t.cpu.regs[ESP])).toBe(0x1008);
    expect(t.cpu.dr[7] & 0x2000).toBe(0);
  });
});

describe.skipIf(!hasNasm())('model-specific registers', () => {
  it('an absent one is #GP, a read-only one cannot be written', () => {
    expect(new Trial('mov ecx, 0x12345\nrdmsr').go(2)).toEqual([13, 0]);
    expect(new Trial('mov ecx, 0x480\nrdmsr').go(2)).toEqual([]);
    expect(new Trial('mov ecx, 0x480\nwrmsr').go(2)).toEqual([13, 0]);
    expect(new Trial('mov ecx, 0x3a\nwrmsr').go(2)).toEqual([13, 0]);
  });

  it('the time-stamp counter counts cycles, from wherever it was set to', () => {
    const t = new Trial('mov ecx, 0x10\nmov edx, 5\nxor eax, eax\nwrmsr\nrdtsc');
    t.go(5);
    expect([t.cpu.regs[EDX], t.cpu.regs[EAX]]).toEqual([5, 1]);
  });

  it('RDTSC is refused outside ring 0 only under CR4.TSD', () => {
    expect(new Trial('rdtsc', 3).go()).toEqual([]);
    const t = new Trial('rdtsc', 3);
    t.cpu.cr4 = 4;
    expect(t.go()).toEqual([13, 0]);
  });
});

describe.skipIf(!hasNasm())('CPUID', () => {
  it('names its vendor and announces nothing that is not there', () => {
    const t = new Trial('cpuid');
    t.go();
    const words = new Uint8Array(new Int32Array([t.cpu.regs[EBX], t.cpu.regs[EDX], t.cpu.regs[ECX]]).buffer);
    expect(String.fromCharCode(...words)).toBe('RingsideIA32');
    const features = new Trial('mov eax, 1\ncpuid');
    features.go(2);
    // There is a floating-point unit: its instructions work, or are #NM where EM or TS ask for that.
    expect(features.cpu.regs[EDX] & 1).toBe(1);
    expect(new Trial('fninit').go()).toEqual([]);
    const emulated = new Trial('fninit');
    emulated.cpu.cr0 |= 4;
    expect(emulated.go()).toEqual([7]);
  });

  it('says VMX only where the silicon is', () => {
    const t = new Trial('mov eax, 1\ncpuid');
    t.cpu.msrs.delete(0x480);
    t.go(2);
    expect(t.cpu.regs[ECX] & 0x20).toBe(0);
  });
});

describe.skipIf(!hasNasm())('descriptor table registers', () => {
  it('LGDT and SGDT with 16-bit operand size have 24 bits of base', () => {
    const t = new Trial('o16 lgdt [table]\nsgdt [0x3000]\nhlt\ntable: dw 0x3f\ndd 0x1200a000');
    t.go(2);
    expect([t.cpu.gdtr.base, t.cpu.gdtr.limit]).toEqual([0xa000, 0x3f]);
    expect(t.memory.read32(0x3002)).toBe(0xa000);
  });

  it('LTR refuses null and marks the task busy', () => {
    expect(new Trial('xor eax, eax\nltr ax').go(2)).toEqual([13, 0]);
    const t = new Trial('mov ax, 0x38\nltr ax');
    t.memory.write32(0xa03c, 0x8900);
    expect(t.go(2)).toEqual([]);
    expect([t.memory.read32(0xa03c), t.cpu.segments[7].access & 0xff]).toEqual([0x8b00, 0x8b]);
  });

  it('selectors mean nothing in real mode: #UD', () => {
    for (const code of [
      'sldt ax',
      'str ax',
      'lldt ax',
      'ltr ax',
      'lar ax, ax',
      'lsl ax, ax',
      'verr ax',
      'verw ax',
      'arpl ax, ax',
    ]) {
      const m = new TestMachine().real(nasm(`bits 16\n${code}`));
      m.memory.write16(6 * 4, 0x600);
      step(m.cpu);
      expect([code, m.cpu.eip]).toEqual([code, 0x600]);
    }
  });
});

describe.skipIf(!hasNasm())('interception (SDM vol. 3 §25.1.1)', () => {
  it('privilege comes before the exit', () => {
    for (const code of [
      'hlt',
      'mov eax, cr3',
      'mov cr0, eax',
      'clts',
      'lmsw ax',
      'invlpg [eax]',
      'rdmsr',
      'wrmsr',
      'invd',
      'mov eax, dr0',
    ]) {
      const t = new Trial(code, 3);
      silicon(t, (question) => !question.startsWith('exception'));
      expect(t.go()).toEqual([13, 0]);
      expect(t.seen).toEqual(['exception 13']);
    }
  });

  it('the exit comes before other faults', () => {
    const cases: [string, string][] = [
      ['mov eax, 0x80000000\nmov cr0, eax', 'cr0 write'],
      ['mov eax, -1\nmov cr4, eax', 'cr4 write'],
      ['mov ecx, 0x99999\nrdmsr', 'msr'],
    ];
    for (const [code, question] of cases) {
      const t = new Trial(code);
      silicon(t, () => true);
      expect(t.go(2)).toEqual([]);
      expect(t.seen).toEqual([question]);
    }
  });

  it('I/O permission comes before the exit', () => {
    const t = new Trial('in al, 0x60', 3);
    silicon(t, (question) => question.startsWith('io'));
    expect(t.go()).toEqual([13, 0]);
    const allowed = new Trial('in ax, 0x60');
    silicon(allowed, () => true);
    allowed.go();
    expect(allowed.seen).toEqual(['io 96/2']);
  });

  it('an exception asks before it is delivered; CR2 changes only when it is', () => {
    const t = new Trial('mov eax, [0x5000]');
    t.cpu.cr3 = 0x20000;
    t.memory.write32(0x20000, 0x21003);
    for (let page = 0; page < 256; page++)
      if (page !== 5) t.memory.write32(0x21000 + page * 4, (page << 12) | 3);
    t.cpu.cr0 |= 0x80000000;
    t.cpu.tlb.flush();
    let address = 0;
    silicon(t, () => true, {
      exception: (_vector, _errorCode, cr2) => {
        address = cr2;
        return true;
      },
    });
    t.go();
    expect([address, t.cpu.cr2, t.cpu.eip]).toEqual([0x5000, 0, 0x1000]);
    t.cpu.intercepts = null;
    expect(t.go()).toEqual([14, 0]);
    expect(t.cpu.cr2).toBe(0x5000);
  });

  it('an interrupt at the pin is offered whatever IF is', () => {
    const t = new Trial('nop');
    silicon(t, () => true);
    t.pin.vector = 0x20;
    step(t.cpu);
    expect([t.seen, t.cpu.eip]).toEqual([['interrupt'], 0x1000]);
  });

  it('a triple fault is offered before the processor shuts down', () => {
    const t = new Trial('ud2');
    t.cpu.idtr.limit = 0;
    silicon(t, (question) => question === 'triple');
    expect(step(t.cpu)).toBe(Stop.none);
    // Each fault that delivery meets is offered by itself before it is combined (SDM vol. 3 §25.2); asking twice is harmless.
    const offered = t.seen.filter((question, n) => question !== t.seen[n - 1]);
    expect(offered).toEqual(['exception 6', 'exception 13', 'exception 8', 'exception 13', 'triple']);
  });
});

describe.skipIf(!hasNasm())('the watcher of ring 1', () => {
  /** What the watcher hears: mnemonic, got, expected. */
  function heard(code: string, count: number, prepare?: (t: Trial) => void): [string, number, number][] {
    const t = new Trial(code, 1);
    const calls: [string, number, number][] = [];
    t.cpu.watcher = (i, got, expected) => calls.push([i.form.mnemonic, got, expected]);
    prepare?.(t);
    expect(t.go(count)).toEqual([]);
    return calls;
  }

  it('hears of every POPF: the flags that came of it, and those that ring 0 would have', () => {
    const calls = heard('push dword 0x202\npopfd\npush dword 0x42\npopfd', 4);
    expect(calls).toEqual([
      ['popfd', 0x2, 0x202],
      ['popfd', 0x42, 0x42],
    ]);
  });

  it('hears of an IRET that could not', () => {
    const calls = heard('push dword 0x202\npush dword 0x19\npush dword there\niretd\nthere: nop', 4);
    expect(calls).toEqual([['iretd', 0x2, 0x202]]);
  });

  it('hears of instructions that show the real machine', () => {
    const calls = heard('pushfd\nsgdt [0x3000]\nsidt [0x3000]\nsldt ax\nstr ax\nsmsw ax', 6, (t) => {
      t.cpu.flags |= IF;
    });
    expect(calls.map(([name]) => name)).toEqual(['pushfd', 'sgdt', 'sidt', 'sldt', 'str', 'smsw']);
    expect(calls[1]).toEqual(['sgdt', 0xa000, 0xa000]);
  });

  it('hears of every question about a segment: what it was told, and what ring 0 would have seen', () => {
    expect(heard('mov bx, 8\nlar eax, ebx', 2)).toEqual([['lar', 0, 0xcf9b00]]);
    expect(heard('mov bx, 8\nverr bx', 2)).toEqual([['verr', 0, 1]]);
    expect(heard('mov bx, 0x19\nlar eax, ebx', 2)).toEqual([['lar', 0xcfbb00, 0xcfbb00]]);
  });

  it('hears of every selector that carries the CPL', () => {
    const code = 'push cs\nmov eax, ss\ncall 0x19:there\nthere: push ds\nmov ecx, es';
    expect(heard(code, 5)).toEqual([
      ['push', 0x19, 0x19],
      ['mov', 0x21, 0x21],
      ['call', 0x19, 0x19],
    ]);
  });

  it('hears nothing from ring 3', () => {
    const t = new Trial('pushfd\nsgdt [0x3000]\npush dword 0x202\npopfd', 3);
    let calls = 0;
    t.cpu.watcher = () => calls++;
    t.go(4);
    expect(calls).toBe(0);
  });
});

describe.skipIf(!hasNasm())('alignment checks', () => {
  const code =
    'push dword 0x40002\npopfd\nmov eax, [0x3000]\nmov al, [0x3001]\nmov ax, [0x3002]\nmov eax, [0x3002]';
  const trial = (ring: number, am: boolean) => {
    const t = new Trial(code, ring);
    if (am) t.cpu.cr0 |= 1 << 18;
    return [t.go(6), t.memory.read32(t.cpu.regs[ESP] + 4)];
  };

  it('are made in ring 3, when CR0.AM and EFLAGS.AC are set', () => {
    expect(trial(3, true)).toEqual([[17, 0], 0x1000 + nasm(`bits 32\n${code}`).length - 5]);
  });

  it('are made nowhere else', () => {
    expect(trial(3, false)[0]).toEqual([]);
    expect(trial(0, true)[0]).toEqual([]);
  });
});

describe.skipIf(!hasNasm())('string input and output', () => {
  it('REP INSB stops at a page that cannot be written, before the device is asked', () => {
    const t = new Trial('mov edi, 0x4ffe\nmov ecx, 4\nmov edx, 0x60\nrep insb');
    t.cpu.cr3 = 0x20000;
    t.memory.write32(0x20000, 0x21003);
    for (let page = 0; page < 256; page++)
      if (page !== 5) t.memory.write32(0x21000 + page * 4, (page << 12) | 3);
    t.cpu.cr0 |= 0x80000000;
    t.cpu.tlb.flush();
    let reads = 0;
    t.cpu.ports = { read: () => 0x40 + reads++, write: () => {} };
    expect(t.go(20)).toEqual([14, 2]);
    expect([reads, t.cpu.regs[ECX], t.cpu.regs[7], t.memory.read16(0x4ffe)]).toEqual([2, 2, 0x5000, 0x4140]);
  });

  it('REP OUTSB lets an interrupt in between two elements', () => {
    const t = new Trial('sti\nmov esi, 0x1000\nmov ecx, 3\nmov edx, 0xe9\nrep outsb');
    t.go(5);
    t.pin.vector = 0x20;
    expect(t.go()).toEqual([0x20]);
    expect([t.bus.on(0xe9).length, t.cpu.regs[ECX]]).toEqual([1, 2]);
    expect(t.memory.read32(t.cpu.regs[ESP])).toBe(0x1010);
  });
});

// Drives of a virtual PC: the program that asks them hears under a hypervisor what it heard on QEMU, whatever the technique;
// and DMA reaches the domain's own memory only.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { assembledDisks, diskDrives, diskImages, expectedText } from '../../guests/testing/disks.ts';
import { parseImage } from '../../images/load.ts';
import { type Drive, Medium } from '../../machine/devices/storage/medium.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { BinaryTranslation } from '../binary-translation/binary-translation.ts';
import type { Domain } from '../domain.ts';
import { FrameTable, GuestMemory } from '../frames.ts';
import { HardwareAssisted } from '../hardware-assisted/hardware-assisted.ts';
import { kernel, PAGING } from '../hardware-assisted/testing.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import type { Technique } from '../technique.ts';
import { TrapAndEmulate } from '../trap-and-emulate/trap-and-emulate.ts';
import { GuestBus } from './guest-bus.ts';

const START = { startDate: '2005-12-05T10:00:00' };

function boot(
  technique: (hypervisor: Hypervisor) => Technique,
  image = assembledDisks().bytes,
  drives: Drive[] = diskDrives(diskImages()),
): { domain: Domain; text: string; debug: string } {
  const pc = new Pc(costModel('prescott'), new Recorder(1 << 10), 32 << 20, START);
  const hypervisor = new Hypervisor(pc);
  const loop = new RunLoop(hypervisor);
  const domain = hypervisor.createDomain({
    id: 1,
    name: 'disks',
    technique: technique(hypervisor),
    memoryBytes: 16 << 20,
    image: parseImage(image, 'disks'),
    options: { commandLine: '', modules: [] },
    drives,
  });
  let text = '';
  for (let turns = 0; turns < 4000 && domain.alive; turns++) {
    loop.run(pc.cpu.cycles + 10_000_000);
    text += String.fromCharCode(...domain.board!.takeSerial());
  }
  return { domain, text, debug: String.fromCharCode(...domain.board!.takeDebug()) };
}

const TECHNIQUES = [
  ['vt-x', (hypervisor: Hypervisor) => new HardwareAssisted(hypervisor)],
  ['trap-and-emulate', (hypervisor: Hypervisor) => new TrapAndEmulate(hypervisor)],
  ['binary-translation', (hypervisor: Hypervisor) => new BinaryTranslation(hypervisor)],
] as const;

/** Looks at 2 MiB, has the disk write other entries into its page table, and looks again after a load of CR3. */
const TABLE_BY_DMA = kernel(
  `
${PAGING}
        mov byte [0x200000], "a"
        mov byte [0x300000], "b"
        put [0x200000]
        mov dx, 0xcf8
        mov eax, 0x80000904
        out dx, eax
        mov dx, 0xcfc
        mov ax, 5
        out dx, ax
        mov dword [idt], table + 2048           ; a region of the bus master: the entries of 2 MiB and up
        mov dword [idt + 4], 0x80000200
        mov dx, 0xc004
        mov eax, idt
        out dx, eax
        mov dx, 0x1f2
        mov al, 1
        out dx, al
        inc dx
        xor al, al
        out dx, al
        inc dx
        out dx, al
        inc dx
        out dx, al
        inc dx
        mov al, 0xe0
        out dx, al
        inc dx
        mov al, 0xc8
        out dx, al
        mov dx, 0xc000
        mov al, 9
        out dx, al
        mov dx, 0xc002
wait:   in al, dx
        test al, 4
        jz wait
        mov eax, cr3
        mov cr3, eax
        put [0x200000]
        off
`.replaceAll('wait', 'wait_for_disk'),
);

describe('drives of a virtual PC', () => {
  it.each(TECHNIQUES)(
    'answer as QEMU’s under %s',
    (_, technique) => {
      const { domain, text } = boot(technique);
      expect(text).toBe(expectedText());
      expect(domain.state, domain.ending).toBe('halted');
    },
    60_000,
  );

  it.each(TECHNIQUES)('write page tables too, and the shadow of %s follows', (_, technique) => {
    const program = assemble(new Map([['table.asm', TABLE_BY_DMA]]), 'table.asm');
    expect(program.diagnostics).toEqual([]);
    // 128 entries: from 3 MiB on, present and writable.
    const sector = new Uint8Array(Uint32Array.from({ length: 128 }, (_, n) => 0x300003 + n * 4096).buffer);
    const { domain, debug } = boot(technique, program.bytes, [
      { kind: 'hard-disk', medium: new Medium(sector) },
    ]);
    expect(debug).toBe('ab');
    expect(domain.state, domain.ending).toBe('halted');
  });
});

describe('DMA of a virtual PC', () => {
  const frames = new FrameTable(new Pc(costModel('prescott'), new Recorder(16), 4 << 20, START).memory);
  const memory = new GuestMemory(frames, 1, 4 * 4096);
  // Frames in reverse: neighbours for the guest, not in the machine. The last has no memory.
  const machine = [frames.allocate(1), frames.allocate(1), frames.allocate(1)];
  machine.forEach((frame, n) => {
    memory.p2m[2 - n] = frame;
  });
  const bus = new GuestBus(memory);
  const data = Uint8Array.from({ length: 8192 }, (_, n) => n * 7);

  it('follows the map from guest-physical to machine frames', () => {
    const written: number[] = [];
    memory.onDeviceWrite = (frame) => written.push(frame);
    expect(bus.store(0x800, data, 0, 8192)).toBe(true);
    expect(written).toEqual([0, 1, 2]);
    const back = new Uint8Array(8192);
    expect(bus.fetch(0x800, back, 0, 8192)).toBe(true);
    expect(back).toEqual(data);
    expect(frames.memory.read8(machine[1] * 4096)).toBe(data[0x800]);
  });

  it('ends where the domain’s memory ends', () => {
    const before = frames.memory.bytes.slice();
    expect(bus.store(0x3000, data, 0, 8192)).toBe(false);
    expect(bus.store(0xfffff000, data, 0, 4096)).toBe(false);
    expect(Buffer.compare(frames.memory.bytes, before)).toBe(0);
    const back = new Uint8Array(16);
    expect(bus.fetch(0x2ff8, back, 0, 16)).toBe(false);
    expect([...back.subarray(8)]).toEqual(Array(8).fill(0xff));
  });

  it('crosses the end of memory without touching what lies behind', () => {
    const before = frames.memory.bytes.slice();
    expect(bus.store(0x2ff0, data, 0, 32)).toBe(false);
    before.set(frames.memory.bytes.subarray(machine[0] * 4096, machine[0] * 4096 + 4096), machine[0] * 4096);
    expect(Buffer.compare(frames.memory.bytes, before)).toBe(0);
  });
});

// What people see of a paravirtualized guest is what lies in memory: read once through the inspector, once by hand.
import { describe, expect, it } from 'vitest';
import { paravirtualizationInspector } from './inspection.ts';
import { runKernel } from './testing.ts';

const BODY = `
        handle 14, there
        mov ebx, FLAT_RING1_CS
        mov ecx, there
        mov edx, FLAT_RING1_CS
        mov esi, there
        ask set_callbacks
        mov dword [page], 0
again:  jmp again
there:  crash
        align 4096, db 0
page:   times 4096 db 0`;

describe.each([false, true])('looking into a guest, PAE %s', (pae) => {
  const look = () => {
    const found = runKernel(BODY, { pae, cycles: 400_000, commandLine: 'look' });
    const inspector = paravirtualizationInspector(found.host.technique);
    const vcpu = found.domain.vcpus[0];
    const before = found.host.pc.memory.bytes.slice();
    const shared = inspector.sharedStructures!(vcpu);
    const walked = inspector.walk!(vcpu, found.kept.current.frame.eip >>> 0)!;
    expect(Buffer.compare(before, found.host.pc.memory.bytes), 'nothing was changed').toBe(0);
    return { ...found, shared, walked, inspector, vcpu };
  };

  it('every word that is shown lies where it says, with that value', () => {
    const { shared, host } = look();
    expect(shared.map((s) => s.name)).toEqual([
      'shared_info',
      'start_info',
      'console ring',
      'xenstore ring',
      'trap table (kept by Xen)',
    ]);
    for (const { machine, fields } of shared)
      for (const { offset, size, value } of fields) {
        if (machine < 0) continue;
        const bytes = Array.from({ length: size }, (_, n) => host.pc.memory.read8(machine + offset + n));
        expect(bytes.reduceRight((sum, byte) => sum * 256 + byte, 0)).toBe(value);
      }
  });

  it('words have their meaning: the interface, the upcalls, the handlers', () => {
    const { shared, kept } = look();
    const field = (structure: string, name: string) =>
      shared.find((s) => s.name === structure)!.fields.find((f) => f.name === name)!;
    expect(field('start_info', 'magic').meaning).toBe(pae ? 'xen-3.0-x86_32p' : 'xen-3.0-x86_32');
    expect(field('start_info', 'nr_pages').meaning).toBe('4 MiB');
    expect(field('shared_info', 'evtchn_upcall_mask').meaning).toBe('no upcalls');
    const table = 'trap table (kept by Xen)';
    expect(field(table, 'vector Eh').value).toBe(kept.current.traps[14]!.address >>> 0);
    expect(field(table, 'event callback').meaning).toBe('at E019h');
  });

  it('an address goes through the guest’s tables, which are the processor’s, to machine and pseudo-physical memory', () => {
    const { walked, host, domain, inspector, vcpu, kept } = look();
    expect(walked.guest.map((step) => step.level)).toEqual(pae ? [3, 2, 1] : [2, 1]);
    expect(walked.real).toEqual([]);
    expect(walked.machine).toBe(host.technique.translate(vcpu, kept.current.frame.eip));
    expect(domain.memory.toMachine(walked.physical)).toBe(walked.machine);
    const nowhere = inspector.walk!(vcpu, 0x12345678)!;
    expect([nowhere.machine, nowhere.physical]).toEqual([-1, -1]);
    // Xen's own pages are no pages of the guest's.
    const xen = inspector.walk!(vcpu, 0xfc400000)!;
    expect([xen.machine >= 0, xen.physical]).toEqual([true, -1]);
  });
});

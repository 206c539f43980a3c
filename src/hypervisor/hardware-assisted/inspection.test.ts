// Looking into a guest: every field of its VMCS by name, as the silicon has it; and a walk that ends where the guest's own
// accesses end, through shadow tables or EPT.
import { expect, it } from 'vitest';
import { FIELDS } from '../../machine/cpu/vmx/fields.ts';
import { vtxInspector } from './inspection.ts';
import { build, needsNasm, PAGING, TestHost, WAYS } from './testing.ts';

needsNasm('looking into a guest of VT-x', () => {
  it.each(WAYS)('$processor, $paging', ({ processor, paging }) => {
    const host = new TestHost(32, {}, processor);
    const domain = host.boot(build(`${PAGING}\nmov dword [0x200000], 0x1234\nput 'x'`), 1, 4, { paging });
    host.run(3_000_000);
    host.loop.leaveGuest();
    const [vcpu] = domain.vcpus;
    const inspector = vtxInspector(host.technique);

    const vmcs = inspector.controlStructure!(vcpu)!;
    const generation = processor === 'nehalem' ? 2 : 1;
    const names = FIELDS.filter((f) => f.generation <= generation && !f.name.endsWith('_HIGH'));
    expect(vmcs.fields.map(({ name }) => name)).toEqual(names.map(({ name }) => name));
    const field = (name: string) => vmcs.fields.find((f) => f.name === name)!;
    // Behind the HLT that it left with.
    expect((field('GUEST_RIP').low >>> 0) - vcpu.eip).toBe(1);
    expect(field('GUEST_CR0').meaning).toContain('PE');
    expect(field('VM_EXIT_REASON').meaning).toBeTruthy();

    const walk = inspector.walk!(vcpu, 0x200000)!;
    expect(walk.guest.map(({ level }) => level)).toEqual([2, 1]);
    expect(walk.real.map(({ tables }) => tables)).toEqual(
      paging === 'nested' ? Array(4).fill('nested') : Array(2).fill('shadow'),
    );
    expect(walk.physical).toBe(0x200000);
    expect(walk.machine).toBe(domain.memory.toMachine(0x200000));
    expect(host.pc.memory.read32(walk.machine)).toBe(0x1234);
    expect(inspector.walk!(vcpu, 0x80000000)).toMatchObject({ physical: -1, machine: -1 });
  });
});

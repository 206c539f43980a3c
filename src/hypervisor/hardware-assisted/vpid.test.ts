// VPIDs and EPT at work (SDM vol. 3 §28.3): what the processor remembers of a guest is never more than the guest, or the
// hypervisor, allows; and it is remembered.
import { expect, it } from 'vitest';
import { LATER_FIELD } from '../../machine/cpu/vmx/fields.ts';
import { seesNothingStale } from '../testing/stale-translations.ts';
import { build, needsNasm, PAGING, TestHost, WAYS } from './testing.ts';

for (const { processor, paging } of WAYS)
  needsNasm(`a guest on ${processor} with ${paging} paging sees nothing stale after`, () => {
    seesNothingStale({
      host: () => new TestHost(32, {}, processor),
      paging,
      devices: paging === 'nested',
      tablesOf: (host, domain) => (host as TestHost).technique.guestOf(domain.vcpus[0])!.shadow,
    });
  });

needsNasm('VPIDs', () => {
  it('are there where the processor has them, one for each guest', () => {
    const ids = (processor: 'merom' | 'nehalem') => {
      const host = new TestHost(32, {}, processor);
      const domains = [0, 1, 2].map((id) => host.boot(build('jmp hang'), id));
      host.run(3_000_000);
      return domains.map((domain) =>
        host.technique.guestOf(domain.vcpus[0])!.look(LATER_FIELD.VIRTUAL_PROCESSOR_ID),
      );
    };
    expect(ids('merom')).toEqual([0, 0, 0]);
    expect(ids('nehalem')).toEqual([1, 2, 3]);
  });

  it('save the walks behind each exit', () => {
    // Ten pages are read again after each exit.
    const body = `${PAGING}
        mov ebx, 50
round:  mov esi, 0x200000
        mov ecx, 10
touch:  mov eax, [esi]
        add esi, 0x1000
        dec ecx
        jnz touch
        out 0xe9, al
        dec ebx
        jnz round
        off`;
    for (const paging of ['shadow', 'nested'] as const) {
      const cost = (tagged: boolean) => {
        const host = new TestHost(32, {}, 'nehalem');
        const domain = host.boot(build(body), 1, 4, { paging });
        const { tlb } = host.pc.cpu;
        if (!tagged) host.hypervisor.onExit = () => tlb.flush();
        host.run(20_000_000);
        expect(domain.state).toBe('halted');
        return host.events('exit').at(-1)!.time;
      };
      const references = paging === 'nested' ? 14 : 2;
      const walk = new TestHost(32, {}, 'nehalem').pc.cost.charges.pageWalkReference.cycles;
      expect(cost(false) - cost(true)).toBeGreaterThan(45 * 10 * references * walk);
    }
  });
});

// Unmodified guests under first-generation VT-x: boot, control registers, and two of them on one host. The kernels are
// assembled by nasm; what they should see is what the bare machine would show them.
import { expect, it } from 'vitest';
import { nasm } from '../../machine/cpu/test-machine.ts';
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F } from '../../machine/cpu/vmx/fields.ts';
import { vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { Emulated } from '../../trace/events.ts';
import { build, kernel, needsNasm, PAGING, runKernel, said, TestHost } from './testing.ts';

needsNasm('boot', () => {
  it('starts as multiboot says, and ends when the guest switches its machine off', () => {
    const { domain, text, exits } = runKernel(`
        mov ecx, eax
        mov eax, cr0
        test eax, 0x80000000            ; paging looks off, though the processor has it on
        jnz hang
        put 'o'
        put 'k'
        off`);
    expect(text).toBe('ok');
    expect(domain.state).toBe('halted');
    expect(domain.ending).toBe('the guest switched the machine off');
    expect(exits.get(EXIT.ioInstruction)).toBe(3);
  });

  it('refuses nested paging on a processor without it, and real mode without firmware, in one line', () => {
    const host = new TestHost();
    expect(() => host.boot(build('off'), 1, 4, { paging: 'nested' })).toThrow(/EPT.*--cpu nehalem/);
    const sector = new Uint8Array(512);
    sector.set([0xeb, 0xfe]);
    sector.set([0x55, 0xaa], 510);
    expect(() => host.boot(sector)).toThrow(/firmware/);
    expect(host.hypervisor.frames.owner.includes(1), 'nothing is left behind').toBe(false);
  });

  it('gives every frame back when the domain is destroyed', () => {
    const host = new TestHost();
    const first = host.boot(build(`${PAGING}\noff`));
    host.run();
    expect(first.state).toBe('halted');
    host.hypervisor.destroyDomain(1);
    const free = host.hypervisor.frames.free;
    for (let n = 0; n < 3; n++) {
      host.boot(build(`${PAGING}\noff`));
      host.run();
      host.hypervisor.destroyDomain(1);
      expect(host.hypervisor.frames.free).toBe(free);
    }
  });
});

needsNasm('control registers', () => {
  it('the guest reads back what it wrote, and the processor holds something else', () => {
    const { host, domain, text } = runKernel(`
${PAGING}
        mov ebx, cr0
        and ebx, 0x80010011
        cmp ebx, 0x80010011
        jne hang
        mov ebx, cr3
        cmp ebx, directory
        jne hang
        mov eax, 0x90
        mov cr4, eax
        mov ebx, cr4
        cmp ebx, eax
        jne hang
        put 'y'
        mov eax, cr0
        or eax, 8                       ; TS is the guest's own: no exit
        mov cr0, eax
        clts
        off`);
    expect(text).toBe('y');
    const writes = host.events('emulate').filter((e) => e.b >= 0 && e.a === Emulated.crWrite);
    expect(writes.map((e) => e.b)).toEqual([3, 0, 4]);
    const registers = host.technique.registers(domain.vcpus[0]);
    expect(registers.CR3).toBe(host.events('emulate').find((e) => e.b === 3)!.c);
    expect(registers.CR4).toBe(0x90);
  });

  it('MCE, which CPUID does not announce, is #GP; so is paging without protection', () => {
    const { text } = runKernel(`
        gate 13, protection
        mov eax, 0x40
        mov cr4, eax
        put 'b'
        mov eax, cr0
        or eax, 0x80000000
        and eax, ~1
        mov cr0, eax
        put 'd'
        off
protection:
        put '#'
        add dword [esp + 4], 3          ; MOV CR is three bytes long
        add esp, 4
        iret`);
    expect(text).toBe('#b#d');
  });
});

needsNasm('two guests on one host', () => {
  const worker = (letter: string) =>
    kernel(`
${PAGING}
        mov ecx, 20
work:   push ecx
        mov ecx, 60000
        xor ebx, ebx
inner:  inc ebx
        dec ecx
        jnz inner
        mov [0x200000], ebx
        put '${letter}'
        pop ecx
        dec ecx
        jnz work
        off`);

  it('share the processor in slices, each with its own memory and debug registers', () => {
    const host = new TestHost();
    const a = host.boot(nasm(worker('a')), 1);
    const b = host.boot(nasm(worker('b')), 2);
    host.run(100_000_000);
    expect([a.state, b.state]).toEqual(['halted', 'halted']);
    expect(said(a)).toBe('a'.repeat(20));
    expect(said(b)).toBe('b'.repeat(20));
    expect(host.recorder.count(11)).toBeGreaterThan(10);
  });

  it('a guest that writes to every address it can form changes nothing outside its domain', () => {
    const host = new TestHost();
    const quiet = host.boot(nasm(kernel('cli\nhlt\nhang: jmp hang')), 2);
    host.run(1_000_000);
    const outside = (): string => {
      const { frames } = host.hypervisor;
      let hash = 0x811c9dc5;
      for (const gfn of quiet.memory.p2m) {
        for (let at = gfn * 4096; at < gfn * 4096 + 4096; at += 4)
          hash = Math.imul(hash ^ host.pc.memory.read32(at), 0x01000193);
        expect(frames.owner[gfn]).toBe(2);
      }
      return hash.toString(16);
    };
    const before = outside();
    // Every page-directory entry points to every 4 MiB in turn, and one doubleword of each page is written.
    const wild = host.boot(
      nasm(
        kernel(`
        gate 14, skip
        mov eax, 0x10
        mov cr4, eax
        mov edi, directory
        mov eax, 0x83
fill:   mov [edi], eax
        add eax, 0x400000
        add edi, 4
        cmp edi, directory + 4096
        jb fill
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov edi, 0x400000
storm:  mov dword [edi], 0xdeadbeef
        add edi, 0x40000
        jnz storm
        put 's'
        off
skip:   add dword [esp + 4], 6
        add esp, 4
        iret
hang:   jmp hang`),
      ),
      1,
    );
    host.run(800_000_000);
    expect(said(wild)).toBe('s');
    expect(outside()).toBe(before);
    const { monitor } = host.hypervisor;
    expect(host.pc.memory.read32(monitor.idt + 4) >>> 16, 'the monitor’s IDT is whole').toBe(
      (monitor.monitorGate(0)[1] >>> 16) & 0xffff,
    );
  });
});

needsNasm('an entry that the processor refuses', () => {
  // What no guest can bring about: it takes a control structure that the hypervisor itself has filled in wrongly.
  it.each([
    [
      'a control',
      F.PIN_BASED_VM_EXEC_CONTROL,
      0,
      /could not enter the guest: VMRESUME failed with VM-instruction error 7 \(pin-based/,
    ],
    ['host state', F.HOST_CS_SELECTOR, 0, /VMRESUME failed with VM-instruction error 8 \(host CS is null\)/],
    ['guest state', F.GUEST_RFLAGS, 0, /the processor refused to enter the guest: .*RFLAGS/],
  ])(
    'because of %s ends that guest with the rule that was broken; the others go on',
    (_, field, value, reason) => {
      const host = new TestHost();
      const victim = host.boot(build('again: jmp again'), 1);
      host.run(1_000_000);
      host.loop.leaveGuest();
      vmwrite(host.pc.cpu, field, value);
      const other = host.boot(build("put 'o'\noff"), 2);
      host.run(20_000_000);
      expect(victim.state).toBe('crashed');
      expect(victim.ending).toMatch(reason);
      expect([other.state, said(other)]).toEqual(['halted', 'o']);
      host.hypervisor.destroyDomain(1);
      expect(host.hypervisor.frames.owner.includes(1)).toBe(false);
    },
  );
});

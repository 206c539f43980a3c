// Frames that guests grant each other, mapped, given away, and fought over (xen/include/public/grant_table.h; the status codes
// are those of xen/common/grant_table.c of Xen 3.0). Who grants is `a`, who maps is `b`; both ask by hypercall.
import { beforeEach, describe, expect, it } from 'vitest';
import { Vendor } from '../../trace/events.ts';
import { miscounts, violations } from '../paravirtualization/invariants.ts';
import type { PvDomain } from '../paravirtualization/pv-domain.ts';
import { GNTMAP, GNTST, GTF } from './abi.ts';
import { type FrontEnd, PAGES, XenHost } from './testing.ts';

const { hostMap, deviceMap, readonly, applicationMap, containsPte } = GNTMAP;
const PERMIT = GTF.permitAccess;
const IN_USE = PERMIT | GTF.reading | GTF.writing;
const page = (n: number) => PAGES + n * 4096;
const pvOf = (front: FrontEnd) => front.guest as unknown as PvDomain;

describe.each([false, true])('grants mapped by guests, PAE %s', (pae) => {
  let host: XenHost;
  let a: FrontEnd;
  let b: FrontEnd;

  const types = () => (host.technique as unknown as { types: Parameters<typeof miscounts>[1] }).types;
  const word = (front: FrontEnd, at: number) => front.guest.access.read32(front.guest, at) >>> 0;
  /** Machine address of the entry of a linear address. */
  const entry = (front: FrontEnd, at: number) => host.technique.access.entryOf(pvOf(front), at);
  const bits = (front: FrontEnd, at: number) => host.pc.memory.read32(entry(front, at)) & 0xfff;
  const owner = (frame: number) => host.hypervisor.frames.owner[frame];
  /** The domain writes an entry of its own by mmu_update. */
  const update = (front: FrontEnd, at: number, value: number) => {
    front.words(page(40), at, 0, value, 0);
    return front.call(1, page(40), 1, 0, 0x7ff0);
  };
  const extended = (front: FrontEnd, command: number, frame: number) => {
    front.words(page(40), command, frame, 0);
    return front.call(26, page(40), 1, 0, 0x7ff0);
  };
  const giveBack = (front: FrontEnd, frame: number) => {
    front.words(page(40), page(41), 1, 0, 0, 0x7ff0);
    front.words(page(41), frame);
    return front.call(12, 1, page(40));
  };
  /** Whatever a test did: nobody reaches what nobody granted, and the books are right. */
  const sound = (granted: readonly number[] = []) => {
    for (const front of [a, b]) {
      if (!host.hypervisor.domains.has(front.domain.id)) continue;
      expect(violations(host.hypervisor, pvOf(front), (frame) => granted.includes(frame))).toEqual([]);
      expect(miscounts(host.hypervisor, types(), pvOf(front))).toEqual([]);
    }
  };

  beforeEach(() => {
    host = new XenHost();
    a = host.boot(1, { pae });
    b = host.boot(2, { pae });
    a.page(1).setUint32(0, 0xcafe1234, true);
    a.grant(8, a.frame(1), { domid: b.domid });
    a.grant(9, a.frame(1), { domid: b.domid, readonly: true });
  });

  it('the frame appears at the address, and what is written there the owner reads; its entry says so meanwhile', () => {
    const before = b.frame(5);
    const { status, handle, bus } = b.map(page(5), hostMap, 8, a.domid);
    expect([status, bus]).toEqual([GNTST.okay, a.frame(1) * 4096]);
    expect(word(b, page(5))).toBe(0xcafe1234);
    b.guest.access.write32(b.guest, page(5) + 8, 77);
    expect(a.page(1).getUint32(8, true)).toBe(77);
    expect(a.flags(8)).toBe(IN_USE);
    expect(bits(b, page(5)), 'present, writable, accessed, dirty; not for ring 3').toBe(0x63);
    sound([a.frame(1)]);
    expect(owner(before), 'its own page from before is only not mapped any more').toBe(b.domain.id);

    expect(b.unmap(page(5), handle)).toBe(GNTST.okay);
    expect(a.flags(8)).toBe(PERMIT);
    expect(() => word(b, page(5))).toThrow(/not mapped/);
    sound();
  });

  it('read-only, for applications, and by the address of the entry', () => {
    const only = b.map(page(5), hostMap | readonly, 9, a.domid);
    expect([only.status, a.flags(9) & 0x1f]).toEqual([0, PERMIT | GTF.readonly | GTF.reading]);
    expect(bits(b, page(5)) & 7).toBe(1);
    expect(() => b.guest.access.write32(b.guest, page(5), 1)).toThrow(/not mapped/);
    const open = b.map(page(6), hostMap | applicationMap, 8, a.domid);
    expect([open.status, bits(b, page(6)) & 7]).toEqual([0, 7]);
    const at = entry(b, page(7));
    const direct = b.map(at, hostMap | containsPte, 8, a.domid);
    expect([direct.status, word(b, page(7))]).toEqual([0, 0xcafe1234]);
    sound([a.frame(1)]);
    expect(b.unmap(page(7), direct.handle), 'that is no entry of a page table').toBe(GNTST.generalError);
    expect(b.unmap(at, direct.handle)).toBe(0);
    expect(a.flags(8), 'the other one still uses it').toBe(IN_USE);
    expect(b.unmap(page(6), open.handle)).toBe(0);
    expect(a.flags(8)).toBe(PERMIT);
    expect(b.unmap(page(5), only.handle)).toBe(0);
    sound();
  });

  it('for devices: an address and a hold on the frame, each use ended by itself', () => {
    const { status, handle, bus } = b.map(page(5), hostMap | deviceMap, 8, a.domid);
    expect(status).toBe(0);
    expect(b.unmap(0, handle, bus + 4096), 'another frame').toBe(GNTST.generalError);
    expect(b.unmap(page(5), handle)).toBe(0);
    expect(a.flags(8)).toBe(IN_USE);
    expect(b.unmap(0, handle, bus)).toBe(0);
    expect(a.flags(8)).toBe(PERMIT);
    expect(b.unmap(0, handle, bus)).toBe(GNTST.badHandle);
    expect(b.map(0, deviceMap, 8, a.domid).status).toBe(0);
    sound();
  });

  it.each([
    ['neither for the processor nor for devices', () => [page(5), readonly, 8, a.domid], GNTST.badGntref],
    ['no such domain', () => [page(5), hostMap, 8, 99], GNTST.badDomain],
    ['domain 0', () => [page(5), hostMap, 8, 0], GNTST.badDomain],
    ['itself', () => [page(5), hostMap, 8, b.domid], GNTST.badDomain],
    ['DOMID_SELF', () => [page(5), hostMap, 8, 0x7ff0], GNTST.badDomain],
    ['a reference behind the table', () => [page(5), hostMap, 512, a.domid], GNTST.badGntref],
    ['a huge reference', () => [page(5), hostMap, -1, a.domid], GNTST.badGntref],
    ['nothing granted there', () => [page(5), hostMap, 7, a.domid], GNTST.generalError],
    ['to write what is granted for reading', () => [page(5), hostMap, 9, a.domid], GNTST.generalError],
    ['at no address of its own', () => [0x1000, hostMap, 8, a.domid], GNTST.generalError],
    ['in Xen’s area', () => [0xfc400000, hostMap, 8, a.domid], GNTST.generalError],
    ['a page of data as a table', () => [b.frame(5) * 4096, hostMap | containsPte, 8, a.domid], GNTST.generalError],
    ['an entry of a directory', () => [pvOf(b).current.baseFrame * 4096, hostMap | containsPte, 8, a.domid], GNTST.generalError],
    ['between two entries', () => [entry(b, page(5)) + 2, hostMap | containsPte, 8, a.domid], GNTST.generalError],
    ['an entry of another domain', () => [entry(a, page(5)), hostMap | containsPte, 8, a.domid], GNTST.generalError],
    ['an entry beyond memory', () => [0xfffff000, hostMap | containsPte, 8, a.domid], GNTST.generalError],
  ] as const)('refused: %s', (_, request, expected) => {
    const [address, flags, reference, domid] = request();
    const before = word(b, page(5));
    expect(b.map(address, flags, reference, domid).status).toBe(expected);
    expect([a.flags(8), a.flags(9), word(b, page(5))]).toEqual([PERMIT, PERMIT | GTF.readonly, before]);
    sound();
  }); // biome-ignore format: a table

  it('refused: what the granting domain must not give', () => {
    const table = entry(a, page(1)) >>> 12;
    a.grant(10, table, { domid: b.domid });
    expect(b.map(page(5), hostMap, 10, a.domid).status, 'its page table').toBe(GNTST.generalError);
    expect(b.map(page(5), hostMap | readonly, 10, a.domid).status).toBe(GNTST.generalError);
    a.grant(11, pvOf(a).current.baseFrame, { domid: b.domid });
    expect(b.map(page(5), hostMap, 11, a.domid).status).toBe(GNTST.generalError);
    for (const frame of [b.frame(1), 1, host.hypervisor.monitor.gdtPage / 4096, 0xfffff, 0xffffffff]) {
      a.grant(12, frame, { domid: b.domid });
      expect(b.map(page(5), hostMap, 12, a.domid).status, `frame ${frame}`).toBe(GNTST.badPage);
    }
    a.grant(13, a.frame(1), { domid: 7 });
    expect(b.map(page(5), hostMap, 13, a.domid).status, 'granted to another').toBe(GNTST.generalError);
    sound();
  });

  it('a handle ends once; no other address, no other handle, no foreign one', () => {
    const one = b.map(page(5), hostMap, 8, a.domid).handle;
    const other = b.map(page(6), hostMap | readonly, 9, a.domid).handle;
    expect(one).not.toBe(other);
    for (const address of [page(7), page(6), 0x1000, 0xfc000000])
      expect(b.unmap(address, one), `${address.toString(16)}`).toBe(GNTST.generalError);
    expect(b.unmap(page(5), 99)).toBe(GNTST.badHandle);
    expect(b.unmap(page(5), -1)).toBe(GNTST.badHandle);
    expect(a.unmap(page(5), one), 'handles are each domain’s own').toBe(GNTST.badHandle);
    expect(b.unmap(0, one), 'address 0 leaves the entry alone').toBe(0);
    expect(a.flags(8)).toBe(IN_USE);
    expect(b.unmap(page(5), one)).toBe(0);
    expect(b.unmap(page(5), one), 'twice').toBe(GNTST.badHandle);
    const again = b.map(page(7), hostMap, 8, a.domid).handle;
    expect(again, 'a number that is free is given again').toBe(one);
    expect(b.unmap(page(5), one), 'and means something else now').toBe(GNTST.generalError);
    sound([a.frame(1)]);
  });

  it('an entry cannot be copied, nor made by hand; it may be taken away, and then the handle ends with the domain', () => {
    const { handle } = b.map(page(5), hostMap, 8, a.domid);
    const value = host.pc.memory.read32(entry(b, page(5)));
    expect(update(b, entry(b, page(6)), value)).toBe(-22);
    expect(update(b, entry(b, page(5)), value & ~0x60), 'the processor’s marks are its own to clear').toBe(0);
    expect(update(b, entry(b, page(5)), value | 4)).toBe(0);
    expect(update(b, entry(b, page(5)), value & ~2), 'other rights are another mapping').toBe(-22);
    expect(update(b, entry(b, page(5)), 0)).toBe(0);
    expect(update(b, entry(b, page(5)), value), 'and not back again').toBe(-22);
    expect(b.unmap(page(5), handle)).toBe(GNTST.generalError);
    expect(a.flags(8), 'the owner sees it in use').toBe(IN_USE);
    sound();
    expect(giveBack(a, a.frame(1))).toBe(1);
    host.hypervisor.destroyDomain(2);
    expect(a.flags(8)).toBe(PERMIT);
    sound();
  });

  it('a writable page table may lose such an entry or clear its marks; a copy of it ends the domain', () => {
    // A table of its own making for D0000000h, which it sees, read-only, at page 30.
    const table = b.frame(30);
    host.pc.memory.load(table * 4096, new Uint8Array(4096));
    expect(update(b, entry(b, page(30)), 0)).toBe(0);
    expect(update(b, host.technique.access.directoryEntryOf(pvOf(b), 0xd0000000), table * 4096 + 3)).toBe(0);
    expect(update(b, entry(b, page(30)), table * 4096 + 1)).toBe(0);
    expect(b.call(21, 0, 2), 'VMASST_TYPE_writable_pagetables').toBe(0);
    const [first, second] = [0xd0000000, 0xd0001000].map((address) => entry(b, address));
    /** The kernel writes to the table: it is unhooked. The next entry into Xen checks it. */
    const write = (at: number, value: number) => {
      const [vcpu] = b.domain.vcpus;
      vcpu.cr2 = page(30) | 0;
      pvOf(b).current.frame.cs = 0xe019;
      const rest = { qualification: 0, instructionLength: 0, eip: 0 };
      host.technique.handle(vcpu, { vendor: Vendor.xen, reason: 14, detail: 3, ...rest });
      expect(pvOf(b).unhooked).not.toBe(null);
      host.pc.memory.write32(at, value);
      b.call(17, 0);
      expect(pvOf(b).unhooked).toBe(null);
    };

    b.map(0xd0000000, hostMap, 8, a.domid);
    const value = host.pc.memory.read32(first);
    write(first, value & ~0x60);
    expect([b.domain.alive, word(b, 0xd0000000)]).toEqual([true, 0xcafe1234]);
    sound([a.frame(1)]);
    write(first, 0);
    expect(b.domain.alive).toBe(true);
    sound();
    b.map(0xd0000000, hostMap, 8, a.domid);
    write(second, value);
    expect(b.domain.ending).toMatch(/not acceptable/);
    expect(host.pc.memory.read32(second)).toBe(0);
    sound([a.frame(1)]);
  });

  it('a table with such an entry cannot be validated anew', () => {
    const table = entry(b, page(5)) >>> 12;
    b.map(page(5), hostMap, 8, a.domid);
    expect(extended(b, 0, table), 'it is in use: pinned as it is').toBe(0);
    expect(extended(b, 4, table)).toBe(0);
    // Its content in an ordinary page: that page cannot become a table.
    const copy = b.frame(30);
    host.pc.memory.load(copy * 4096, host.pc.memory.bytes.slice(table * 4096, table * 4096 + 4096));
    expect(update(b, entry(b, page(30)), 0)).toBe(0);
    expect(extended(b, 0, copy)).toBe(-22);
    sound([a.frame(1)]);
  });

  it('its frame cannot become a page table, nor anybody else’s memory, while it is mapped', () => {
    const frame = a.frame(1);
    const { handle } = b.map(page(5), hostMap | readonly, 9, a.domid);
    a.page(1).setUint32(0, 0, true);
    expect(update(a, entry(a, page(1)), 0)).toBe(0);
    expect(extended(a, 0, frame), 'pinned as a table').toBe(-22);
    expect(giveBack(a, frame), 'given back').toBe(1);
    expect(owner(frame), 'but not free yet').toBe(a.domain.id);
    b.guest.access.read32(b.guest, page(5));
    expect(b.map(page(6), hostMap | readonly, 9, a.domid).status, 'it is not a’s to grant any more').toBe(
      GNTST.badPage,
    );
    expect(b.unmap(page(5), handle)).toBe(0);
    expect(owner(frame)).toBe(-1);
    sound();
  });

  it('the domain that granted dies: its frame stays until it is unmapped, and is nobody’s meanwhile', () => {
    const frame = a.frame(1);
    const [one, two] = [5, 6].map((n) => b.map(page(n), hostMap, 8, a.domid).handle);
    host.hypervisor.destroyDomain(1);
    expect([owner(frame), word(b, page(5))]).toEqual([-2, 0xcafe1234]);
    a = host.boot(1, { pae });
    expect(owner(frame), 'a new domain of that number has no part in it').toBe(-2);
    sound([frame]);
    expect(b.unmap(page(5), one)).toBe(0);
    expect(owner(frame)).toBe(-2);
    expect(b.unmap(page(6), two)).toBe(0);
    expect(owner(frame)).toBe(-1);
    sound();
  });

  it('both die, in either order: every frame comes back', () => {
    const free = new XenHost().hypervisor.frames.free;
    for (const order of [[1, 2], [2, 1]]) {
      b.map(page(5), hostMap, 8, a.domid);
      b.map(page(6), hostMap | readonly | deviceMap, 9, a.domid);
      for (const id of order) host.hypervisor.destroyDomain(id);
      // With PAE the area of the hypervisor's, made for the first such guest, stays.
      if (!pae) expect(host.hypervisor.frames.free).toBe(free);
      a = host.boot(1, { pae });
      b = host.boot(2, { pae });
      a.grant(8, a.frame(1), { domid: b.domid });
      a.grant(9, a.frame(1), { domid: b.domid, readonly: true });
    }
    sound();
  }); // biome-ignore format: two orders

  it('handles are bounded', () => {
    const track = host.domain0.calls.maps as unknown as { tracks: Map<unknown, unknown[]> };
    b.map(0, deviceMap, 8, a.domid);
    const handles = track.tracks.get(b.guest)!;
    while (handles.length < 16384) handles.push(handles[0]);
    expect(b.map(0, deviceMap, 8, a.domid).status).toBe(GNTST.noDeviceSpace);
    handles.length = 1;
  });

  it('transfer gives a frame away that nobody uses, to who has an entry ready for it', () => {
    const frame = a.frame(20);
    a.page(20).setUint32(0, 4711, true);
    b.accept(10, a.domid);
    expect(a.transfer(frame, b.domid, 10), 'it is mapped').toBe(GNTST.badPage);
    expect(update(a, entry(a, page(20)), 0)).toBe(0);
    // Its reservation is full: the frame is gone all the same, as grant_table.h warns.
    expect(a.transfer(frame, b.domid, 10)).toBe(GNTST.generalError);
    expect(owner(frame)).toBe(-1);

    const next = a.frame(21);
    expect(update(a, entry(a, page(21)), 0)).toBe(0);
    expect(update(b, entry(b, page(22)), 0)).toBe(0);
    expect(giveBack(b, b.frame(22))).toBe(1);
    const hole = (PAGES - 0xc0000000) / 4096 + 22;
    b.accept(10, a.domid, hole);
    expect(a.transfer(next, b.domid, 10)).toBe(GNTST.okay);
    expect([owner(next), b.frame(22), a.frame(21)]).toEqual([b.domain.id, next, -1]);
    expect(b.flags(10)).toBe(GTF.acceptTransfer | GTF.transferCommitted | GTF.transferCompleted);
    expect(update(b, entry(b, page(22)), next * 4096 + 3), 'it is b’s to map').toBe(0);
    expect(a.transfer(next, b.domid, 10), 'and not a’s any more').toBe(GNTST.badPage);
    sound();
  });

  it('transfer is refused for what is granted, shared, a table, or somebody else’s', () => {
    b.accept(10, a.domid);
    const mapped = b.map(page(5), hostMap, 8, a.domid);
    expect(update(a, entry(a, page(1)), 0)).toBe(0);
    const frames = [a.frame(1), b.frame(9), entry(a, page(1)) >>> 12, a.guest.sharedInfo / 4096, 3, -1];
    for (const frame of frames) expect(a.transfer(frame, b.domid, 10), `${frame}`).toBe(GNTST.badPage);
    expect(b.unmap(page(5), mapped.handle)).toBe(0);
    expect(a.transfer(a.frame(1), 99, 10)).toBe(GNTST.badDomain);
    sound();
  });
});

// Machine memory in page frames: every frame has one owner, is empty when it gets one, and a domain's guest-physical
// addresses lead to its own frames or nowhere.
import { beforeEach, describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { FrameTable, GuestMemory, OutOfMemory, OWNER_BOARD, OWNER_FREE, OWNER_HYPERVISOR } from './frames.ts';

const PAGE = 4096;
/** Frames of the first MiB. */
const BOARD = 0x100;

describe('the frame table', () => {
  let memory: PhysicalMemory;
  let frames: FrameTable;
  beforeEach(() => {
    memory = new PhysicalMemory(2 << 20);
    frames = new FrameTable(memory);
  });

  it('leaves the first MiB to the board, with its video memory and firmware', () => {
    expect(frames.count).toBe(512);
    expect(frames.free).toBe(256);
    expect(new Set(frames.owner.subarray(0, BOARD))).toEqual(new Set([OWNER_BOARD]));
    expect(frames.allocate(1)).toBe(BOARD);
  });

  it('hands frames out in order, so that the same run gets the same ones', () => {
    expect([1, 2, 1].map((owner) => frames.allocate(owner))).toEqual([BOARD, BOARD + 1, BOARD + 2]);
    expect([...frames.owner.subarray(BOARD, BOARD + 4)]).toEqual([1, 2, 1, OWNER_FREE]);
  });

  it('gives a frame back empty: nobody reads what the owner before has left', () => {
    const frame = frames.allocate(1);
    memory.write32(frame * PAGE + 8, 0x5ec2e7);
    frames.release(frame);
    expect(memory.read32(frame * PAGE + 8)).toBe(0);
    memory.write32(frame * PAGE + 8, 0x5ec2e7);
    for (let n = 0; n < 256; n++) frames.allocate(2);
    expect(memory.read32(frame * PAGE + 8), 'and once more when somebody gets it').toBe(0);
  });

  it('says so when there is none left, and goes on when there is', () => {
    for (let n = 0; n < 256; n++) frames.allocate(n & 1);
    expect(() => frames.allocate(1)).toThrow(OutOfMemory);
    frames.release(BOARD + 7);
    expect(frames.allocate(3)).toBe(BOARD + 7);
    frames.releaseAll(1);
    expect(frames.free).toBe(127);
    expect(frames.owner.includes(1)).toBe(false);
    expect(frames.owner[BOARD]).toBe(0);
  });

  it('finds frames in a row, aligned if that is asked, around what is taken', () => {
    frames.allocate(1);
    expect(frames.allocateContiguous(2, 3, 4)).toBe(BOARD + 4);
    expect(frames.allocateContiguous(2, 3)).toBe(BOARD + 1);
    expect(() => frames.allocateContiguous(1, 250)).toThrow(/no 250 free page frames in a row/);
    expect(frames.allocateContiguous(OWNER_HYPERVISOR, 248)).toBe(BOARD + 7);
    expect(frames.allocate(1)).toBe(BOARD + 255);
    expect(frames.free).toBe(0);
  });

  it('takes the very last frames of memory, and not one more', () => {
    expect(frames.allocateContiguous(1, 256)).toBe(BOARD);
    frames.releaseAll(1);
    expect(() => frames.allocateContiguous(1, 257)).toThrow(OutOfMemory);
  });
});

describe('guest-physical memory', () => {
  let frames: FrameTable;
  let guest: GuestMemory;
  beforeEach(() => {
    frames = new FrameTable(new PhysicalMemory(2 << 20));
    frames.allocate(9);
    guest = new GuestMemory(frames, 1, 64 * PAGE);
  });

  it('is a map to frames of the domain’s own; outside of it there is nothing', () => {
    guest.populate(0, 8);
    guest.populate(16, 4, true);
    expect(guest.toMachine(0x123)).toBe((BOARD + 1) * PAGE + 0x123);
    expect(
      [0, 1, 2].map((n) => guest.p2m[17 + n] - guest.p2m[16 + n]),
      'contiguous',
    ).toEqual([1, 1, 1]);
    for (const address of [8 * PAGE, 63 * PAGE, 64 * PAGE, 0x7fffffff, 0x80000000, 0xffffffff, -1])
      expect(guest.toMachine(address)).toBe(-1);
    for (const frame of guest.p2m) if (frame >= 0) expect(frames.owner[frame]).toBe(1);
  });

  it('reads ones and drops writes where nothing is, as a bus does where nobody listens', () => {
    guest.populate(0, 1);
    guest.write32(4, 77);
    expect(guest.read32(4)).toBe(77);
    guest.write32(0xfffff000, 77);
    expect(guest.read32(0xfffff000)).toBe(-1);
  });

  it('loads across pages that lie apart in the machine, and says where a page is missing', () => {
    guest.populate(0, 1);
    frames.allocate(9);
    guest.populate(1, 1);
    expect(guest.p2m[1] - guest.p2m[0]).toBe(2);
    guest.load(PAGE - 2, Uint8Array.of(1, 2, 3, 4));
    expect(guest.read32(PAGE - 4) >>> 16).toBe(0x0201);
    expect(guest.read32(PAGE)).toBe(0x0403);
    expect(() => guest.load(2 * PAGE - 1, Uint8Array.of(5, 6))).toThrow(/guest-physical 2000h is not backed/);
  });
});

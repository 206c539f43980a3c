import { describe, expect, it } from 'vitest';
import { laneX, layoutStage, pathBetween, pathLength, pointOn } from './layout.ts';
import type { ColumnInfo } from './places.ts';

const penguin: ColumnInfo = {
  id: 0,
  name: 'Penguin',
  technique: 'paravirtualization',
  kernelRing: 1,
  nonRoot: false,
};
const panes: ColumnInfo = { id: 1, name: 'Panes', technique: 'vt-x', kernelRing: 0, nonRoot: true };
const bare: ColumnInfo = { id: 0, name: 'Penguin', technique: 'native', kernelRing: 0, nonRoot: false };

describe('strata', () => {
  const layout = layoutStage(860, 380, [penguin, panes]);
  const label = (domain: number, stratum: string) => {
    const found = layout.labels.find((l) => l.domain === domain && l.stratum === stratum)!;
    return `${found.ring} · ${found.owner}`;
  };

  it('are called by where the technique puts them', () => {
    expect(label(0, 'kernel')).toBe('ring 1 · kernel');
    expect(label(0, 'hypervisor')).toBe('ring 0 · hypervisor');
    expect(label(1, 'kernel')).toBe('ring 0 · kernel\n(non-root)');
    expect(label(1, 'hypervisor')).toBe('VMX root · hypervisor');
  });

  it('lie one under the other, fill the height and never overlap', () => {
    const order = ['user', 'kernel', 'hypervisor', 'hardware'];
    const column = order.map((s) => layout.slabs.find((slab) => slab.stratum === s)!);
    for (let n = 1; n < column.length; n++) {
      expect(column[n].y).toBeGreaterThan(column[n - 1].y + column[n - 1].height);
    }
    expect(column[3].y + column[3].height).toBe(380);
  });

  it('share one hypervisor and one hardware', () => {
    expect(layout.slabs.filter((s) => s.stratum === 'hypervisor')).toMatchObject([
      { domain: -1, x: 0, width: 860 },
    ]);
    expect(layout.slabs.filter((s) => s.stratum === 'hardware')).toHaveLength(1);
  });

  it('have no hypervisor on the bare machine: the kernel reaches down to the hardware', () => {
    const native = layoutStage(600, 380, [bare]);
    expect(native.slabs.map((s) => s.stratum)).toEqual(['user', 'kernel', 'hardware']);
    expect(native.boundaries.map((b) => b.id)).toEqual(['userKernel', 'kernelHardware']);
    const [, kernel, hardware] = native.slabs;
    expect(hardware.y - (kernel.y + kernel.height)).toBe(16);
  });

  it.each([0, 1, 2, 4])('hold %i guests without leaving the stage', (count) => {
    const many = layoutStage(
      700,
      300,
      Array.from({ length: count }, (_, id) => ({ ...panes, id })),
    );
    for (const rect of [...many.slabs, ...many.labels, ...many.boundaries, ...many.stations]) {
      expect(rect.x).toBeGreaterThanOrEqual(0);
      expect(rect.x + rect.width).toBeLessThanOrEqual(700);
      expect(rect.y + rect.height).toBeLessThanOrEqual(300);
    }
  });
});

describe('paths', () => {
  const layout = layoutStage(860, 380, [penguin, panes]);
  const spot = (domain: number, place: Parameters<typeof pathBetween>[2]['place']) => ({ domain, place });
  const at = (path: ArrayLike<number>, t: number) => {
    const out = { x: 0, y: 0 };
    pointOn(path, 0, t, out);
    return out;
  };

  it('fall straight down the lane of their meaning', () => {
    const path = pathBetween(layout, 'exit', spot(1, 'kernel'), spot(1, 'hypervisor'))!;
    const lane = laneX(layout.columns[1], 'exit', 1);
    expect(at(path, 0)).toEqual({ x: lane, y: layout.columns[1].y.kernel });
    expect(at(path, 1)).toEqual({ x: lane, y: layout.columns[1].y.hypervisor });
    expect(pathLength(path)).toBeCloseTo(layout.columns[1].y.hypervisor - layout.columns[1].y.kernel, 3);
  });

  it('come up beside the way down', () => {
    const up = pathBetween(layout, 'exit', spot(1, 'hypervisor'), spot(1, 'kernel'))!;
    expect(up[0]).toBeGreaterThan(laneX(layout.columns[1], 'exit', 1));
  });

  it('start at the edge of the guest when its ring is not known', () => {
    const path = pathBetween(layout, 'exit', spot(0, 'guest'), spot(0, 'hypervisor'))!;
    expect(path[1]).toBe(layout.columns[0].edge);
  });

  it('end at the station that was touched', () => {
    const path = pathBetween(layout, 'device', spot(1, 'hypervisor'), spot(1, 'serial'))!;
    const serial = layout.stations.find((s) => s.station === 'serial')!;
    expect(path[6]).toBe(serial.x + serial.width / 2);
  });

  it('of the host go straight up from their station', () => {
    const path = pathBetween(layout, 'inject', spot(-1, 'timer'), spot(-1, 'hypervisor'))!;
    expect(path[0]).toBe(path[6]);
    expect(path[7]).toBeLessThan(path[1]);
  });

  it('of a world switch go from column to column', () => {
    const path = pathBetween(layout, 'schedule', spot(0, 'hypervisor'), spot(1, 'hypervisor'))!;
    expect(path[6]).toBeGreaterThan(path[0] + 300);
  });

  it('do not exist for a domain that is not there', () => {
    expect(pathBetween(layout, 'exit', spot(7, 'kernel'), spot(7, 'hypervisor'))).toBeNull();
  });

  it('leave the words of the strata readable, on the smallest stage that a lecture hall sees', () => {
    const small = layoutStage(899, 290, [penguin, panes]);
    // Two lines in the middle of the stratum; the second one is the longer. With half of what a lane is wide.
    const words = small.labels
      .filter(({ stratum }) => stratum === 'hypervisor')
      .map(({ x, y, height }) => ({
        left: x + 14,
        right: x + 84,
        top: y + height / 2,
        foot: y + height / 2 + 21,
      }));
    for (const [from, to] of [
      [spot(1, 'hypervisor'), spot(-1, 'processor')],
      [spot(-1, 'processor'), spot(1, 'hypervisor')],
      [spot(1, 'hypervisor'), spot(1, 'mmu')],
      [spot(0, 'hypervisor'), spot(1, 'hypervisor')],
    ]) {
      const path = pathBetween(small, 'schedule', from, to)!;
      for (let t = 0; t <= 1; t += 0.01) {
        const { x, y } = at(path, t);
        const crossed = words.some(
          ({ left, right, top, foot }) => x > left && x < right && y > top && y < foot,
        );
        expect(crossed, `${from.place} to ${to.place} at ${Math.round(x)}, ${Math.round(y)}`).toBe(false);
      }
    }
  });
});

it('names the sides of the processor as its vendor does', () => {
  const amd: ColumnInfo = { ...panes, technique: 'svm' };
  const words = (info: ColumnInfo) =>
    layoutStage(600, 500, [info]).labels.map(({ ring, owner }) => `${ring}: ${owner}`);
  expect(words(panes)).toEqual(['ring 3: programs', 'ring 0: kernel\n(non-root)', 'VMX root: hypervisor']);
  expect(words(amd)).toEqual(['ring 3: programs', 'ring 0: kernel\n(guest mode)', 'host mode: hypervisor']);
});

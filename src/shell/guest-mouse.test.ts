import { describe, expect, it } from 'vitest';
import { GuestMouse } from './guest-mouse.ts';

/** A guest's pointer as every system moves it: it stops at the edges of its screen. */
function guest(width: number, height: number) {
  const pointer = { x: width / 2, y: height / 2, buttons: 0, clicks: [] as [number, number][] };
  const feel = (moves: { dx: number; dy: number; buttons: number }[]) => {
    for (const { dx, dy, buttons } of moves) {
      pointer.x = Math.min(width - 1, Math.max(0, pointer.x + dx));
      pointer.y = Math.min(height - 1, Math.max(0, pointer.y - dy));
      if (buttons & 1 && !(pointer.buttons & 1)) pointer.clicks.push([pointer.x, pointer.y]);
      pointer.buttons = buttons;
    }
    return pointer;
  };
  return feel;
}

/** Moves until the mouse has nothing more to say; the guest reads each time. */
function follow(
  mouse: GuestMouse,
  feel: ReturnType<typeof guest>,
  x: number,
  y: number,
  buttons = 0,
  start = 0,
) {
  for (let n = 0; n < 3; n++) feel(mouse.move(x, y, buttons, 320, 200, start + n) ?? []);
  return feel([]);
}

describe('the mouse of a guest', () => {
  it('stands under the learner’s pointer, wherever the guest had its own', () => {
    const mouse = new GuestMouse();
    const feel = guest(320, 200);
    expect(follow(mouse, feel, 0.5, 0.25)).toMatchObject({ x: 160, y: 50 });
    expect(follow(mouse, feel, 0.1, 0.9)).toMatchObject({ x: 32, y: 180 });
    expect(follow(mouse, feel, 1, 1)).toMatchObject({ x: 319, y: 199 });
  });

  it('waits in the corner until the guest has followed: unread movements would add up', () => {
    const mouse = new GuestMouse();
    expect(mouse.move(0.5, 0.5, 0, 320, 200, 10)).toHaveLength(1);
    expect(mouse.move(0.5, 0.5, 0, 320, 200, 10.01)).toBeNull();
    expect(mouse.move(0.5, 0.5, 0, 320, 200, 10.2)).toEqual([{ dx: 160, dy: -100, buttons: 0 }]);
  });

  it('presses where it is, and lets go when it leaves', () => {
    const mouse = new GuestMouse();
    const feel = guest(320, 200);
    follow(mouse, feel, 0.5, 0.5);
    expect(follow(mouse, feel, 0.25, 0.75, 1).clicks).toEqual([[80, 150]]);
    expect(feel(mouse.leave()).buttons).toBe(0);
    expect(mouse.leave()).toEqual([]);
  });

  it('says nothing while it stands still', () => {
    const mouse = new GuestMouse();
    const feel = guest(320, 200);
    follow(mouse, feel, 0.5, 0.5);
    expect(mouse.move(0.5, 0.5, 0, 320, 200, 9)).toEqual([]);
  });

  it('finds the guest’s pointer again after the guest moved it by itself', () => {
    const mouse = new GuestMouse();
    const feel = guest(320, 200);
    follow(mouse, feel, 0.5, 0.5);
    feel([{ dx: 40, dy: 0, buttons: 0 }]);
    mouse.lose();
    expect(follow(mouse, feel, 0.5, 0.5, 0, 50)).toMatchObject({ x: 160, y: 100 });
  });
});

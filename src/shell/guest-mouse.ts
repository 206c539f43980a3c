// From the pointer over a guest's screen to the movement of its PS/2 mouse. A mouse only knows "so far from where I
// was": the first time it is pushed into the upper left corner, where every system stops it; once the guest has had time
// to follow, it goes from there, so that the guest's own pointer stands under the learner's. Pure; the caller sends.

export interface MouseMove {
  /** Counts to the right and, as the mouse counts, up. */
  dx: number;
  dy: number;
  /** Held buttons: bit 0 left, 1 right, 2 middle. */
  buttons: number;
}

/** Farther than any screen is wide, and no more than a mouse adds up (machine/devices/ps2.ts). */
const FAR = 2000;

/** Virtual seconds that a guest gets to go to the corner before it is moved on: movements that it has not read add up. */
const SETTLING = 0.08;

export class GuestMouse {
  private corneredAt = Number.NEGATIVE_INFINITY;
  private at: { x: number; y: number } | null = null;
  private buttons = 0;

  /** It stands in the corner, and the way on has not been told. */
  get cornered(): boolean {
    return Number.isFinite(this.corneredAt) && this.at !== null;
  }

  /** The guest may have moved its pointer by itself, or is another one: the next movement begins at the corner again. */
  lose(): void {
    this.at = null;
  }

  /**
   * The pointer is here.
   * @param x share of the screen's width, 0..1; y from its top
   * @param buttons as the DOM counts them, which is as the PS/2 mouse does
   * @param now virtual time in seconds
   * @returns null: not yet, ask again with the next frame
   */
  move(
    x: number,
    y: number,
    buttons: number,
    width: number,
    height: number,
    now: number,
  ): MouseMove[] | null {
    const moves: MouseMove[] = [];
    const next = { x: clamp(Math.floor(x * width), width - 1), y: clamp(Math.floor(y * height), height - 1) };
    if (!this.at) {
      this.at = { x: 0, y: 0 };
      this.corneredAt = now;
      return [{ dx: -FAR, dy: FAR, buttons: this.buttons }];
    }
    if (now - this.corneredAt < SETTLING && now >= this.corneredAt) return null;
    this.corneredAt = Number.NEGATIVE_INFINITY;
    const move = { dx: next.x - this.at.x, dy: this.at.y - next.y, buttons: buttons & 7 };
    // Where it is pressed, it is first: a button goes down at the place, not on the way.
    if (move.buttons !== this.buttons && (move.dx || move.dy)) {
      moves.push({ dx: move.dx, dy: move.dy, buttons: this.buttons });
      moves.push({ dx: 0, dy: 0, buttons: move.buttons });
    } else if (move.dx || move.dy || move.buttons !== this.buttons) moves.push(move);
    this.at = next;
    this.buttons = move.buttons;
    return moves;
  }

  /** The pointer has left: no button stays down. */
  leave(): MouseMove[] {
    if (!this.buttons) return [];
    this.buttons = 0;
    return [{ dx: 0, dy: 0, buttons: 0 }];
  }
}

const clamp = (value: number, most: number) => Math.min(most, Math.max(0, value));

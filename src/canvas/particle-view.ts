// Draws the particles: for each a head in the shape of its meaning, and a tail, or a widening ring when it is a pulse.
import { type Atlas, MARK } from './atlas.ts';
import { MEANINGS } from './meanings.ts';
import { type Palette, toNumber } from './palette.ts';
import type { Particles } from './particles.ts';
import { Particle, ParticleContainer } from './pixi.ts';

const TRAIL_WIDTH = 9;
const EXIT = MEANINGS.indexOf('exit');

export class ParticleView {
  readonly container: ParticleContainer;
  private heads: Particle[] = [];
  private tails: Particle[] = [];
  private tints: number[] = [];
  private marker: Particle;
  private scale = 1;

  constructor(private atlas: Atlas) {
    this.container = new ParticleContainer({
      dynamicProperties: { position: true, vertex: true, rotation: true, uvs: true, color: true },
    });
    this.marker = this.make();
  }

  /** New textures after the device's pixels changed. @param scale device pixels per CSS pixel */
  setAtlas(atlas: Atlas, scale: number): void {
    this.atlas = atlas;
    this.scale = scale;
    this.heads = [];
    this.tails = [];
    this.container.particleChildren.length = 0;
    this.container.texture = atlas.glow;
    this.marker = this.make();
  }

  setPalette(palette: Palette): void {
    this.tints = MEANINGS.map((meaning) => toNumber(palette.meaning[meaning]));
    this.marker.tint = toNumber(palette.focus);
  }

  /** Shows the state of the pool. @param selected sequence number that is ringed, -1 = none. @param still draws no tails (reduced motion) */
  sync(particles: Particles, selected: number, still: boolean): void {
    const children = this.container.particleChildren;
    children.length = 0;
    const unit = 1 / this.scale;
    let ringed = -1;
    for (const slot of particles.live) {
      if (particles.seq[slot] === selected) ringed = slot;
      if (!still) children.push(this.tail(particles, slot, unit));
      children.push(this.head(particles, slot, unit));
    }
    if (ringed >= 0) {
      this.marker.x = particles.x[ringed];
      this.marker.y = particles.y[ringed];
      this.marker.texture = this.atlas.ring;
      this.marker.scaleX = this.marker.scaleY = unit * 1.9;
      children.push(this.marker);
    }
    this.container.update();
  }

  private head(particles: Particles, slot: number, unit: number): Particle {
    const head = (this.heads[slot] ??= this.make());
    head.texture = this.atlas.marks[particles.meaning[slot]];
    head.x = particles.x[slot];
    head.y = particles.y[slot];
    head.scaleX = head.scaleY = unit;
    // The triangle of an exit points where it goes: down, or up again.
    head.rotation = particles.up[slot] && particles.meaning[slot] === EXIT ? Math.PI : 0;
    head.tint = this.tints[particles.meaning[slot]];
    head.alpha = particles.alpha[slot];
    return head;
  }

  private tail(particles: Particles, slot: number, unit: number): Particle {
    const tail = (this.tails[slot] ??= this.make());
    tail.tint = this.tints[particles.meaning[slot]];
    if (particles.pulse[slot]) {
      const wide = 1 + particles.progress[slot] * 1.5;
      tail.texture = this.atlas.ring;
      tail.anchorX = 0.5;
      tail.x = particles.x[slot];
      tail.y = particles.y[slot];
      tail.rotation = 0;
      tail.scaleX = tail.scaleY = unit * wide;
      tail.alpha = particles.alpha[slot] * 0.8 * (1 - particles.progress[slot]);
      return tail;
    }
    const dx = particles.x[slot] - particles.tailX[slot];
    const dy = particles.y[slot] - particles.tailY[slot];
    tail.texture = this.atlas.streak;
    tail.anchorX = 1;
    tail.x = particles.x[slot];
    tail.y = particles.y[slot];
    tail.rotation = Math.atan2(dy, dx);
    tail.scaleX = Math.hypot(dx, dy) / this.atlas.streak.width;
    tail.scaleY = TRAIL_WIDTH / this.atlas.streak.height;
    tail.alpha = particles.alpha[slot] * 0.75;
    return tail;
  }

  private make(): Particle {
    return new Particle({ texture: this.atlas.ring, anchorX: 0.5, anchorY: 0.5 });
  }
}

/** How near a click must be to hit a mark, in CSS pixels. */
export const HIT_RADIUS = MARK;

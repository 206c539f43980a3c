// What moves in a column besides particles: the glowing point of the virtual processor, and the boundaries, which
// thicken and warm with their traffic. Sprites only, moved and tinted; nothing is redrawn.
import { isBare } from '../worker/protocol.ts';
import type { Atlas } from './atlas.ts';
import type { BoundaryLine, ColumnLayout, StageLayout } from './layout.ts';
import { mix, type Palette, toNumber } from './palette.ts';
import { Container, Sprite } from './pixi.ts';
import { heaviness, type Traffic } from './traffic.ts';

/** Where a frame says a virtual processor is. */
export type NowPlace = 'user' | 'kernel' | 'hypervisor' | 'idle' | 'ready' | 'off';

interface Point {
  column: ColumnLayout;
  glow: Sprite;
  core: Sprite;
  y: number;
  target: number;
  strength: number;
}

/** Heights of the line's sprite, soft edges included: the visible core is a sixth to a third of it. */
const LINE_THIN = 10;
const LINE_THICK = 44;

export class ColumnView {
  readonly boundaries = new Container();
  readonly points = new Container();
  private lines: { line: BoundaryLine; sprite: Sprite; shown: number }[] = [];
  private processors: Point[] = [];

  /** Makes the sprites for a layout anew. @param scale device pixels per CSS pixel */
  build(layout: StageLayout, atlas: Atlas, palette: Palette, scale: number): void {
    for (const child of [...this.boundaries.removeChildren(), ...this.points.removeChildren()])
      child.destroy();
    this.lines = layout.boundaries.map((line) => {
      const sprite = new Sprite({ texture: atlas.line, anchor: { x: 0, y: 0.5 } });
      sprite.position.set(line.x, line.y + line.height / 2);
      sprite.width = line.width;
      sprite.height = LINE_THIN;
      this.boundaries.addChild(sprite);
      return { line, sprite, shown: 0 };
    });
    this.processors = layout.columns.map((column) => {
      const glow = new Sprite({ texture: atlas.glow, anchor: 0.5, scale: 1 / scale });
      const core = new Sprite({ texture: atlas.marks[0], anchor: 0.5, scale: 0.9 / scale });
      glow.tint = toNumber(palette.accent);
      core.tint = toNumber(palette.text);
      glow.x = core.x = column.processor;
      this.points.addChild(glow, core);
      return { column, glow, core, y: column.y.kernel, target: column.y.kernel, strength: 0 };
    });
  }

  /** Tells a column where its virtual processor is. */
  setPlace(domain: number, place: NowPlace): void {
    const point = this.processors.find((p) => p.column.info.id === domain);
    if (!point) return;
    const { column } = point;
    const waits = place === 'idle' || place === 'ready';
    if (place === 'user' || place === 'kernel' || place === 'hypervisor') point.target = column.y[place];
    else if (waits) point.target = isBare(column.info.technique) ? column.edge : column.y.hypervisor;
    point.strength = place === 'off' ? 0 : waits ? 0.35 : 1;
  }

  /** Moves towards what is true now. @param seconds since the last call. @param jump without motion. True while anything still moves. */
  step(seconds: number, traffic: Traffic, palette: Palette, jump: boolean): boolean {
    const near = jump ? 1 : 1 - Math.exp(-seconds * 14);
    let moves = false;
    for (const point of this.processors) {
      if (Math.abs(point.target - point.y) > 0.5) moves = true;
      point.y += (point.target - point.y) * near;
      point.glow.y = point.core.y = point.y;
      point.glow.alpha += (point.strength * 0.9 - point.glow.alpha) * near;
      point.core.alpha += (point.strength - point.core.alpha) * near;
    }
    const cool = toNumber(palette.cool);
    const warm = toNumber(palette.warm);
    const hot = toNumber(palette.hot);
    const settle = jump ? 1 : 1 - Math.exp(-seconds * 5);
    for (const entry of this.lines) {
      const heavy = heaviness(traffic.rate(entry.line.domain, entry.line.id));
      if (Math.abs(heavy - entry.shown) > 0.003) moves = true;
      entry.shown += (heavy - entry.shown) * settle;
      const h = entry.shown;
      entry.sprite.height = LINE_THIN + (LINE_THICK - LINE_THIN) * h ** 1.5;
      entry.sprite.tint = h < 0.5 ? mix(cool, warm, h * 2) : mix(warm, hot, h * 2 - 1);
      entry.sprite.alpha = 0.75 + 0.25 * h;
    }
    return moves;
  }
}

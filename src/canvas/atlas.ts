// One small texture with every shape of the stage, drawn white at the very size of the device's pixels and tinted later:
// so marks are crisp, and everything is drawn from one texture.
import { MEANING, MEANINGS, type Shape } from './meanings.ts';
import { CanvasSource, Rectangle, Texture } from './pixi.ts';

/** Size of a mark, in CSS pixels. */
export const MARK = 15;
const GLOW = 72;
const STREAK = { width: 64, height: 9 };
const SOFT_LINE = { width: 16, height: 32 };

export interface Atlas {
  /** By index into MEANINGS. */
  marks: Texture[];
  ring: Texture;
  glow: Texture;
  /** Fades from nothing at the left to full at the right. */
  streak: Texture;
  /** A horizontal line with soft edges. */
  line: Texture;
  destroy(): void;
}

/** Draws the atlas. @param scale device pixels per CSS pixel */
export function drawAtlas(scale: number): Atlas {
  const cell = Math.ceil((MARK + 4) * scale);
  const glow = Math.ceil(GLOW * scale);
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(cell * (MEANINGS.length + 1), glow + (STREAK.width + SOFT_LINE.width) * scale + 8);
  canvas.height = cell + glow + 4;
  const context = canvas.getContext('2d')!;
  context.fillStyle = context.strokeStyle = '#fff';

  const frames: Rectangle[] = [];
  MEANINGS.forEach((meaning, n) => {
    drawShape(context, MEANING[meaning].shape, (n + 0.5) * cell, cell / 2, (MARK / 2) * scale);
    frames.push(new Rectangle(n * cell, 0, cell, cell));
  });
  const ringFrame = new Rectangle(MEANINGS.length * cell, 0, cell, cell);
  drawShape(context, 'ring', ringFrame.x + cell / 2, cell / 2, (MARK / 2) * scale);

  const top = cell + 2;
  const glowFrame = new Rectangle(0, top, glow, glow);
  const radial = context.createRadialGradient(
    glow / 2,
    top + glow / 2,
    0,
    glow / 2,
    top + glow / 2,
    glow / 2,
  );
  radial.addColorStop(0, 'rgba(255,255,255,1)');
  radial.addColorStop(0.25, 'rgba(255,255,255,.45)');
  radial.addColorStop(0.6, 'rgba(255,255,255,.1)');
  radial.addColorStop(1, 'rgba(255,255,255,0)');
  context.fillStyle = radial;
  context.fillRect(0, top, glow, glow);

  const streakFrame = new Rectangle(glow + 2, top, STREAK.width * scale, STREAK.height * scale);
  drawStreak(context, streakFrame);
  const lineFrame = new Rectangle(
    streakFrame.x + streakFrame.width + 3,
    top,
    SOFT_LINE.width * scale,
    SOFT_LINE.height * scale,
  );
  const vertical = context.createLinearGradient(0, top, 0, top + lineFrame.height);
  for (const [at, alpha] of [
    [0, 0],
    [0.2, 0.06],
    [0.4, 0.42],
    [0.47, 1],
    [0.53, 1],
    [0.6, 0.42],
    [0.8, 0.06],
    [1, 0],
  ]) {
    vertical.addColorStop(at, `rgba(255,255,255,${alpha})`);
  }
  context.fillStyle = vertical;
  context.fillRect(lineFrame.x, top, lineFrame.width, lineFrame.height);

  const source = new CanvasSource({ resource: canvas, scaleMode: 'linear', resolution: 1 });
  const texture = (frame: Rectangle) => new Texture({ source, frame });
  return {
    marks: frames.map(texture),
    ring: texture(ringFrame),
    glow: texture(glowFrame),
    streak: texture(streakFrame),
    line: texture(new Rectangle(lineFrame.x + 1, lineFrame.y, lineFrame.width - 2, lineFrame.height)),
    destroy: () => source.destroy(),
  };
}

function drawStreak(context: CanvasRenderingContext2D, frame: Rectangle): void {
  const gradient = context.createLinearGradient(frame.x, 0, frame.x + frame.width, 0);
  gradient.addColorStop(0, 'rgba(255,255,255,0)');
  gradient.addColorStop(1, 'rgba(255,255,255,.85)');
  context.fillStyle = gradient;
  context.beginPath();
  const middle = frame.y + frame.height / 2;
  context.moveTo(frame.x, middle);
  context.lineTo(frame.x + frame.width, middle - frame.height * 0.4);
  context.lineTo(frame.x + frame.width, middle + frame.height * 0.4);
  context.fill();
}

/** Fills a shape around a point. @param r radius in device pixels */
function drawShape(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, r: number): void {
  const polygon = (points: readonly (readonly [number, number])[]) => {
    context.beginPath();
    points.forEach(([px, py], n) => {
      if (n === 0) context.moveTo(x + px * r, y + py * r);
      else context.lineTo(x + px * r, y + py * r);
    });
    context.closePath();
    context.fill();
  };
  context.lineWidth = r * 0.36;
  switch (shape) {
    case 'circle':
      context.beginPath();
      context.arc(x, y, r * 0.86, 0, Math.PI * 2);
      context.fill();
      return;
    case 'ring':
      context.beginPath();
      context.arc(x, y, r * 0.72, 0, Math.PI * 2);
      context.stroke();
      return;
    case 'cross':
      context.beginPath();
      context.moveTo(x - r * 0.7, y - r * 0.7);
      context.lineTo(x + r * 0.7, y + r * 0.7);
      context.moveTo(x + r * 0.7, y - r * 0.7);
      context.lineTo(x - r * 0.7, y + r * 0.7);
      context.stroke();
      return;
    case 'grid':
      for (const dx of [-0.48, 0.48]) {
        for (const dy of [-0.48, 0.48])
          context.fillRect(x + (dx - 0.38) * r, y + (dy - 0.38) * r, r * 0.76, r * 0.76);
      }
      return;
    default:
      polygon(POLYGONS[shape]);
  }
}

/** Corners of the straight shapes, in a circle of radius 1. */
const POLYGONS: Record<
  'square' | 'triangle' | 'diamond' | 'hexagon',
  readonly (readonly [number, number])[]
> = {
  square: [
    [-0.76, -0.76],
    [0.76, -0.76],
    [0.76, 0.76],
    [-0.76, 0.76],
  ],
  triangle: [
    [-0.95, -0.72],
    [0.95, -0.72],
    [0, 0.92],
  ],
  diamond: [
    [0, -1],
    [0.95, 0],
    [0, 1],
    [-0.95, 0],
  ],
  hexagon: [
    [-0.5, -0.87],
    [0.5, -0.87],
    [1, 0],
    [0.5, 0.87],
    [-0.5, 0.87],
    [-1, 0],
  ],
};

// Draws a graphics screen: the guest's pixels enlarged by a whole number, so that edges stay crisp when the page fits
// the canvas to the tube.
import type { Screen } from '../worker/protocol.ts';

type GraphicsMode = Extract<Screen, { mode: 'graphics' | 'true-colour' }>;

/** VGA pictures filled a 4 : 3 tube, whatever their pixels. */
export const GRAPHICS_ASPECT = 4 / 3;

/** Pixels across that a picture is enlarged to, by a whole number. */
const ENLARGED = 640;

export class GraphicsScreen {
  private image: ImageData | null = null;

  /** @param context a canvas of its own, which this class gives its size; the page's style fits it to the tube */
  constructor(private readonly context: CanvasRenderingContext2D) {}

  draw(screen: GraphicsMode): void {
    const { width, height } = screen;
    const { canvas } = this.context;
    const scale = Math.max(1, Math.round(ENLARGED / width));
    const across = width * scale;
    const down = height * scale;
    // Text, in between, has its own size of canvas.
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
    }
    if (this.image?.width !== across || this.image.height !== down)
      this.image = this.context.createImageData(across, down);
    const target = new Uint32Array(this.image.data.buffer);
    if (screen.mode === 'graphics') indexed(target, screen, scale);
    else trueColour(target, screen, scale);
    this.context.putImageData(this.image, 0, 0);
  }
}

/** Colour indices, each `scale` × `scale` times. */
function indexed(target: Uint32Array, screen: Extract<Screen, { mode: 'graphics' }>, scale: number): void {
  const { width, height, pixels } = screen;
  const across = width * scale;
  const colours = palette32(screen.palette);
  let at = 0;
  for (let row = 0, from = 0; row < height; row++, from += width) {
    const start = at;
    for (let n = 0; n < width; n++) {
      const colour = colours[pixels[from + n]];
      for (let copy = 0; copy < scale; copy++) target[at++] = colour;
    }
    for (let copy = 1; copy < scale; copy++, at += across) target.copyWithin(at, start, start + across);
  }
}

/** Finished words, each `scale` × `scale` times. */
function trueColour(
  target: Uint32Array,
  screen: Extract<Screen, { mode: 'true-colour' }>,
  scale: number,
): void {
  const { width, height, pixels } = screen;
  const words = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height);
  if (scale === 1) {
    target.set(words);
    return;
  }
  const across = width * scale;
  let at = 0;
  for (let row = 0, from = 0; row < height; row++) {
    const start = at;
    for (let n = 0; n < width; n++, from++) {
      for (let copy = 0; copy < scale; copy++) target[at++] = words[from];
    }
    for (let copy = 1; copy < scale; copy++, at += across) target.copyWithin(at, start, start + across);
  }
}

/** 256 entries of three bytes as the words of an image (little-endian RGBA, opaque). */
export function palette32(palette: Uint8Array): Uint32Array {
  const colours = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    colours[n] = 0xff000000 | (palette[n * 3 + 2] << 16) | (palette[n * 3 + 1] << 8) | palette[n * 3];
  }
  return colours;
}

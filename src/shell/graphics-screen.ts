// Draws a graphics screen: the guest's pixels enlarged by whole numbers, then fitted to the picture's proportions, so
// that edges stay crisp and circles round.
import type { Screen } from '../worker/protocol.ts';

type GraphicsMode = Extract<Screen, { mode: 'graphics' }>;

/** VGA pictures filled a 4 : 3 tube, whatever their pixels. */
export const GRAPHICS_ASPECT = 4 / 3;

export class GraphicsScreen {
  private readonly pixels = document.createElement('canvas');
  private readonly enlarged = document.createElement('canvas');

  constructor(private readonly context: CanvasRenderingContext2D) {}

  draw(screen: GraphicsMode): void {
    const { width, height } = screen;
    if (this.pixels.width !== width || this.pixels.height !== height) {
      this.pixels.width = width;
      this.pixels.height = height;
    }
    const small = this.pixels.getContext('2d')!;
    const image = small.createImageData(width, height);
    const target = new Uint32Array(image.data.buffer);
    const colours = palette32(screen.palette);
    for (let n = 0; n < target.length; n++) target[n] = colours[screen.pixels[n]];
    small.putImageData(image, 0, 0);
    this.present();
  }

  /** Fits the last picture to the canvas. */
  present(): void {
    const { canvas } = this.context;
    const { width, height } = this.pixels;
    const scale = Math.max(1, Math.ceil(Math.max(canvas.width / width, canvas.height / height)));
    this.enlarged.width = width * scale;
    this.enlarged.height = height * scale;
    const big = this.enlarged.getContext('2d')!;
    big.imageSmoothingEnabled = false;
    big.drawImage(this.pixels, 0, 0, this.enlarged.width, this.enlarged.height);
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = 'high';
    this.context.drawImage(this.enlarged, 0, 0, canvas.width, canvas.height);
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

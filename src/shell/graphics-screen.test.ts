// The canvas of a guest's screen is shared with text, which gives it another size.
import { expect, it } from 'vitest';
import type { Screen } from '../worker/protocol.ts';
import { GraphicsScreen } from './graphics-screen.ts';

const PICTURE: Extract<Screen, { mode: 'graphics' }> = {
  mode: 'graphics',
  width: 320,
  height: 200,
  pixels: new Uint8Array(320 * 200),
  palette: new Uint8Array(768),
};

it('gives the canvas its own size each time, whatever text has made of it in between', () => {
  const canvas = { width: 300, height: 150 };
  const drawn: [number, number][] = [];
  const context = {
    canvas,
    createImageData: (width: number, height: number) => ({
      width,
      height,
      data: new Uint8ClampedArray(width * height * 4),
    }),
    putImageData: (image: { width: number; height: number }) => {
      drawn.push([image.width, image.height]);
    },
  };
  const screen = new GraphicsScreen(context as unknown as CanvasRenderingContext2D);
  screen.draw(PICTURE);
  expect(canvas).toEqual({ width: 640, height: 400 });
  Object.assign(canvas, { width: 687, height: 440 });
  screen.draw(PICTURE);
  expect(canvas).toEqual({ width: 640, height: 400 });
  expect(drawn).toEqual([
    [640, 400],
    [640, 400],
  ]);
});

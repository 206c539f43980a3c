import { describe, expect, it } from 'vitest';
import { MEANINGS } from './meanings.ts';
import { customProperties, mix, PALETTES, type Scheme, toNumber } from './palette.ts';

const channels = (colour: string) => [16, 8, 0].map((shift) => ((toNumber(colour) >> shift) & 255) / 255);
const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);

/** WCAG 2.2 relative luminance and contrast ratio. */
const luminance = (colour: string) => {
  const [r, g, b] = channels(colour).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a: string, b: string) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

/** Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB. */
const SIMULATION = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
};
/** CIELAB (D65) of a colour as such an eye sees it. */
const lab = (colour: string, m: number[]) => {
  const c = channels(colour).map(linear);
  const [r, g, b] = [0, 3, 6].map((row) =>
    Math.min(1, Math.max(0, m[row] * c[0] + m[row + 1] * c[1] + m[row + 2] * c[2])),
  );
  const f = (t: number) => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const y = f(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
  const z = f((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
};

describe.each(['dark', 'light'] as Scheme[])('%s palette', (scheme) => {
  const p = PALETTES[scheme];
  const grounds = { page: p.page, panel: p.panel, raised: p.raised };

  it.each(Object.entries(grounds))('text is readable on %s (WCAG AA, 4.5:1)', (_, ground) => {
    expect(contrast(p.text, ground)).toBeGreaterThan(7);
    expect(contrast(p.dim, ground)).toBeGreaterThan(4.5);
    expect(contrast(p.danger, ground)).toBeGreaterThan(4.5);
    expect(contrast(p.good, ground)).toBeGreaterThan(4.5);
    expect(contrast(p.accent, ground)).toBeGreaterThan(4.5);
  });

  it('controls, focus and buttons stand out', () => {
    for (const ground of Object.values(grounds)) {
      expect(contrast(p.control, ground)).toBeGreaterThan(3);
      expect(contrast(p.focus, ground)).toBeGreaterThan(3);
    }
    expect(contrast(p.onAccent, p.accent)).toBeGreaterThan(4.5);
  });

  it('every meaning is readable as text on a panel', () => {
    for (const meaning of MEANINGS)
      expect(contrast(p.meaning[meaning], p.panel), meaning).toBeGreaterThan(4.5);
  });

  it.each(Object.keys(SIMULATION) as (keyof typeof SIMULATION)[])('meanings differ for %s vision', (eye) => {
    const seen = MEANINGS.map((m) => lab(p.meaning[m], SIMULATION[eye]));
    for (let i = 0; i < seen.length; i++) {
      for (let j = 0; j < i; j++) {
        const distance = Math.hypot(...seen[i].map((v, k) => v - seen[j][k]));
        // Shapes and lanes tell them apart too; colour alone must still differ visibly (ΔE 10 is a clear step).
        expect(distance, `${MEANINGS[i]} and ${MEANINGS[j]}`).toBeGreaterThan(eye === 'normal' ? 20 : 10);
      }
    }
  });
});

it('gives CSS one custom property a colour', () => {
  const css = customProperties(PALETTES.dark);
  expect(css['--c-panel']).toBe(PALETTES.dark.panel);
  expect(css['--c-meaning-exit']).toBe(PALETTES.dark.meaning.exit);
  expect(css['--c-place-user']).toBe(PALETTES.dark.place.user);
});

it('mixes by channel', () => {
  expect(mix(0x000000, 0xffffff, 0.5)).toBe(0x808080);
  expect(mix(0x102030, 0x102030, 0.3)).toBe(0x102030);
});

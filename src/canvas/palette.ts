// All colours of the page, once: the stage reads them as numbers, CSS as custom properties (--c-…).
// Meanings start from Okabe and Ito's colour-blind-safe set, lightened or darkened until they hold WCAG AA on our grounds
// (palette.test.ts measures contrast, and distance under simulated deuteranopia and protanopia).
import type { Meaning } from './meanings.ts';

export type Scheme = 'dark' | 'light';

/** Where processor time goes; also the tint of the stage's strata. */
export type PlaceColour = 'user' | 'kernel' | 'hypervisor' | 'switch' | 'hardware' | 'ready' | 'idle';

export interface Palette {
  readonly page: string;
  readonly panel: string;
  readonly raised: string;
  readonly line: string;
  /** A line that must be seen: borders of controls (3:1). */
  readonly control: string;
  readonly text: string;
  readonly dim: string;
  readonly accent: string;
  readonly onAccent: string;
  readonly focus: string;
  readonly danger: string;
  readonly good: string;
  readonly screen: string;
  readonly cool: string;
  readonly warm: string;
  readonly hot: string;
  readonly meaning: Readonly<Record<Meaning, string>>;
  readonly place: Readonly<Record<PlaceColour, string>>;
}

export const PALETTES: Readonly<Record<Scheme, Palette>> = {
  dark: {
    page: '#0e131b',
    panel: '#151c27',
    raised: '#1e2735',
    line: '#2b3647',
    control: '#6d7d94',
    text: '#edf1f7',
    dim: '#a9b5c6',
    accent: '#63b3ff',
    onAccent: '#07131f',
    focus: '#ffd166',
    danger: '#ff8f7d',
    good: '#4fd1a5',
    screen: '#05070a',
    cool: '#3b485b',
    warm: '#ffb454',
    hot: '#ff6a3d',
    meaning: {
      syscall: '#45deaa',
      hypercall: '#2f9bf7',
      exit: '#f4702a',
      inject: '#f5d264',
      paging: '#cba8f5',
      device: '#e0668f',
      schedule: '#9faaba',
      hole: '#ffffff',
    },
    place: {
      user: '#3f9f86',
      kernel: '#4c86c6',
      hypervisor: '#d9743f',
      switch: '#f7d774',
      hardware: '#8a97aa',
      ready: '#8b7fb8',
      idle: '#46536a',
    },
  },
  light: {
    page: '#f3f5f8',
    panel: '#ffffff',
    raised: '#e9edf3',
    line: '#d3dae4',
    control: '#77859a',
    text: '#131a24',
    dim: '#4c596b',
    accent: '#0b62b8',
    onAccent: '#ffffff',
    focus: '#b35900',
    danger: '#b3261e',
    good: '#0b7a57',
    screen: '#05070a',
    cool: '#b9c3d1',
    warm: '#e08a00',
    hot: '#d1400a',
    meaning: {
      syscall: '#14805a',
      hypercall: '#1f72cf',
      exit: '#c94a00',
      inject: '#70460c',
      paging: '#4a1fc0',
      device: '#8c1272',
      schedule: '#6d7482',
      hole: '#000000',
    },
    place: {
      user: '#2f8f76',
      kernel: '#3b78b8',
      hypervisor: '#cc6a2f',
      switch: '#6b2d0c',
      hardware: '#6f7c90',
      ready: '#8174b5',
      idle: '#b4bfcd',
    },
  },
};

/** `#rrggbb` as a number, for the canvas. */
export function toNumber(colour: string): number {
  return Number.parseInt(colour.slice(1), 16);
}

/** The colour `share` of the way from `a` to `b`, both as numbers. */
export function mix(a: number, b: number, share: number): number {
  const part = (shift: number) => {
    const from = (a >> shift) & 255;
    return Math.round(from + (((b >> shift) & 255) - from) * share) << shift;
  };
  return part(16) | part(8) | part(0);
}

/** Custom properties of a scheme: `--c-panel`, `--c-meaning-exit`, `--c-place-user` … */
export function customProperties(palette: Palette): Record<string, string> {
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(palette)) {
    if (typeof value === 'string') properties[`--c-${name}`] = value;
    else
      for (const [key, colour] of Object.entries(value)) properties[`--c-${name}-${key}`] = colour as string;
  }
  return properties;
}

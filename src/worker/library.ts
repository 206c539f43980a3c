// Guests for the page: sources from the bundle; sealed ones as the image that the build made of them.

import sealed from 'virtual:sealed-guests';
import { GUESTS } from '../guests/catalog.ts';
import type { GuestLibrary } from '../session/library.ts';

const texts = import.meta.glob(['../guests/**/*.asm', '../guests/**/*.inc', '!../guests/panes/**'], {
  query: '?raw',
  import: 'default',
  eager: true,
}) as Record<string, string>;

/** The library of the bundle. */
export function bundledLibrary(): GuestLibrary {
  const files = new Map(Object.entries(texts).map(([path, text]) => [path.replace('../guests/', ''), text]));
  const images = new Map(
    Object.entries(sealed).map(([id, base64]) => [id, Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]),
  );
  return {
    includes: files,
    find(guest) {
      const entry = GUESTS.find((g) => g.id === guest);
      const bytes = images.get(guest);
      if (bytes) return { kind: 'image', name: entry?.title ?? guest, bytes };
      return entry && { kind: 'source', files, main: entry.main, sealed: entry.sealed };
    },
  };
}

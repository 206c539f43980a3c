// Light or dark: what the system prefers, until the learner chooses; the choice is kept.
import type { Scheme } from '../canvas/palette.ts';
import type { Store } from './store.svelte.ts';

const KEY = 'ringside.scheme';

/** Sets the scheme of the page now, and keeps the learner's choice for the next visit. */
export function followScheme(store: Store): void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const system = (): Scheme => (dark.matches ? 'dark' : 'light');
  const kept = read();
  store.setScheme(kept ?? system());
  dark.addEventListener('change', () => {
    if (!read()) store.setScheme(system());
  });
  store.onScheme((scheme) => {
    try {
      if (scheme === system()) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, scheme);
    } catch {
      // No storage: the choice lasts as long as the page.
    }
  });
}

function read(): Scheme | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'dark' || kept === 'light' ? kept : null;
  } catch {
    return null;
  }
}

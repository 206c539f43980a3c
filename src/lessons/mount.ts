// The lessons as a slot of the page (shell/slots.ts): loaded when the pane is opened first, lessons and all.
import { mount as mountComponent, unmount } from 'svelte';
import { flushEditor } from '../editor/offers.ts';
import { browserStorage } from '../editor/saved-work.ts';
import type { PageApi } from '../shell/slots.ts';
import { bundledLessons } from './bundle.ts';
import { Keeper, type TextStorage } from './keeper.ts';
import Lessons from './Lessons.svelte';

/** Fills the element with the lessons. Returns what takes them away again. */
export function mount(target: HTMLElement, page: PageApi): () => void {
  const keeper = new Keeper(textStorage(), browserStorage(), flushEditor);
  const component = mountComponent(Lessons, { target, props: { page, lessons: bundledLessons(), keeper } });
  return () => void unmount(component);
}

/** A browser that forbids storage throws at the very name. */
function textStorage(): TextStorage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

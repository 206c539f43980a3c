// The views into control structures, translated code, shared pages and address spaces as a slot of the page
// (shell/slots.ts): loaded when the pane is opened first.
import { mount as mountComponent, unmount } from 'svelte';
import type { PageApi } from '../shell/slots.ts';
import Inside from './Inside.svelte';

/** Fills the element with the views. Returns what takes them away again. */
export function mount(target: HTMLElement, page: PageApi): () => void {
  const component = mountComponent(Inside, { target, props: { page } });
  return () => void unmount(component);
}

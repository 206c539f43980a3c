// Composition root of the page: the store with a client that starts the worker, the rooms that are loaded lazily, and
// the Svelte application over them.
// First, for what it does: the machine begins while the rest of the page is still being evaluated.
import './worker/spawn.ts';
import { mount } from 'svelte';
import { SHIPPED } from './session/scenarios/shipped.ts';
import App from './shell/App.svelte';
import './shell/base.css';
import './shell/fonts.css';
import { followScheme } from './shell/scheme.ts';
import type { Slot, SlotLoader } from './shell/slots.ts';
import { Store } from './shell/store.svelte.ts';
import { Client } from './worker/client.ts';
import { takeWorker } from './worker/spawn.ts';

/** Rooms that mount themselves: `mount.ts` exports what shell/slots.ts calls a Slot. */
const rooms = import.meta.glob(['./editor/mount.ts', './lessons/mount.ts', './inside/mount.ts']) as Record<
  string,
  () => Promise<Slot>
>;
const room = (path: string): SlotLoader => rooms[path] ?? null;

const store = new Store(() => new Client(takeWorker()));
store.scenarios = SHIPPED.map((value) => ({
  name: value.name,
  title: value.title,
  summary: value.summary,
  value,
}));
followScheme(store);
store.start(null);

mount(App, {
  target: document.getElementById('app')!,
  props: {
    store,
    editor: room('./editor/mount.ts'),
    lessons: room('./lessons/mount.ts'),
    inside: room('./inside/mount.ts'),
  },
});

// The playground: the page's own components over a canned port. `?scene=slow&scheme=light`; without `bare`, with a menu.
import { mount } from 'svelte';
import type { Stage } from '../../canvas/stage.ts';
import { Kind } from '../../trace/events.ts';
import { Client } from '../../worker/client.ts';
import App from '../App.svelte';
import '../base.css';
import '../fonts.css';
import { Store } from '../store.svelte.ts';
import { CannedWorker } from './canned-worker.ts';
import Menu from './Menu.svelte';
import { SCENES } from './scenes.ts';

const query = new URLSearchParams(location.search);
const scene = SCENES.find((s) => s.name === query.get('scene')) ?? SCENES[1];
const store = new Store(
  () => new Client(new CannedWorker({ ...scene, crashed: scene.crashed ?? -1, before: 3000 })),
);
store.scenarios = [{ name: 'canned', title: 'Playground: canned frames', summary: '', value: null }];
store.setScheme(query.get('scheme') === 'light' ? 'light' : 'dark');
if (scene.pane) store.openPane(scene.pane);
store.start(null);
if (scene.select) {
  const stop = store.on('frame', () => {
    const row = store.rows.findLast((r) => r.event.kind === Kind.exit && r.event.e === 1);
    if (!row) return;
    stop();
    store.setFollow(false);
    store.select(row.event.seq);
  });
}
mount(App, {
  target: document.getElementById('app')!,
  props: {
    store,
    editor: null,
    lessons: null,
    inside: null,
    onstage: (stage: Stage) => Object.assign(window, { stageStats: stage.stats, store }),
  },
});
if (!query.has('bare'))
  mount(Menu, { target: document.body, props: { scene: scene.name, scheme: store.scheme } });

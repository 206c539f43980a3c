// The editor as a slot of the page (shell/slots.ts): loaded when its pane is opened first, with Monaco, as a chunk of its own.
import type { PageApi } from '../shell/slots.ts';
import { prepareMonaco, showScheme } from './monaco.ts';
import { registerProviders } from './providers.ts';
import { Room } from './room.ts';
import './style.css';

/** Fills the element with the editor. Returns what takes it away again. */
export function mount(target: HTMLElement, page: PageApi): () => void {
  prepareMonaco();
  registerProviders();
  showScheme(page.scheme);
  const room = new Room(page);
  target.append(room.element);
  const stop = page.onScheme(showScheme);
  return () => {
    stop();
    room.dispose();
  };
}

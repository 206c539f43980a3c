// The files of a program as a tree, main file first, and the names that they define. With text in the search field: files
// and names of the whole program that contain it.
import { el } from './dom.ts';
import type { FileNode } from './includes.ts';
import { fileNames } from './includes.ts';
import type { Definition } from './outline.ts';
import type { Count } from './problems.ts';

export interface FileListState {
  readonly tree: FileNode | undefined;
  readonly current: string;
  /** Files of the learner that nothing includes yet. */
  readonly extra: readonly string[];
  readonly changed: readonly string[];
  readonly counts: ReadonlyMap<string, Count>;
  readonly definitions: readonly Definition[];
}

const MAX_ROWS = 300;
const KIND_MARK: Record<Definition['kind'], string> = {
  label: '›',
  local: '·',
  constant: '=',
  macro: '%',
  define: '%',
  structure: '#',
};

export class FileList {
  readonly element: HTMLElement;
  private readonly search: HTMLInputElement;
  private readonly rows = el('ul', { class: 'rs-rows' });
  private state: FileListState | null = null;

  /**
   * @param open a file was chosen, perhaps with a line
   * @param close Escape was pressed
   * @param create a new file is wanted; returns why it cannot be, or null
   */
  constructor(
    private readonly open: (file: string, line?: number) => void,
    close: () => void,
    create: (name: string) => string | null,
  ) {
    this.search = el('input', {
      type: 'search',
      placeholder: 'Find a file or name',
      'aria-label': 'Find a file or name',
      spellcheck: 'false',
      oninput: () => this.draw(),
    });
    const name = el('input', {
      placeholder: 'New file, as my.inc',
      'aria-label': 'Name of a new file',
      spellcheck: 'false',
    });
    const reason = el('p', { class: 'rs-dim', role: 'status' });
    const add = (event: SubmitEvent) => {
      event.preventDefault();
      const wanted = name.value.trim();
      if (!wanted) return;
      const refused = create(wanted);
      reason.textContent = refused ?? '';
      name.setAttribute('aria-invalid', `${refused !== null}`);
      if (refused === null) name.value = '';
    };
    this.element = el(
      'nav',
      { class: 'rs-files', 'aria-label': 'Files and names' },
      this.search,
      this.rows,
      el(
        'form',
        { class: 'rs-new-file', onsubmit: add },
        name,
        el('button', { type: 'submit', class: 'rs-quiet' }, 'Add'),
        reason,
      ),
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close();
      else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') this.move(event);
    });
  }

  show(state: FileListState): void {
    this.state = state;
    if (!this.element.hidden) this.draw();
  }

  /** Called when it has become visible. */
  opened(): void {
    this.search.value = '';
    this.draw();
    this.search.focus();
    this.rows.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
  }

  private draw(): void {
    const { state } = this;
    if (!state) return;
    const wanted = this.search.value.trim().toLowerCase();
    const rows = wanted
      ? this.found(state, wanted)
      : [
          ...(state.tree ? this.nodes(state, state.tree, 0) : []),
          ...state.extra.map((name) => this.file(state, name, 0, 'not included')),
        ];
    this.rows.replaceChildren(...rows.slice(0, MAX_ROWS));
    if (rows.length === 0) this.rows.append(el('li', { class: 'rs-dim' }, 'Nothing of that name.'));
  }

  private nodes(state: FileListState, node: FileNode, depth: number): HTMLElement[] {
    const names = node.name === state.current ? this.names(state, node.name, depth + 1) : [];
    return [
      this.file(state, node.name, depth),
      ...names,
      ...node.children.flatMap((child) => this.nodes(state, child, depth + 1)),
    ];
  }

  private names(state: FileListState, file: string, depth: number): HTMLElement[] {
    return state.definitions
      .filter((d) => d.file === file && (d.kind === 'label' || d.kind === 'macro'))
      .map((d) => this.name(d, depth));
  }

  private found(state: FileListState, wanted: string): HTMLElement[] {
    const files = fileNames(state.tree).filter((name) => name.toLowerCase().includes(wanted));
    const names = state.definitions.filter(
      (d) => d.kind !== 'local' && d.name.toLowerCase().includes(wanted),
    );
    names.sort(
      (a, b) =>
        Number(b.name.toLowerCase().startsWith(wanted)) - Number(a.name.toLowerCase().startsWith(wanted)),
    );
    return [...files.map((name) => this.file(state, name, 0)), ...names.map((d) => this.name(d, 0, true))];
  }

  private file(state: FileListState, name: string, depth: number, remark = ''): HTMLElement {
    const count = state.counts.get(name);
    const changed = state.changed.includes(name);
    const base = name.slice(name.lastIndexOf('/') + 1);
    return el(
      'li',
      {},
      el(
        'button',
        {
          type: 'button',
          class: 'rs-file',
          style: `--depth: ${depth}`,
          title: name,
          'aria-current': name === state.current ? 'true' : null,
          onclick: () => this.open(name),
        },
        el('span', { class: 'rs-grow' }, base),
        remark ? el('span', { class: 'rs-dim' }, remark) : null,
        changed
          ? el(
              'span',
              { class: 'rs-changed', title: 'differs from the original' },
              '●',
              el('span', { class: 'rs-hidden' }, ' changed'),
            )
          : null,
        count && count.errors > 0
          ? el(
              'span',
              { class: 'rs-count', 'data-state': 'bad' },
              `${count.errors}`,
              el('span', { class: 'rs-hidden' }, ' errors'),
            )
          : null,
      ),
    );
  }

  private name(d: Definition, depth: number, withFile = false): HTMLElement {
    return el(
      'li',
      {},
      el(
        'button',
        {
          type: 'button',
          class: 'rs-name',
          style: `--depth: ${depth}`,
          title: d.comment || `${d.file}, line ${d.line}`,
          onclick: () => this.open(d.file, d.line),
        },
        el('span', { class: 'rs-mark', 'aria-hidden': 'true' }, KIND_MARK[d.kind]),
        el('span', { class: 'rs-grow' }, d.name),
        withFile ? el('span', { class: 'rs-dim' }, d.file.slice(d.file.lastIndexOf('/') + 1)) : null,
      ),
    );
  }

  private move(event: KeyboardEvent): void {
    const stops = [this.search, ...this.rows.querySelectorAll('button')];
    const at = stops.indexOf(document.activeElement as HTMLButtonElement);
    stops[Math.max(0, Math.min(stops.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1)))]?.focus();
    event.preventDefault();
  }
}

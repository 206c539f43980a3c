// What the store holds: a tree of small values, each with an owner and permissions (docs/misc/xenstore.txt). Nothing here
// knows of rings or messages. Text is bytes: one character a byte.

/** Error names as they go over the wire (io/xs_wire.h, xsd_errors). */
export type StoreErrorName =
  | 'EINVAL'
  | 'EACCES'
  | 'EEXIST'
  | 'ENOENT'
  | 'ENOSPC'
  | 'E2BIG'
  | 'ENOSYS'
  | 'EAGAIN'
  | 'EBUSY';

export class StoreError extends Error {
  constructor(readonly code: StoreErrorName) {
    super(code);
  }
}

/** `n` none, `r` read, `w` write, `b` both; the first of a list is the owner, and says what all others may. */
export interface Permission {
  readonly may: 'n' | 'r' | 'w' | 'b';
  readonly domid: number;
}

export interface StoreNode {
  readonly value: string;
  readonly permissions: readonly Permission[];
  /** Last parts of the paths below, sorted. */
  readonly children: readonly string[];
  /** Counts changes of the whole tree; that of the last one here. */
  readonly generation: number;
}

/** What one domain may use (xenstored's default quotas). */
const MAX_NODES = 1000;
const MAX_VALUE = 2048;

/** Where a transaction looks and writes. */
export interface StoreView {
  get(path: string): StoreNode | undefined;
  set(path: string, node: StoreNode | undefined): void;
  /** Number for the next change. */
  next(): number;
}

export const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));
const lastOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export class StoreTree implements StoreView {
  readonly nodes = new Map<string, StoreNode>();
  private generation = 0;
  private readonly owned = new Map<number, number>();

  constructor() {
    this.set('/', { value: '', permissions: [{ may: 'n', domid: 0 }], children: [], generation: 0 });
  }

  get(path: string): StoreNode | undefined {
    return this.nodes.get(path);
  }

  set(path: string, node: StoreNode | undefined): void {
    const before = this.nodes.get(path);
    if (before) this.count(before, -1);
    if (node) {
      this.count(node, 1);
      this.nodes.set(path, node);
    } else this.nodes.delete(path);
  }

  next(): number {
    return ++this.generation;
  }

  /** Nodes that a domain owns. */
  ownedBy(domid: number): number {
    return this.owned.get(domid) ?? 0;
  }

  private count(node: StoreNode, by: number): void {
    const { domid } = node.permissions[0];
    this.owned.set(domid, this.ownedBy(domid) + by);
  }
}

/** The whole path of a name that a domain gave. Throws EINVAL for what is no path. */
export function absolutePath(name: string, domid: number): string {
  const path = name.startsWith('/') ? name : `/local/domain/${domid}/${name}`;
  if (path === '/') return path;
  const good = /^(\/[A-Za-z0-9\-_@]+)+$/.test(path) && path.length <= 3072;
  if (!good || (name.length > 2048 && !name.startsWith('/'))) throw new StoreError('EINVAL');
  return path;
}

function may(node: StoreNode, domid: number, what: 'r' | 'w'): boolean {
  if (domid === 0 || node.permissions[0].domid === domid) return true;
  const own = node.permissions.slice(1).find((p) => p.domid === domid) ?? node.permissions[0];
  return own.may === what || own.may === 'b';
}

/** The node, if the domain may read it. */
export function readable(view: StoreView, path: string, domid: number): StoreNode {
  const node = view.get(path);
  if (!node) throw new StoreError('ENOENT');
  if (!may(node, domid, 'r')) throw new StoreError('EACCES');
  return node;
}

/** Creates missing nodes on the way down; those inherit permissions, and belong to whoever makes them. */
function make(view: StoreView, tree: StoreTree, path: string, domid: number): void {
  const missing: string[] = [];
  let at = path;
  for (; !view.get(at); at = parentOf(at)) missing.push(at);
  const above = view.get(at)!;
  if (!may(above, domid, 'w')) throw new StoreError('EACCES');
  if (domid !== 0 && tree.ownedBy(domid) + missing.length > MAX_NODES) throw new StoreError('ENOSPC');
  let parent = at;
  let permissions = above.permissions;
  if (domid !== 0) permissions = [{ may: permissions[0].may, domid }, ...permissions.slice(1)];
  for (const next of missing.reverse()) {
    const { value, permissions: own, children } = view.get(parent)!;
    const generation = view.next();
    view.set(parent, { value, permissions: own, children: [...children, lastOf(next)].sort(), generation });
    view.set(next, { value: '', permissions, children: [], generation });
    parent = next;
  }
}

export function write(view: StoreView, tree: StoreTree, path: string, domid: number, value: string): void {
  if (path === '/') throw new StoreError('EINVAL');
  if (value.length > MAX_VALUE) throw new StoreError('E2BIG');
  const before = view.get(path);
  if (before && !may(before, domid, 'w')) throw new StoreError('EACCES');
  if (!before) make(view, tree, path, domid);
  view.set(path, { ...view.get(path)!, value, generation: view.next() });
}

export function makeDirectory(view: StoreView, tree: StoreTree, path: string, domid: number): void {
  const before = view.get(path);
  if (before && !may(before, domid, 'w')) throw new StoreError('EACCES');
  if (!before) make(view, tree, path, domid);
}

/** Takes a node away with all that is below it. @returns the paths that went */
export function remove(view: StoreView, path: string, domid: number): string[] {
  if (path === '/') throw new StoreError('EINVAL');
  const node = view.get(path);
  const parent = view.get(parentOf(path));
  // One that is not there is gone already, if the place for it is.
  if (!node) {
    if (!parent) throw new StoreError('ENOENT');
    return [];
  }
  if (!may(node, domid, 'w')) throw new StoreError('EACCES');
  const gone: string[] = [];
  const take = (at: string): void => {
    for (const child of view.get(at)?.children ?? []) take(`${at}/${child}`);
    view.set(at, undefined);
    gone.push(at);
  };
  take(path);
  if (parent) {
    const children = parent.children.filter((name) => name !== lastOf(path));
    view.set(parentOf(path), { ...parent, children, generation: view.next() });
  }
  return gone;
}

export function setPermissions(
  view: StoreView,
  path: string,
  domid: number,
  permissions: readonly Permission[],
): void {
  const node = view.get(path);
  if (!node) throw new StoreError('ENOENT');
  const owner = node.permissions[0].domid;
  // Only domain 0 gives a node away.
  if (domid !== 0 && (owner !== domid || permissions[0].domid !== domid)) throw new StoreError('EACCES');
  view.set(path, { ...node, permissions, generation: view.next() });
}

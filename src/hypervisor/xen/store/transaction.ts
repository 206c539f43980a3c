// A transaction sees the tree as it is, with its own changes on top, and is carried out as a whole when it ends, or not at
// all: when somebody else has changed meanwhile what it looked at, the answer is EAGAIN and the guest begins again.
import type { StoreNode, StoreTree, StoreView } from './tree.ts';

export class Transaction implements StoreView {
  /** Generation of everything that was looked at, -1 for what was not there. */
  private readonly seen = new Map<string, number>();
  private readonly changed = new Map<string, StoreNode | undefined>();
  /** Paths whose watchers will hear of it. */
  readonly touched = new Set<string>();

  constructor(private readonly tree: StoreTree) {}

  get(path: string): StoreNode | undefined {
    if (this.changed.has(path)) return this.changed.get(path);
    const node = this.tree.get(path);
    if (!this.seen.has(path)) this.seen.set(path, node?.generation ?? -1);
    return node;
  }

  set(path: string, node: StoreNode | undefined): void {
    this.get(path);
    this.changed.set(path, node);
  }

  next(): number {
    return this.tree.next();
  }

  /** Nodes that it holds: bounds what a guest can pile up without committing. */
  get size(): number {
    return this.seen.size;
  }

  /** Carries it out. False when what it looked at has changed. */
  commit(): boolean {
    for (const [path, generation] of this.seen)
      if ((this.tree.get(path)?.generation ?? -1) !== generation) return false;
    for (const [path, node] of this.changed) this.tree.set(path, node);
    return true;
  }
}

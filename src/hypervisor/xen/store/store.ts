// The store that all domains of a host share, with its watches: whoever watches a path hears of every change at it or below
// it (docs/misc/xenstore.txt, tools/xenstore). Domain 0's own users (backends, the console) call it directly.
import { Transaction } from './transaction.ts';
import {
  absolutePath,
  makeDirectory,
  type Permission,
  readable,
  remove,
  StoreError,
  StoreTree,
  type StoreView,
  setPermissions,
  write,
} from './tree.ts';

/** xenstored's default quotas for one domain. */
const MAX_WATCHES = 128;
const MAX_TRANSACTIONS = 10;
/** Nodes that one transaction may look at or change. */
const MAX_TRANSACTION_NODES = 1024;

export interface Watch {
  readonly domid: number;
  /** As the watcher said it: events name paths in the same way. */
  readonly path: string;
  readonly token: string;
  readonly absolute: string;
  readonly fire: (path: string, token: string) => void;
}

export class Store {
  private readonly tree = new StoreTree();
  private watches: Watch[] = [];
  private readonly transactions = new Map<number, { domid: number; transaction: Transaction }>();
  private lastTransaction = 0;

  // ---- for domains

  private view(domid: number, transaction: number): StoreView {
    if (!transaction) return this.tree;
    const open = this.transactions.get(transaction);
    if (open?.domid !== domid) throw new StoreError('ENOENT');
    if (open.transaction.size > MAX_TRANSACTION_NODES) throw new StoreError('ENOSPC');
    return open.transaction;
  }

  read(domid: number, name: string, transaction = 0): string {
    return readable(this.view(domid, transaction), absolutePath(name, domid), domid).value;
  }

  directory(domid: number, name: string, transaction = 0): readonly string[] {
    return readable(this.view(domid, transaction), absolutePath(name, domid), domid).children;
  }

  permissions(domid: number, name: string, transaction = 0): readonly Permission[] {
    return readable(this.view(domid, transaction), absolutePath(name, domid), domid).permissions;
  }

  write(domid: number, name: string, value: string, transaction = 0): void {
    const path = absolutePath(name, domid);
    write(this.view(domid, transaction), this.tree, path, domid, value);
    this.changed(transaction, [path]);
  }

  makeDirectory(domid: number, name: string, transaction = 0): void {
    const path = absolutePath(name, domid);
    makeDirectory(this.view(domid, transaction), this.tree, path, domid);
    this.changed(transaction, [path]);
  }

  remove(domid: number, name: string, transaction = 0): void {
    const path = absolutePath(name, domid);
    this.changed(transaction, remove(this.view(domid, transaction), path, domid));
  }

  setPermissions(domid: number, name: string, permissions: readonly Permission[], transaction = 0): void {
    const path = absolutePath(name, domid);
    setPermissions(this.view(domid, transaction), path, domid, permissions);
    this.changed(transaction, [path]);
  }

  start(domid: number): number {
    const open = [...this.transactions.values()].filter((t) => t.domid === domid).length;
    if (open >= MAX_TRANSACTIONS) throw new StoreError('ENOSPC');
    do this.lastTransaction = (this.lastTransaction + 1) & 0x7fffffff;
    while (!this.lastTransaction || this.transactions.has(this.lastTransaction));
    this.transactions.set(this.lastTransaction, { domid, transaction: new Transaction(this.tree) });
    return this.lastTransaction;
  }

  end(domid: number, number: number, commit: boolean): void {
    const open = this.transactions.get(number);
    if (open?.domid !== domid) throw new StoreError('ENOENT');
    this.transactions.delete(number);
    if (!commit) return;
    if (!open.transaction.commit()) throw new StoreError('EAGAIN');
    this.fire([...open.transaction.touched]);
  }

  watch(domid: number, path: string, token: string, fire: Watch['fire']): void {
    const absolute = path.startsWith('@') ? path : absolutePath(path, domid);
    if (this.watches.some((w) => w.domid === domid && w.path === path && w.token === token))
      throw new StoreError('EEXIST');
    if (domid !== 0 && this.watches.filter((w) => w.domid === domid).length >= MAX_WATCHES)
      throw new StoreError('E2BIG');
    this.watches.push({ domid, path, token, absolute, fire });
    // The first event comes at once: so nobody has to ask whether something was there before.
    fire(path, token);
  }

  unwatch(domid: number, path: string, token: string): void {
    const at = this.watches.findIndex((w) => w.domid === domid && w.path === path && w.token === token);
    if (at < 0) throw new StoreError('ENOENT');
    this.watches.splice(at, 1);
  }

  /** Watches and transactions of a domain that goes, or begins anew. */
  forget(domid: number): void {
    this.watches = this.watches.filter((w) => w.domid !== domid);
    for (const [number, open] of this.transactions)
      if (open.domid === domid) this.transactions.delete(number);
  }

  // ---- for domain 0's own

  /** The value, or undefined. */
  get(path: string): string | undefined {
    return this.tree.get(path)?.value;
  }

  /** Writes with everything that is missing above. @param readers domains that may read it, beside `owner` */
  put(path: string, value: string, owner = 0, readers: readonly number[] = []): void {
    if (this.tree.get(path)?.value === value) return;
    const fresh = !this.tree.get(path);
    write(this.tree, this.tree, path, 0, value);
    if (fresh)
      setPermissions(this.tree, path, 0, [
        { may: 'n', domid: owner },
        ...readers.map((domid) => ({ may: 'r' as const, domid })),
      ]);
    this.fire([path]);
  }

  delete(path: string): void {
    if (this.tree.get(path)) this.fire(remove(this.tree, path, 0));
  }

  private changed(transaction: number, paths: readonly string[]): void {
    if (!transaction) this.fire(paths);
    else for (const path of paths) this.transactions.get(transaction)!.transaction.touched.add(path);
  }

  /** Watchers hear of changes at or below what they watch; of a removal also those that watch below. */
  private fire(paths: readonly string[]): void {
    for (const path of paths)
      for (const watch of [...this.watches]) {
        const inside =
          watch.absolute === '/' || path === watch.absolute || path.startsWith(`${watch.absolute}/`);
        if (!inside) continue;
        const relative = !watch.path.startsWith('/');
        watch.fire(relative ? watch.path + path.slice(watch.absolute.length) : path, watch.token);
      }
  }
}

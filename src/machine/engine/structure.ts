// Structured control flow for a graph of blocks: WebAssembly has no goto. Dominator-tree translation after Ramsey, "Beyond
// Relooper" (ICFP 2022). All entries hang under one dispatching root; what is not reducible becomes an entry too and is
// reached through the root.

export interface Graph {
  /** Successors by node, in order; the root is not among the nodes. */
  readonly successors: readonly (readonly number[])[];
}

export interface Structure {
  /** Nodes that the dispatcher at the root can jump to; the index in this list is the number it jumps by. */
  readonly entries: readonly number[];
  /** Nodes in reverse postorder, without unreachable ones. */
  readonly order: readonly number[];
  /** Place in that order. */
  readonly place: readonly number[];
  /** Immediate dominator; -1 = the root. */
  readonly dominator: readonly number[];
  /** Reached by more than one forward edge: gets a block of its own to break to. */
  readonly merge: readonly boolean[];
  /** Reached by a backward edge from a node that it dominates. */
  readonly loop: readonly boolean[];
  /** True when this edge must go through the dispatcher. */
  throughRoot(from: number, to: number): boolean;
}

/** @param wanted nodes that must be entries; loop heads are made entries too when `loopsToo` */
export function structureOf(graph: Graph, wanted: readonly number[], loopsToo: boolean): Structure {
  const entries = [...new Set(wanted)];
  for (;;) {
    const attempt = analyse(graph, entries);
    const missing = attempt.irreducible.filter((n) => !entries.includes(n));
    if (loopsToo) for (const n of attempt.order) if (attempt.loop[n] && !entries.includes(n)) missing.push(n);
    if (missing.length === 0) return attempt;
    for (const n of missing) if (!entries.includes(n)) entries.push(n);
  }
}

function analyse(graph: Graph, entries: readonly number[]): Structure & { irreducible: number[] } {
  const count = graph.successors.length;
  const order = reversePostorder(graph, entries);
  const place: number[] = new Array(count).fill(-1);
  order.forEach((n, at) => (place[n] = at));
  const predecessors: number[][] = Array.from({ length: count }, () => []);
  for (const n of order) for (const to of graph.successors[n]) predecessors[to].push(n);
  const dominator = dominators(order, place, predecessors, new Set(entries));
  const dominates = (a: number, b: number) => {
    let n = b;
    while (n !== -1 && place[n] > place[a]) n = dominator[n];
    return n === a;
  };
  const forward: number[] = new Array(count).fill(0);
  const loop: boolean[] = new Array(count).fill(false);
  const irreducible: number[] = [];
  for (const n of entries) forward[n] = 2;
  for (const n of order) {
    for (const to of graph.successors[n]) {
      if (place[to] > place[n]) forward[to]++;
      else if (dominates(to, n)) loop[to] = true;
      else irreducible.push(to);
    }
  }
  return {
    entries,
    order,
    place,
    dominator,
    merge: forward.map((edges) => edges > 1),
    loop,
    irreducible,
    throughRoot: (from, to) => place[to] <= place[from] && !dominates(to, from),
  };
}

function reversePostorder(graph: Graph, entries: readonly number[]): number[] {
  const done = new Set<number>();
  const order: number[] = [];
  for (let n = entries.length - 1; n >= 0; n--) {
    if (done.has(entries[n])) continue;
    const stack: { node: number; next: number }[] = [{ node: entries[n], next: 0 }];
    done.add(entries[n]);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const successors = graph.successors[top.node];
      if (top.next === successors.length) {
        order.push(top.node);
        stack.pop();
        continue;
      }
      const to = successors[top.next++];
      if (done.has(to)) continue;
      done.add(to);
      stack.push({ node: to, next: 0 });
    }
  }
  return order.reverse();
}

/** Cooper, Harvey, Kennedy: "A simple, fast dominance algorithm". */
function dominators(
  order: readonly number[],
  place: readonly number[],
  predecessors: readonly (readonly number[])[],
  entries: ReadonlySet<number>,
): number[] {
  const UNKNOWN = -2;
  const result: number[] = new Array(place.length).fill(UNKNOWN);
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      if (a === -1 || b === -1) return -1;
      if (place[a] > place[b]) a = result[a];
      else b = result[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      let found = entries.has(n) ? -1 : UNKNOWN;
      for (const p of predecessors[n]) {
        if (result[p] === UNKNOWN) continue;
        found = found === UNKNOWN ? p : meet(found, p);
      }
      if (found !== result[n]) {
        result[n] = found;
        changed = true;
      }
    }
  }
  return result;
}

/** Nodes that some nodes lead to, themselves among them. */
export function reachable(successors: readonly (readonly number[])[], from: Iterable<number>): Set<number> {
  const seen = new Set(from);
  const work = [...seen];
  while (work.length > 0) {
    for (const s of successors[work.pop()!]) {
      if (seen.has(s)) continue;
      seen.add(s);
      work.push(s);
    }
  }
  return seen;
}

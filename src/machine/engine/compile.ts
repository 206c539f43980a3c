// One region → one WebAssembly module: its blocks in structured control flow, a prologue that loads the registers, an
// epilogue that stores them. Time is charged at the head of a block, and given back at an exit in its middle; the budget is
// looked at where control can come round again, against the longest way to the next such place.
import { reachBeyond } from './beyond-code.ts';
import {
  COUNTING,
  checkDynamicTarget,
  checkTarget,
  countDown,
  pushBranch,
  pushReturn,
} from './branch-code.ts';
import { entriesOf, isWorth } from './entries.ts';
import { settle, wordHelper } from './flags-code.ts';
import {
  type Assumptions,
  EXIT_LABEL,
  type Exit,
  Frame,
  I32_LOCALS,
  I64_LOCALS,
  IMPORTS,
  Local,
  MORE_LOCALS,
  ONWARD,
  ONWARD_LABEL,
  ROOT_LABEL,
} from './frame.ts';
import { dropStack, lower, peek } from './lower.ts';
import { fetch } from './operands-code.ts';
import { epilogue, prologue } from './prologue.ts';
import { type Block, costsOneEach, type Leaving, type Region, type Step } from './region.ts';
import { type Rotation, rotate } from './rotation.ts';
import { given, State } from './state.ts';
import { type Structure, structureOf } from './structure.ts';
import { Way } from './transfer-words.ts';
import { COMFORT } from './translations.ts';
import { moduleOf, Op, Writer } from './wasm-writer.ts';

export interface CompiledRegion {
  readonly bytes: Uint8Array;
  readonly exits: readonly Exit[];
  /** Offsets in the page where it can be entered; the index is what the function takes. */
  readonly entries: readonly number[];
  /** Of each, whether enough can be run from there. */
  readonly worth: readonly boolean[];
}

/** More sites than this that one RET may go to are found through the table. */
const MOST_RETURNS = 4;

const PAGE = 4096;

const blockLabel = (node: number) => node * 2;
const loopLabel = (node: number) => node * 2 + 1;

class Compiler {
  private readonly f: Frame;
  /** Each instruction costs one cycle: then cycles count instructions too. */
  private readonly uniform: boolean;
  private readonly blocks: readonly Block[];
  private readonly nodeAt = new Map<number, number>();
  /** By entry, whether the interpreter should go in there: some are there for the sake of structure. */
  private readonly worth: readonly boolean[];
  private readonly rotation: Rotation;
  private readonly structure: Structure;
  /** Nodes that come behind what reaches beyond the region, which takes its time. */
  private readonly afterwards = new Set<number>();
  private readonly returns: readonly number[];
  /** Cycles on the longest way from a node to the next place that looks at the budget. */
  private readonly ahead: number[];

  constructor(
    { region, starts, targets, loopsToo, leaves, transfers }: Plan,
    assumes: Assumptions,
    knownCaches: number,
  ) {
    this.f = new Frame(assumes, knownCaches);
    const blocks = [...region.blocks.values()];
    blocks.forEach((b, n) => this.nodeAt.set(b.start, n));
    this.returns = region.returnSites.length > MOST_RETURNS ? [] : region.returnSites;
    const found = { successors: blocks.map((b) => this.successors(b.leaving)) };
    const inside = this.returns.length > 0;
    const entries = entriesOf(region, blocks, this.nodeAt, found.successors, starts, targets, inside);
    const onward = found.successors.map((to, n) => (leaves(blocks[n].leaving) ? [] : to));
    const worth = (n: number) => isWorth(blocks, onward, n, transfers);
    const plain = structureOf(found, entries.filter(worth), loopsToo);
    this.worth = plain.entries.map(worth);
    this.rotation = rotate(blocks, found.successors, plain);
    this.blocks = this.rotation.blocks;
    const graph = { successors: this.blocks.map((_, n) => this.successorsOf(n)) };
    // The loops are the same ones, so nothing more becomes an entry.
    this.structure = structureOf(graph, plain.entries, false);
    if (this.structure.entries.length !== plain.entries.length)
      throw new Error('turning a loop has made it another');
    this.uniform = assumes.walks.size === 0 && this.blocks.every(costsOneEach);
    for (const { leaving } of this.blocks) {
      const behind = leaving.kind === 'beyond' ? this.nodeAt.get(leaving.next) : undefined;
      if (behind !== undefined) this.afterwards.add(behind);
    }
    this.ahead = this.waysAhead(graph.successors);
    this.f.comfort = Math.max(...this.ahead) + COMFORT;
  }

  /** Something in the region takes translations away. */
  get forgets(): boolean {
    return this.f.assumes.walks.size > 0 || this.blocks.some((b) => b.leaving.kind === 'beyond');
  }

  get caches(): number {
    return this.f.caches.size;
  }

  compile(): CompiledRegion | null {
    const { code, exits, assumes, caches } = this.f;
    const { structure } = this;
    if (structure.entries.length === 0) return null;
    const { uniform } = this;
    code.block(EXIT_LABEL);
    code.block(ONWARD_LABEL);
    code.loop(ROOT_LABEL);
    this.within(this.mergesUnder(-1), () => {
      code.get(Local.next);
      const labels = structure.entries.map(blockLabel);
      code.brTable([...labels, labels[0]]);
    });
    code.end();
    code.op(Op.unreachable);
    code.end();
    epilogue(code, assumes, uniform);
    code.get(Local.exit);
    code.get(Local.t1);
    if (assumes.tailCalls) code.returnCall(ONWARD);
    else {
      code.call(ONWARD);
      code.op(Op.return);
    }
    code.end();
    epilogue(code, assumes, uniform);
    code.get(Local.exit);
    code.op(Op.end);
    // Only now it is known how many caches there are.
    const whole = new Writer();
    prologue(whole, assumes, uniform, caches.size);
    whole.append(code);
    const body = {
      params: 2,
      i32Locals: I32_LOCALS,
      i64Locals: I64_LOCALS,
      moreLocals: MORE_LOCALS + caches.size * 2,
      code: whole,
    };
    return {
      bytes: moduleOf([wordHelper(), body], { functions: IMPORTS }),
      exits,
      entries: structure.entries.map((n) => this.blocks[n].start),
      worth: this.worth,
    };
  }

  private successors(leaving: Leaving): number[] {
    const inside = (...targets: number[]) =>
      targets.map((at) => this.nodeAt.get(at)).filter((n) => n !== undefined);
    switch (leaving.kind) {
      case 'jump':
      case 'call':
        return inside(leaving.target);
      case 'beyond':
        return inside(leaving.next);
      case 'branch':
        return inside(leaving.taken, leaving.other);
      case 'return':
        return inside(...this.returns);
      default:
        return [];
    }
  }

  /** Of a node, in the loops as they were turned. */
  private successorsOf(node: number): number[] {
    const { rest, target } = this.rotation;
    const second = rest.get(node);
    if (second !== undefined) return [second];
    return this.successors(this.blocks[node].leaving).map((to) => target(node, to));
  }

  private looksAtBudget(node: number): boolean {
    const { before, copies } = this.rotation;
    if (this.structure.loop[node] && !before.has(node)) return true;
    return copies.has(node) || this.structure.entries.includes(node) || this.afterwards.has(node);
  }

  private waysAhead(successors: readonly (readonly number[])[]): number[] {
    const ahead: number[] = new Array(this.blocks.length).fill(-1);
    const from = (n: number): number => {
      if (ahead[n] >= 0) return ahead[n];
      const next = successors[n].map((s) => (this.looksAtBudget(s) ? 0 : from(s)));
      // What is charged before is not charged again.
      const cost = this.rotation.before.has(n) ? 0 : this.blocks[n].cost;
      ahead[n] = cost + Math.max(0, ...next);
      return ahead[n];
    };
    this.structure.order.forEach(from);
    return ahead;
  }

  // Structure.

  /** Merge nodes that a node (or the root, -1) dominates immediately, last one first. */
  private mergesUnder(node: number): number[] {
    const { order, dominator, merge, place } = this.structure;
    return order.filter((n) => dominator[n] === node && merge[n]).sort((a, b) => place[b] - place[a]);
  }

  private within(merges: readonly number[], inner: () => void): void {
    const { code } = this.f;
    if (merges.length === 0) {
      inner();
      return;
    }
    const [outermost, ...rest] = merges;
    code.block(blockLabel(outermost));
    this.within(rest, inner);
    code.end();
    this.f.flags = 'dynamic';
    this.tree(outermost);
  }

  private tree(node: number): void {
    const { code } = this.f;
    const loops = this.structure.loop[node];
    if (loops) {
      // A loop that was turned begins with the flags of one instruction, wherever it is come from.
      if (!this.rotation.before.has(node)) settle(this.f);
      code.loop(loopLabel(node));
    }
    this.within(this.mergesUnder(node), () => this.block(node));
    if (loops) code.end();
  }

  private goTo(from: number, at: number): void {
    const { f } = this;
    const to = this.rotation.rest.get(from) ?? this.nodeAt.get(at);
    if (to === undefined) {
      if (at >= 0 && at < PAGE) f.leaveTo(at);
      else {
        f.code.const((f.assumes.page + at) | 0);
        this.goOn();
      }
    } else this.goToNode(from, this.rotation.target(from, to));
  }

  private goToNode(from: number, to: number): void {
    const { f, structure } = this;
    if (structure.throughRoot(from, to)) {
      settle(f);
      f.code.const(structure.entries.indexOf(to));
      f.code.set(Local.next);
      f.code.br(ROOT_LABEL);
    } else if (structure.place[to] <= structure.place[from]) {
      if (!this.rotation.before.has(to)) settle(f);
      f.code.br(loopLabel(to));
    } else if (structure.merge[to]) {
      settle(f);
      f.code.br(blockLabel(to));
    } else this.tree(to);
  }

  /** Leaves for the address on the stack. */
  private goOn(): void {
    const { f } = this;
    f.code.set(Local.eip);
    settle(f);
    f.goOn();
  }

  private block(node: number): void {
    const { f } = this;
    const { code } = f;
    const block = this.blocks[node];
    f.at = block.start;
    f.blockCost = f.blockCount = f.doneCost = f.doneCount = 0;
    if (this.looksAtBudget(node)) {
      code.with(Local.budget, Op.i32LeS, this.ahead[node]);
      f.leaveHereIf();
    }
    f.blockCost = block.cost;
    f.blockCount = block.count;
    const before = this.rotation.before.get(node);
    if (before) {
      f.doneCost = before.cost;
      f.doneCount = before.count;
    } else if (block.count > 0) {
      code.with(Local.budget, Op.i32Sub, block.cost);
      code.set(Local.budget);
      if (!this.uniform) {
        code.with(Local.count, Op.i32Add, block.count);
        code.set(Local.count);
      }
    }
    for (const step of block.steps) {
      const { i } = step;
      f.begin(step);
      lower(f, i);
      f.doneCost += i.cost;
      f.doneCount++;
    }
    this.leave(node, block.leaving);
  }

  private leave(node: number, leaving: Leaving): void {
    const { f } = this;
    const { code } = f;
    if (leaving.kind !== 'stop' && leaving.step) f.begin(leaving.step);
    switch (leaving.kind) {
      case 'stop':
        this.goTo(node, leaving.at);
        return;
      case 'jump':
        if (leaving.step) checkTarget(f, leaving.target);
        this.goTo(node, leaving.target);
        return;
      case 'branch': {
        const { operation } = leaving.step.i.form;
        pushBranch(f, leaving.step.i);
        code.if();
        const { flags } = f;
        checkTarget(f, leaving.taken);
        if (COUNTING.has(operation)) countDown(f);
        this.goTo(node, leaving.taken);
        code.end();
        f.flags = flags;
        this.restoreCounters(node, leaving.step);
        if (COUNTING.has(operation)) countDown(f);
        this.goTo(node, leaving.other);
        return;
      }
      case 'call':
        checkTarget(f, leaving.target);
        pushReturn(f, leaving.back);
        this.goTo(node, leaving.target);
        return;
      case 'return':
        this.return(node, leaving.step);
        return;
      case 'interrupt':
        settle(f);
        code.const((f.assumes.page + leaving.back) | 0);
        code.set(Local.eip);
        f.transfer(Way.gate + (leaving.step.i.immediate & 0xff));
        return;
      case 'iret':
        settle(f);
        f.transfer(Way.iret);
        return;
      case 'beyond':
        reachBeyond(f, leaving.step.i);
        given(f, State.disturbed);
        code.if();
        f.leaveTo(leaving.next);
        code.end();
        this.goTo(node, leaving.next);
        return;
      case 'indirect':
        fetch(f, leaving.step.i, 0, Local.eip);
        checkDynamicTarget(f, Local.eip);
        if (leaving.step.i.form.operation === 'call') pushReturn(f, leaving.back);
        this.byTable();
    }
  }

  private return(node: number, step: Step): void {
    const { f } = this;
    const { code } = f;
    peek(f, Local.eip);
    checkDynamicTarget(f, Local.eip);
    dropStack(f, 4 + step.i.immediate);
    const { flags } = f;
    for (const site of this.returns) {
      if (!this.nodeAt.has(site)) continue;
      code.with(Local.eip, Op.i32Eq, (f.assumes.page + site) | 0);
      code.if();
      this.goTo(node, site);
      code.end();
      f.flags = flags;
      this.restoreCounters(node, step);
    }
    this.byTable();
  }

  /** Goes on at the place in `eip` when that is an entry, or leaves. */
  private byTable(): void {
    const { f } = this;
    const { code, assumes } = f;
    if (assumes.table >= 0) {
      const { flags } = f;
      code.with(Local.eip, Op.i32Sub, assumes.page | 0);
      code.tee(Local.t0);
      code.const(0x1000);
      code.op(Op.i32LtU);
      code.if();
      code.get(Local.t0);
      given(f, State.table);
      code.op(Op.i32Add);
      code.memory(Op.i32Load8u);
      code.tee(Local.t0);
      code.if();
      code.with(Local.t0, Op.i32Sub, 1);
      code.set(Local.next);
      settle(f);
      code.br(ROOT_LABEL);
      code.end();
      code.end();
      f.flags = flags;
    }
    code.get(Local.eip);
    this.goOn();
  }

  /** Code for other blocks may have been written in between. */
  private restoreCounters(node: number, step: Step): void {
    const { f } = this;
    f.begin(step);
    f.doneCost = this.blocks[node].cost - step.i.cost;
    f.doneCount = this.blocks[node].count - 1;
    const block = this.blocks[node];
    f.blockCost = block.cost;
    f.blockCount = block.count;
  }
}

/** What to compile, and how. */
export interface Plan {
  readonly region: Region;
  /** Offsets of instructions that were found hot. */
  readonly starts: readonly number[];
  /** Offsets that were jumped to through registers and memory. */
  readonly targets: ReadonlySet<number>;
  /** Every loop can be entered: for code that often leaves in the middle. */
  readonly loopsToo: boolean;
  /** Whether it is IN, OUT, MOV CR3 or INVLPG that is not the program's own, and so not done in the region. */
  readonly leaves: (leaving: Leaving) => boolean;
  /** INT and IRET do not lead to a monitor. */
  readonly transfers: boolean;
}

/** @returns null when there is no way in that is worth it */
export function compileRegion(plan: Plan, assumes: Assumptions): CompiledRegion | null {
  const compiler = new Compiler(plan, assumes, 0);
  const made = compiler.compile();
  // What takes translations away must forget all that are remembered, and only now it is known how many.
  return made && compiler.forgets ? new Compiler(plan, assumes, compiler.caches).compile() : made;
}

// The player on a page without a display: a real session answers, frames come when the test says so.
import { describe, expect, it } from 'vitest';
import { findLesson } from '../cli/lesson.ts';
import { nodeLibrary } from '../cli/library.ts';
import { offeredSources } from '../editor/offers.ts';
import type { GuestSource } from '../session/library.ts';
import { observe } from '../session/observe.ts';
import { parseScenario } from '../session/scenario.ts';
import { Session } from '../session/session.ts';
import type { LessonNote, PageApi, Pane, PointTarget } from '../shell/slots.ts';
import type { Frame, FromWorker, GuestFiles, Question } from '../worker/protocol.ts';
import { Keeper } from './keeper.ts';
import type { Lesson } from './loader.ts';
import { Player } from './player.ts';

const source = ({ files, main }: Omit<GuestFiles, 'guest'>): GuestSource => ({
  kind: 'source',
  files: new Map(files.map(({ name, text }) => [name, text])),
  main,
  sealed: false,
});

class FakePage {
  session: Session | null = null;
  running = true;
  held: string | null = null;
  pointed: PointTarget | null = null;
  noted: LessonNote | null = null;
  pane: Pane = 'lesson';
  host: unknown = {};
  private readonly listeners = new Map<string, Set<(message: never) => void>>();

  readonly api = this as unknown as PageApi;
  on(type: string, listener: (message: never) => void) {
    const set = this.listeners.get(type) ?? new Set();
    this.listeners.set(type, set.add(listener));
    return () => set.delete(listener);
  }
  emit(message: Partial<FromWorker>) {
    for (const listener of [...(this.listeners.get(message.type!) ?? [])]) listener(message as never);
  }
  async ask(question: Question) {
    if (question.ask !== 'observe') throw new Error(question.ask);
    return { ask: 'observe', observation: observe(this.session!, question.memory) };
  }
  load(scenario: unknown, files: GuestFiles[] = []) {
    const given = new Map(files.map((file) => [file.guest, source(file)]));
    this.session = new Session(parseScenario(scenario), nodeLibrary(given));
    this.session.bootAll();
    this.emit({ type: 'ready', scenario: this.session.scenario.name } as never);
  }
  boot(domain: number, { files, main }: { files: GuestFiles['files']; main: string }) {
    const result = this.session!.boot(domain, { source: source({ files, main }) });
    if (result.ok) this.emit({ type: 'booted', domain } as never);
    else this.emit({ type: 'refused', domain, message: result.message, diagnostics: [] });
  }
  run() {
    if (this.held === null) this.running = true;
  }
  pause() {
    this.running = false;
  }
  hold(reason: string | null) {
    this.held = reason;
    if (reason !== null) this.running = false;
  }
  point(target: PointTarget | null) {
    this.pointed = target;
  }
  note(note: LessonNote | null) {
    this.noted = note;
  }
  openPane(pane: Pane) {
    this.pane = pane;
  }

  /** Lets the machine run for a while, with a frame now and then. */
  async live(cycles: number) {
    for (let n = 0; n < 20; n++) {
      if (this.running) this.session!.run(this.session!.now + cycles / 20);
      const domains = this.session!.domains.map(({ id }) => ({
        id,
        state: this.session!.view(id)?.state ?? 'empty',
      }));
      this.emit({ type: 'frame', running: this.running, domains } as Partial<Frame>);
      await Promise.resolve();
      await Promise.resolve();
    }
  }
}

const NOWHERE = { get: async () => undefined, put: async () => {}, delete: async () => {} };

async function open(id: string, keeper = new Keeper(null, NOWHERE)) {
  const page = new FakePage();
  const lesson = findLesson(id);
  let now = 0;
  const player = new Player(page.api, lesson, keeper, () => (now += 1000));
  await player.open();
  return { page, lesson, player, keeper };
}
const text = (lesson: Lesson, step: number) => lesson.steps[step].text;

describe('a prediction', () => {
  it('holds the machine until the learner has chosen; then the machine answers and stops', async () => {
    const { page, lesson, player } = await open('instruction-that-lies');
    expect(player.view()).toMatchObject({ machine: 'here', asking: true });
    expect(page.held).toMatch(/what you expect/);
    page.run();
    await page.live(1_000_000);
    expect(page.session!.now).toBeLessThan(10_000);

    await player.predict(0);
    expect(page).toMatchObject({ running: true, held: null });
    expect(player.view().experiment).toEqual({ step: 0, choice: 0 });
    await page.live(15_000_000);
    expect(page.running).toBe(false);
    expect(player.progress?.predictions[text(lesson, 0)]).toEqual({ chosen: 0, machine: 1 });
    expect(player.view()).toMatchObject({ experiment: null, asking: false });
    expect(player.view().runs.map(({ label }) => label)).toEqual(['as given']);
  });

  it('counts once: running it again changes nothing', async () => {
    const { page, lesson, player } = await open('first-hypercall');
    player.go(1);
    await player.predict(2);
    await page.live(1_000_000);
    await player.repeat();
    await page.live(1_000_000);
    expect(player.progress?.predictions[text(lesson, 1)]).toEqual({ chosen: 2, machine: 2 });
  });

  it('is asked again when somebody boots a guest in the middle', async () => {
    const { page, lesson, player } = await open('instruction-that-lies');
    await player.predict(1);
    await page.live(1_000_000);
    await player.boot('solution');
    expect(player.view()).toMatchObject({ experiment: null, asking: true });
    expect(player.problem).toMatch(/interrupted/);
    expect(page.held).not.toBeNull();
    expect(player.progress?.predictions[text(lesson, 0)]).toBeUndefined();
  });

  it('holds the machine on its own step only; before it nothing runs by itself', async () => {
    const { page, player } = await open('two-owners');
    expect(page.held).toBeNull();
    expect(page.session!.now).toBeLessThan(10_000);
    expect(page.pointed).toMatchObject({ mark: 'boundary' });
    player.go(1);
    expect(page.held).not.toBeNull();
    player.go(0);
    expect(page.held).toBeNull();
  });
});

describe('a goal', () => {
  async function atTheGoal(id: string) {
    const opened = await open(id);
    const { player, lesson, page } = opened;
    for (const [step, { predict }] of lesson.steps.entries()) {
      player.go(step);
      if (!predict) continue;
      await player.predict(0);
      await page.live(25_000_000);
    }
    return opened;
  }

  it('is met by the learner’s guest as soon as it meets it, with the cycles from boot', async () => {
    const { page, lesson, player } = await atTheGoal('first-hypercall');
    const before = page.session!.now;
    await player.boot('solution');
    expect(player.view().goal.state).toBe('running');
    await page.live(1_000_000);
    expect(player.view().goal).toEqual({ state: 'passed', feedback: '' });
    const { cycles } = player.progress!.goals[text(lesson, 2)];
    expect(cycles).toBeGreaterThan(1000);
    expect(cycles).toBeLessThan(before);
    expect(page.noted).toMatchObject({ tone: 'good' });
    expect(player.done(2)).toBe(true);
    expect(player.view().runs.map(({ label }) => label)).toEqual(['as given', 'run 1']);
  });

  it('counts the same cycles however late it is looked at', async () => {
    const one = await atTheGoal('first-hypercall');
    await one.player.boot('solution');
    await one.page.live(100_000);
    const two = await atTheGoal('first-hypercall');
    await two.page.live(5_000_000);
    await two.player.boot('solution');
    await two.page.live(9_000_000);
    expect(two.player.progress!.goals).toEqual(one.player.progress!.goals);
  });

  it('that is missed gets its feedback when the guest has ended, and at the latest when its time is over', async () => {
    const { page, player } = await atTheGoal('first-hypercall');
    await player.boot('start');
    await page.live(1_000_000);
    expect(player.view().goal).toMatchObject({ state: 'missed', feedback: expect.stringMatching(/#GP/) });

    const other = await atTheGoal('instruction-that-lies');
    await other.player.boot('start');
    await other.page.live(5_000_000);
    expect(other.player.view().goal).toEqual({ state: 'running', feedback: '' });
    await other.player.check();
    expect(other.player.view().goal).toMatchObject({
      state: 'running',
      feedback: expect.stringMatching(/POPFD/),
    });
    await other.page.live(25_000_000);
    expect(other.player.view().goal.state).toBe('missed');
  });

  it('shows its hints one at a time', async () => {
    const { lesson, player } = await atTheGoal('first-hypercall');
    const shown = () => player.progress?.hints[text(lesson, 2)] ?? 0;
    for (const expected of [1, 2, 3, 3]) {
      player.hint();
      expect(shown()).toBe(expected);
    }
  });

  it('says what is wrong with a program that does not assemble, and the guest goes on', async () => {
    const { page, player, keeper, lesson } = await atTheGoal('first-hypercall');
    keeper.program = async () => new Map([...lesson.start, [lesson.main, ' bits 32\n mov eax, txt\n']]);
    const before = page.session!.view(0);
    await player.boot();
    expect(player.problem).toMatch(/^Not booted: guest\.asm:2:/);
    expect(page.session!.view(0)).toBe(before);
  });
});

describe('a lesson', () => {
  it('goes on where it was left, with the machine as the step before has left it', async () => {
    const { page, player, keeper } = await open('instruction-that-lies');
    await player.predict(1);
    await page.live(15_000_000);
    player.go(1);
    player.close();

    const again = await open('instruction-that-lies', keeper);
    expect(again.player.step).toBe(1);
    expect(again.player.view().experiment).toEqual({ step: 0, choice: null });
    await again.page.live(15_000_000);
    expect(again.page.running).toBe(false);
    expect(observe(again.page.session!).guests[0].holes).toEqual({ popfd: 1 });
    expect(again.player.view().runs).toHaveLength(1);
  });

  it('offers its sources to the editor while its machine is on the page, and takes everything back when it is left', async () => {
    const { page, player, lesson } = await open('two-owners');
    expect(offeredSources(0)).toMatchObject({ key: 'lesson/two-owners', main: lesson.main });
    expect(offeredSources(0)!.versions.map(({ label }) => label)).toEqual(['start', 'solution']);
    page.load({
      name: 'other',
      title: 'Other',
      processor: 'prescott',
      memoryMiB: 32,
      domains: [{ name: 'A', guest: 'hello-xen', technique: 'paravirtualization', memoryMiB: 4 }],
    });
    expect(player.view().machine).toBe('away');
    expect(offeredSources(0)).toBeUndefined();
    expect(page).toMatchObject({ held: null, pointed: null, noted: null });
    await player.reload();
    expect(player.view().machine).toBe('here');
    player.close();
    expect(offeredSources(0)).toBeUndefined();
  });

  it('opens the editor at the version that is asked for', async () => {
    const { page, player } = await open('two-owners');
    player.showProgram('solution');
    expect(page.pane).toBe('source');
  });
});

// Plays one lesson on the page: shows a step, holds the machine until a prediction is made, lets the machine answer it,
// judges the goal while the learner's guest runs. Knows the page by its API only, and nothing of how it is drawn.
import { wantVersion } from '../editor/offers.ts';
import type { Observation } from '../session/observe.ts';
import type { PageApi } from '../shell/slots.ts';
import type { Frame } from '../worker/protocol.ts';
import { ageOf, goalMemory, judgeGoal, judgePrediction, predictionMemory } from './checks.ts';
import type { Imported, Keeper } from './keeper.ts';
import { LessonMachine } from './lesson-machine.ts';
import type { Lesson } from './loader.ts';
import { type LessonProgress, stepOf } from './progress.ts';
import { type RunSummary, summarize } from './runs.ts';

/** Milliseconds between two looks at a running guest. */
const LOOK_EVERY = 200;
const AS_GIVEN = 'as given';
const HELD = 'Say first what you expect: the lesson runs the machine when you have chosen.';

/** A run that the machine makes to answer a prediction; `record`: the learner's choice, null when it is shown again. */
interface Experiment {
  step: number;
  choice: number | null;
}
/** The learner's guest since it was booted. */
interface Attempt {
  label: string;
  /** Cycle of the session at which it was booted; null until it was looked at. */
  bootedAt: number | null;
  over: boolean;
}
/** What the goal's card says. */
export interface GoalState {
  state: 'open' | 'running' | 'passed' | 'missed';
  feedback: string;
}

export type PlayerView = Pick<
  Player,
  'step' | 'machine' | 'problem' | 'experiment' | 'goal' | 'runs' | 'imported' | 'asking' | 'progress'
>;

export class Player {
  step: number;
  /** Something could not be done: one clear line. */
  problem: string | null = null;
  experiment: Experiment | null = null;
  goal: GoalState = { state: 'open', feedback: '' };
  /** The run to compare with (of the program as it was given, if it was seen), and the last. */
  runs: RunSummary[] = [];
  /** Something has changed. */
  changed: () => void = () => {};

  private attempt: Attempt | null = null;
  private attempts = 0;
  private looking = false;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private readonly place: LessonMachine;
  private readonly stop: () => void;

  /** @param clock milliseconds, for the pace of looking */
  constructor(
    private readonly page: PageApi,
    readonly lesson: Lesson,
    private readonly keeper: Keeper,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.step = stepOf(lesson, keeper.progress[lesson.id]);
    this.place = new LessonMachine(page, lesson, {
      shown: (here) => {
        if (!here) this.leave();
        this.changed();
      },
      booted: () => this.booted(),
      refused: (problem, what) => {
        if (what === 'guest')
          page.note({ text: 'Your program has an error: nothing was booted.', tone: 'bad' });
        this.fail(problem);
      },
    });
    this.stop = page.on('frame', (frame) => this.frame(frame));
  }

  /** Brings the lesson's machine onto the page, and the learner to where they were. */
  async open(): Promise<void> {
    this.keep((before) => before);
    this.place.imported = await this.keeper.imported(this.lesson).catch(() => []);
    await this.reload();
  }

  /** Leaves the page as it is, but for what belongs to the lesson. */
  close(): void {
    this.stop();
    this.leave();
    this.place.dispose();
  }

  /** What is to be drawn, as it is now. */
  view(): PlayerView {
    const { step, machine, problem, experiment, goal, runs, imported, asking, progress } = this;
    return { step, machine, problem, experiment, goal, runs, imported, asking, progress };
  }

  /** `away`: the page shows another scenario. */
  get machine(): LessonMachine['state'] {
    return this.place.state;
  }
  get imported(): readonly Imported[] {
    return this.place.imported;
  }
  get progress(): LessonProgress | undefined {
    return this.keeper.progress[this.lesson.id];
  }
  /** True when a step's tasks are done. */
  done(step: number): boolean {
    const { text, goal, predict } = this.lesson.steps[step];
    return (!goal || !!this.progress?.goals[text]) && (!predict || !!this.progress?.predictions[text]);
  }
  /** The prediction of the step that is shown waits for a choice. */
  get asking(): boolean {
    const { predict, text } = this.lesson.steps[this.step];
    return !!predict && !this.progress?.predictions[text] && !this.experiment;
  }

  go(step: number): void {
    if (step < 0 || step >= this.lesson.steps.length || step === this.step) return;
    this.step = step;
    this.goal = { state: 'open', feedback: '' };
    this.keep((before) => ({ ...before, at: this.lesson.steps[step].text }));
    this.show();
  }

  /** The learner has chosen: the machine starts from power-on and answers. */
  predict(choice: number): Promise<void> {
    return this.experimentWith(this.step, choice);
  }
  /** The machine answers once more. */
  repeat(step = this.step): Promise<void> {
    return this.experimentWith(step, null);
  }

  hint(): void {
    const { text, goal } = this.lesson.steps[this.step];
    const shown = Math.min((this.progress?.hints[text] ?? 0) + 1, goal?.hints.length ?? 0);
    this.keep((before) => ({ ...before, hints: { ...before.hints, [text]: shown } }));
    this.changed();
  }

  /** Boots the learner's program, or another version of it; the other guests go on. */
  async boot(version: 'mine' | 'start' | 'solution' = 'mine'): Promise<void> {
    try {
      if (this.machine === 'away') await this.load();
      const { lesson } = this;
      const files = version === 'mine' ? await this.keeper.program(lesson) : lesson[version];
      this.problem = null;
      this.place.boot(files);
    } catch (error) {
      this.fail(`Your program could not be read: ${(error as Error).message}. Boot it from the editor.`);
    }
  }

  /** Shows a version of the program in the editor. */
  showProgram(version: string): void {
    wantVersion(this.lesson.domain, version);
    this.page.openPane('source');
  }

  /** Judges what runs, now. */
  async check(): Promise<void> {
    const { goal } = this.lesson.steps[this.step];
    if (!goal) return;
    try {
      const { observation } = await this.page.ask({ ask: 'observe', memory: goalMemory(goal) });
      if (goal === this.lesson.steps[this.step].goal) this.judge(observation, true);
    } catch (error) {
      this.fail((error as Error).message);
    }
  }

  /** An imported program becomes the learner's own; theirs takes its place. */
  exchange(slot: number): Promise<void> {
    return this.rearrange(() => this.keeper.exchange(this.lesson, slot));
  }
  discard(slot: number): Promise<void> {
    return this.rearrange(() => this.keeper.discard(this.lesson, slot));
  }
  /** Changes what is kept of the program behind the editor, which then takes it up anew. */
  private async rearrange(change: () => Promise<void>): Promise<void> {
    try {
      await change();
      this.place.imported = await this.keeper.imported(this.lesson);
      if (this.machine === 'here') this.place.offer();
      this.changed();
    } catch (error) {
      this.fail(`Your programs could not be changed: ${(error as Error).message}`);
    }
  }

  /** Brings the lesson's machine back onto the page, at power-on. */
  async reload(): Promise<void> {
    await this.load();
    this.show();
  }

  private load(): Promise<boolean> {
    this.problem = null;
    this.attempt = null;
    return this.place.load();
  }

  /** The step that is shown takes effect on the page. */
  private show(): void {
    const { lesson, page, machine } = this;
    const { point, goal } = lesson.steps[this.step];
    page.point(point ?? null);
    page.note({
      text: goal ? `Goal: ${goal.text}` : `${lesson.title}: ${lesson.steps[this.step].title}`,
      tone: 'plain',
    });
    page.hold(this.asking && machine === 'here' ? HELD : null);
    // What a later step talks about is there again after a reload of the page.
    const before = this.lastAnswered();
    if (machine === 'here' && before >= 0 && !this.experiment && this.runs.length === 0)
      void this.repeat(before);
    this.changed();
  }

  /** The last step up to here whose prediction was made, or -1. */
  private lastAnswered(): number {
    for (let step = this.step; step >= 0; step--) {
      const { predict, text } = this.lesson.steps[step];
      if (predict) return this.progress?.predictions[text] ? step : -1;
    }
    return -1;
  }

  private leave(): void {
    this.experiment = null;
    this.attempt = null;
    this.page.hold(null);
    this.page.point(null);
    this.page.note(null);
  }

  private async experimentWith(step: number, choice: number | null): Promise<void> {
    if (this.experiment || !this.lesson.steps[step].predict) return;
    const experiment = { step, choice };
    this.experiment = experiment;
    this.changed();
    this.page.hold(null);
    const ours = await this.load();
    if (this.experiment !== experiment) return;
    if (ours) this.page.run();
    else this.experiment = null;
    this.changed();
  }

  private booted(): void {
    this.problem = null;
    if (this.experiment) {
      this.experiment = null;
      this.page.pause();
      return this.fail(
        'The run was interrupted, since a guest was booted in the middle of it. Choose again.',
      );
    }
    // Before a prediction is made nothing runs, and nothing is judged.
    if (this.asking) return;
    this.attempt = { label: `run ${++this.attempts}`, bootedAt: null, over: false };
    this.goal = { state: 'running', feedback: '' };
    this.page.note({ text: 'Your guest runs …', tone: 'plain' });
    this.page.run();
    this.changed();
  }

  private frame(frame: Frame): void {
    if (this.looking || this.machine !== 'here') return;
    const { experiment, attempt } = this;
    const memory = this.wanted();
    if (!memory) return;
    const now = this.clock();
    const state = frame.domains.find(({ id }) => id === this.lesson.domain)?.state;
    const ended = state === 'halted' || state === 'crashed';
    if (!experiment && !ended && (!frame.running || now - this.lookedAt < LOOK_EVERY)) return;
    this.lookedAt = now;
    this.looking = true;
    this.page.ask({ ask: 'observe', memory }).then(
      ({ observation }) => {
        this.looking = false;
        // A new run may have begun while the answer was on its way.
        if (experiment && this.experiment === experiment) this.answer(experiment, observation);
        else if (attempt && this.attempt === attempt) this.judge(observation, false);
      },
      () => {
        this.looking = false;
      },
    );
  }

  /** The memory that the next look needs; null when there is nothing to look for. */
  private wanted() {
    if (this.experiment) return predictionMemory(this.lesson.steps[this.experiment.step].predict!);
    const { goal } = this.lesson.steps[this.step];
    return goal && this.attempt && !this.attempt.over ? goalMemory(goal) : null;
  }

  private answer({ step, choice }: Experiment, seen: Observation): void {
    const { text, predict } = this.lesson.steps[step];
    const answers = judgePrediction(predict!, seen);
    if (!answers) return;
    this.page.pause();
    this.experiment = null;
    const [machine] = answers.length === 1 ? answers : [-1];
    if (choice !== null) {
      const prediction = { chosen: choice, machine };
      this.keep((before) => ({ ...before, predictions: { [text]: prediction, ...before.predictions } }));
    }
    this.remember(AS_GIVEN, seen);
    this.changed();
  }

  /** @param asked the learner wants to know now, even if the guest is not ready */
  private judge(seen: Observation, asked: boolean): void {
    const { text, goal } = this.lesson.steps[this.step];
    const guest = seen.guests[this.lesson.domain];
    if (!goal || !guest) return;
    const { attempt } = this;
    const age = ageOf(guest);
    if (attempt) attempt.bootedAt ??= seen.cycles - age;
    const cycles = seen.cycles - (attempt?.bootedAt ?? 0);
    const verdict = judgeGoal(goal, { ...seen, cycles });
    const late = guest.outcome !== 'running' || cycles >= goal.withinCycles;
    if (verdict.passed) {
      this.goal = { state: 'passed', feedback: '' };
      this.keep((before) => ({ ...before, goals: { [text]: { cycles: Math.round(age) }, ...before.goals } }));
      this.page.note({ text: 'Goal met. Back to the lesson.', tone: 'good' });
    } else if (late || asked) {
      this.goal = { state: late ? 'missed' : 'running', feedback: verdict.feedback };
      this.page.note({ text: `Not yet. ${verdict.feedback}`, tone: 'bad' });
    } else return;
    if (attempt && !attempt.over && (verdict.passed || late)) {
      attempt.over = true;
      this.remember(attempt.label, seen);
    }
    this.changed();
  }

  private remember(label: string, seen: Observation): void {
    const summary = summarize(label, seen, this.lesson.domain);
    if (!summary) return;
    // The program as it was given stays to be compared with.
    const before = this.runs.find((run) => run.label === AS_GIVEN) ?? this.runs.at(-1);
    this.runs = before && label !== AS_GIVEN ? [before, summary] : [summary];
  }

  private fail(problem: string): void {
    this.problem = problem;
    if (this.asking) this.page.hold(HELD);
    this.changed();
  }

  private keep(change: Parameters<Keeper['update']>[1]): void {
    this.keeper.update(this.lesson, change);
  }
}

// What the assembler has to say, in words, below the editor: the first problem on one line, all of them in a list, each
// with its place and, where there is one, its fix. The count is spoken by screen readers when it changes.
import { button, el } from './dom.ts';
import { countOf, countText, type Problem } from './problems.ts';

export interface ProblemEvents {
  open(problem: Problem): void;
  fix(problem: Problem): void;
}

const base = (file: string) => file.slice(file.lastIndexOf('/') + 1);

/** Text whose parts in backquotes are code. */
function words(text: string): (HTMLElement | string)[] {
  return text.split('`').map((part, n) => (n % 2 === 1 ? el('code', {}, part) : part));
}

export class ProblemList {
  readonly element: HTMLElement;
  private readonly line = el('div', { class: 'rs-problem-line' });
  private readonly toggle: HTMLButtonElement;
  private readonly list = el('ul', { class: 'rs-problem-all', 'aria-label': 'All problems', hidden: true });
  private readonly spoken = el('span', { class: 'rs-hidden', role: 'status' });
  private problems: readonly Problem[] = [];
  private failure: string | null = null;
  private good = '';

  constructor(private readonly events: ProblemEvents) {
    this.toggle = button('', () => this.expand(this.list.hidden === true), {
      class: 'rs-badge',
      'aria-expanded': 'false',
    });
    this.element = el(
      'section',
      { class: 'rs-problems', 'aria-label': 'Problems' },
      this.list,
      el('div', { class: 'rs-problem-bar' }, this.toggle, this.line),
      this.spoken,
    );
  }

  /**
   * @param good what to say when there are none: the size of the image, or that it is being assembled
   * @param failure something that is no diagnostic: why nothing was assembled or booted
   */
  show(problems: readonly Problem[], good: string, failure: string | null): void {
    if (problems === this.problems && good === this.good && failure === this.failure) return;
    Object.assign(this, { problems, good, failure });
    const count = countOf(problems);
    const worst = failure || count.errors > 0 ? 'bad' : count.warnings > 0 ? 'warning' : 'good';
    const text = failure && problems.length === 0 ? 'not booted' : countText(count);
    this.toggle.dataset.state = worst;
    if (this.toggle.textContent !== text) {
      this.toggle.textContent = text;
      this.spoken.textContent = text;
    }
    this.toggle.disabled = problems.length === 0;
    const first = problems.find(({ severity }) => severity === 'error') ?? problems[0];
    if (failure)
      this.line.replaceChildren(el('span', { class: 'rs-failure', role: 'alert', title: failure }, failure));
    else if (first) this.line.replaceChildren(...this.entry(first, false));
    else this.line.replaceChildren(el('span', { class: 'rs-dim' }, good));
    this.list.replaceChildren(...problems.map((problem) => el('li', {}, ...this.entry(problem, true))));
    if (problems.length === 0) this.expand(false);
  }

  expand(open: boolean): void {
    this.list.hidden = !open || this.problems.length === 0;
    this.toggle.setAttribute('aria-expanded', `${this.list.hidden !== true}`);
  }

  private entry(problem: Problem, withFile: boolean): HTMLElement[] {
    const place = `${withFile ? problem.file : base(problem.file)}:${problem.line}:${problem.column}`;
    const { fix, suggestion } = problem;
    const open = el(
      'button',
      {
        type: 'button',
        class: 'rs-problem',
        'data-severity': problem.severity,
        title: `${place}: ${problem.message}`,
        onclick: () => this.events.open(problem),
      },
      el('span', { class: 'rs-hidden' }, `${problem.severity}: `),
      el('span', { class: 'rs-place' }, place),
      ' ',
      ...words(problem.message),
      suggestion && !fix ? el('span', { class: 'rs-dim' }, ': ', ...words(suggestion)) : null,
    );
    return fix ? [open, button(fix.title, () => this.events.fix(problem), { class: 'rs-fix' })] : [open];
  }
}

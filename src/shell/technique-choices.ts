// Ways to run a guest, as its panel offers them: a technique, and with hardware assistance whose tables the processor walks
// and what the guest may find by CPUID. Builds of one source are one guest, run in different ways. Pure.
import { GUESTS, type GuestEntry, guestEntry } from '../guests/catalog.ts';
import type { DomainInfo, Enlightenment, Paging, TechniqueName } from '../worker/protocol.ts';
import { TECHNIQUE_LABEL } from './words.ts';

export interface TechniqueChoice {
  /** Stands for it in a `<select>`. */
  readonly value: string;
  readonly label: string;
  /** What it runs on, over several choices; empty for one that stands alone. */
  readonly group: string;
  readonly technique: TechniqueName;
  readonly paging?: Paging;
  readonly enlightenments?: Enlightenment[];
  /** The build that runs this way, when it is another than the one asked about. */
  readonly guest?: string;
  /** Why it cannot be chosen now; empty when it can. */
  readonly obstacle: string;
}

export interface ChoiceContext {
  /** More guests share the machine. */
  readonly shared: boolean;
  /** The processor has EPT and NPT. */
  readonly nested: boolean;
  /** What the guest knows how to use. */
  readonly enlightenments: readonly Enlightenment[];
}

const ENLIGHTENED: Readonly<Record<Enlightenment, string>> = {
  'hyper-v': ' + Hyper-V',
  xen: ' + Xen',
};

type Way = Pick<DomainInfo, 'technique' | 'paging' | 'enlightenments'>;

/** The value that stands for how a guest runs. */
export function choiceOf({ technique, paging = 'shadow', enlightenments = [] }: Way): string {
  if (technique !== 'vt-x' && technique !== 'svm') return technique;
  return [technique, paging, ...enlightenments].join(' ');
}

/** That way in words: "VT-x, nested paging + Hyper-V". */
export function wayLabel({ technique, paging, enlightenments = [] }: Way): string {
  const words = paging === 'nested' ? ', nested paging' : '';
  return TECHNIQUE_LABEL[technique] + words + enlightenments.map((name) => ENLIGHTENED[name]).join('');
}

/** All ways to run a guest that can be run by `techniques`, in their order. */
export function techniqueChoices(
  techniques: readonly TechniqueName[],
  { shared, nested, enlightenments }: ChoiceContext,
): TechniqueChoice[] {
  // Nothing, each alone, all together.
  const offers = [[], ...enlightenments.map((name) => [name])];
  if (enlightenments.length > 1) offers.push([...enlightenments]);
  return techniques.flatMap((technique): TechniqueChoice[] => {
    if (technique !== 'vt-x' && technique !== 'svm') {
      const obstacle = technique === 'native' && shared ? 'only alone' : '';
      return [{ value: technique, label: wayLabel({ technique }), group: '', technique, obstacle }];
    }
    const choice = (paging: Paging, offer: Enlightenment[]): TechniqueChoice => {
      const way = { technique, paging, enlightenments: offer };
      const obstacle = paging === 'nested' && !nested ? 'needs Nehalem' : '';
      return {
        ...way,
        value: choiceOf(way),
        label: wayLabel(way),
        group: TECHNIQUE_LABEL[technique],
        obstacle,
      };
    };
    return [
      ...offers.map((offer) => choice('shadow', offer)),
      ...(nested ? offers : [[]]).map((offer) => choice('nested', offer)),
    ];
  });
}

/**
 * All ways to run the guest of a domain, those of its other builds among them, and those that cannot be with the reason.
 * @param own how a learner's own kernel may be run; undefined for a guest of ours
 */
export function choicesFor(
  info: Way & Pick<DomainInfo, 'guest'>,
  own: readonly TechniqueName[] | undefined,
  host: Pick<ChoiceContext, 'shared' | 'nested'>,
): TechniqueChoice[] {
  const entry = guestEntry(info.guest);
  const builds = entry?.family ? GUESTS.filter(({ family }) => family === entry.family) : [entry];
  const choices = builds.flatMap((build) => {
    const techniques = own ?? build?.techniques ?? [info.technique];
    const ways = techniqueChoices(techniques, { ...host, enlightenments: enlightenmentsOf(build) });
    return build && build !== entry ? ways.map((way) => ({ ...way, guest: build.id })) : ways;
  });
  if (!choices.some(({ value }) => value === choiceOf(info))) {
    const { technique, paging, enlightenments } = info;
    const way = { technique, paging, enlightenments: enlightenments && [...enlightenments] };
    choices.push({ ...way, value: choiceOf(info), label: wayLabel(info), group: '', obstacle: '' });
  }
  if (own) return choices;
  const missing = (technique: TechniqueName, obstacle: string) => {
    if (choices.some((choice) => choice.technique === technique)) return;
    choices.push({ value: technique, label: TECHNIQUE_LABEL[technique], group: '', technique, obstacle });
  };
  missing('paravirtualization', 'it was not ported to Xen');
  missing('container', 'it has a kernel of its own');
  return choices;
}

/** Nobody knows what a learner's own kernel looks for: it may find either. */
const enlightenmentsOf = (entry: GuestEntry | undefined): readonly Enlightenment[] =>
  entry ? (entry.enlightenments ?? []) : ['hyper-v', 'xen'];

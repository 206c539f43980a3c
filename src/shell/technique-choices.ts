// Ways to run a guest, as its panel offers them: a technique, and with hardware assistance whose tables the processor walks
// and what the guest may find by CPUID. Pure.
import type { DomainInfo, Enlightenment, Paging, TechniqueName } from '../worker/protocol.ts';
import { TECHNIQUE_LABEL } from './words.ts';

export interface TechniqueChoice {
  /** Stands for it in a `<select>`. */
  readonly value: string;
  readonly label: string;
  readonly technique: TechniqueName;
  readonly paging?: Paging;
  readonly enlightenments?: Enlightenment[];
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
  'hyper-v': 'Hyper-V enlightened',
  xen: 'Xen drivers',
};

type Way = Pick<DomainInfo, 'technique' | 'paging' | 'enlightenments'>;

/** The value that stands for how a guest runs. */
export function choiceOf({ technique, paging = 'shadow', enlightenments = [] }: Way): string {
  if (technique !== 'vt-x' && technique !== 'svm') return technique;
  return [technique, paging, ...enlightenments].join(' ');
}

/** All ways to run a guest that can be run by `techniques`, in their order. */
export function techniqueChoices(
  techniques: readonly TechniqueName[],
  { shared, nested, enlightenments }: ChoiceContext,
): TechniqueChoice[] {
  return techniques.flatMap((technique): TechniqueChoice[] => {
    const label = TECHNIQUE_LABEL[technique];
    if (technique !== 'vt-x' && technique !== 'svm') {
      const obstacle = technique === 'native' && shared ? 'only alone' : '';
      return [{ value: technique, label, technique, obstacle }];
    }
    const way = (paging: Paging, offered: Enlightenment[], words: string): TechniqueChoice => ({
      value: choiceOf({ technique, paging, enlightenments: offered }),
      label: `${label}${words}`,
      technique,
      paging,
      enlightenments: offered,
      obstacle: paging === 'nested' && !nested ? 'needs Nehalem' : '',
    });
    return [
      way('shadow', [], ''),
      way('nested', [], ', nested paging'),
      ...enlightenments.map((name) => way('shadow', [name], `, ${ENLIGHTENED[name]}`)),
    ];
  });
}

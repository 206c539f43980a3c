// Figures that others have published, to stand beside ours. The mark says how well each is known: V verified in the primary
// source, V2 in a secondary transcription, M from memory. Nothing here is used by the machine.

export interface Published {
  readonly value: number;
  readonly mark: 'V' | 'V2' | 'M' | 'D';
}
const p = (value: number, mark: Published['mark']): Published => ({ value, mark });

/** Cycles of a 3.8 GHz Pentium 4 672: Adams & Agesen, ASPLOS 2006, §6.3. */
export const NANOBENCH_2006: Readonly<
  Record<string, { native: Published; 'binary-translation': Published; 'vt-x': Published }>
> = {
  syscall: { native: p(242, 'M'), 'binary-translation': p(2242, 'V2'), 'vt-x': p(242, 'V2') },
  in: { native: p(3209, 'V2'), 'binary-translation': p(214, 'D'), 'vt-x': p(15826, 'V2') },
  cr8wr: { native: p(140, 'D'), 'binary-translation': p(35, 'V2'), 'vt-x': p(140, 'V2') },
  callret: { native: p(11, 'V2'), 'binary-translation': p(51, 'V2'), 'vt-x': p(11, 'V2') },
  pgfault: { native: p(1093, 'V2'), 'binary-translation': p(3927, 'V2'), 'vt-x': p(11242, 'V2') },
  divzero: { native: p(889, 'V2'), 'binary-translation': p(3223, 'V2'), 'vt-x': p(1014, 'V2') },
  ptemod: { native: p(1, 'V2'), 'binary-translation': p(391, 'V2'), 'vt-x': p(12733, 'V2') },
};

/** Microseconds of a 2.4 GHz Xeon: Barham et al., SOSP 2003, tables 3–5 (all from memory: the page is missing from our copy). */
export const LMBENCH_2003: Readonly<
  Record<string, { native: Published; paravirtualization: Published; 'binary-translation': Published }>
> = {
  'null call': { native: p(0.45, 'M'), paravirtualization: p(0.46, 'M'), 'binary-translation': p(0.73, 'M') },
  fork: { native: p(110, 'M'), paravirtualization: p(198, 'M'), 'binary-translation': p(874, 'M') },
  exec: { native: p(530, 'M'), paravirtualization: p(768, 'M'), 'binary-translation': p(2300, 'M') },
  'context switch': {
    native: p(0.77, 'M'),
    paravirtualization: p(1.97, 'M'),
    'binary-translation': p(18.1, 'M'),
  },
  mmap: { native: p(68, 'M'), paravirtualization: p(139, 'M'), 'binary-translation': p(620, 'M') },
  'page fault': {
    native: p(1.42, 'M'),
    paravirtualization: p(2.73, 'M'),
    'binary-translation': p(12.4, 'M'),
  },
};

/** Linux build, seconds: Barham et al., SOSP 2003, figure 3; the +3 % is verified in the text, the bars in a transcription. */
export const BUILD_2003 = {
  native: p(263, 'V2'),
  paravirtualization: p(271, 'V2'),
  'binary-translation': p(334, 'V2'),
} as const;
/** compileLinux, seconds: Adams & Agesen, ASPLOS 2006, figure 4, in a transcription. */
export const BUILD_2006 = {
  native: p(265, 'V2'),
  'binary-translation': p(393, 'V2'),
  'vt-x': p(484, 'V2'),
} as const;

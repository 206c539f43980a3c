// Every form that CPL 3 may execute has stored cases from a real processor. A form that has none stands below, with the reason.
import { describe, expect, it } from 'vitest';
import { decode } from '../../isa/decode.ts';
import { slotOf } from '../../isa/decode-map.ts';
import type { Form } from '../../isa/form.ts';
import { casesOf, FAMILIES, STORED_SEED } from './cases.ts';
import { FLOATING_TEMPLATES } from './templates-floating.ts';
import { SIMD_TEMPLATES } from './templates-simd.ts';
import { FUNCTION_TEMPLATES, X87_TEMPLATES } from './templates-x87.ts';
import { X87_SEED, x87CasesOf } from './x87-cases.ts';

/** By mnemonic. */
const WITHOUT_CASES: Readonly<Record<string, string>> = {
  int3: 'is what ends every case; delivery through the IDT: interrupts.test.ts, system-program.test.ts',
  int1: 'delivery through the IDT of the system underneath cannot be told from a trap: single-step.test.ts',
  sldt: 'Linux gives an invented value where UMIP is on: system-program.test.ts',
  str: 'as SLDT',
  sgdt: 'as SLDT',
  sidt: 'as SLDT',
  smsw: 'as SLDT',
  vmmcall: 'is for a hypervisor underneath',
  rdtsc: 'is different every time: executors/system.test.ts',
  cpuid: 'tells of the processor underneath: executors/system.test.ts',
  sysenter: 'enters the kernel underneath: sysenter.test.ts',
  rcpps: 'approximations differ between processors: approximations.test.ts',
  rcpss: 'as RCPPS',
  rsqrtps: 'as RCPPS',
  rsqrtss: 'as RCPPS',
  fxrstor: 'brings the state of every floating-point case in; ours: x87/state.test.ts',
};

/** Forms that the decoder can arrive at: spellings for assemblers are not among them. */
function decodableForms(): Set<Form> {
  const forms = new Set<Form>();
  for (let at = 0; at < 4 * 256; at++)
    for (const choice of slotOf(at)?.choices ?? [])
      for (const form of choice ?? []) if (form) forms.add(form);
  return forms;
}

/** How many stored cases have an instruction of each form. */
function countForms(): { counts: Map<Form, number>; cases: number } {
  const counts = new Map<Form, number>();
  let cases = 0;
  const count = (bytes: readonly number[], mode: 16 | 32) => {
    cases++;
    const code = Uint8Array.from(bytes);
    for (let at = 0; at < code.length; ) {
      const i = decode(code, at, mode);
      if (typeof i === 'string') return;
      counts.set(i.form, (counts.get(i.form) ?? 0) + 1);
      at += i.length;
    }
  };
  for (const templates of Object.values(FAMILIES))
    for (const c of casesOf(STORED_SEED, 1, templates)) count(c.bytes, c.code16 ? 16 : 32);
  for (const templates of [X87_TEMPLATES, SIMD_TEMPLATES, FUNCTION_TEMPLATES, FLOATING_TEMPLATES])
    for (const c of x87CasesOf(X87_SEED, 1, templates)) count(c.bytes, 32);
  return { counts, cases };
}

describe('stored cases', () => {
  const { counts, cases } = countForms();
  const unprivileged = [...decodableForms()].filter((form) => form.privilege !== 'privileged');
  const covered = (form: Form) => (counts.get(form) ?? 0) > 1;

  it('are more than 200 000', () => {
    expect(cases).toBeGreaterThan(200_000);
  });

  it('are there for every unprivileged form of the table', () => {
    expect(unprivileged.length).toBeGreaterThan(900);
    const missing = unprivileged.filter((form) => !covered(form) && !(form.mnemonic in WITHOUT_CASES));
    expect(missing.map((form) => `${form.mnemonic} ${form.operands}`)).toEqual([]);
  });

  it('lack nothing that the list of exceptions does not need to name', () => {
    const needed = new Set(unprivileged.filter((form) => !covered(form)).map((form) => form.mnemonic));
    expect(Object.keys(WITHOUT_CASES).filter((name) => !needed.has(name))).toEqual([]);
  });
});

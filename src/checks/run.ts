// `npm test`: everything that must hold before a commit, in order of how fast it fails. One command, here and in CI.
//   npm test                 all steps
//   npm test -- types unit   only the steps named
//   npm test -- foreign      systems that others wrote; takes minutes, so it runs only when named
import { spawnSync } from 'node:child_process';
import { ensureChromium, ensureNasm } from './packages.ts';

interface Step {
  name: string;
  what: string;
  command: string[];
  /** Not part of a plain `npm test`. */
  onlyWhenNamed?: boolean;
  /** Says why the step cannot run, or null. */
  before?: () => string | null;
}

const STEPS: Step[] = [
  {
    name: 'types',
    what: 'types of the page',
    command: ['svelte-check', '--tsconfig', './tsconfig.json', '--output', 'human', '--fail-on-warnings'],
  },
  {
    name: 'core-types',
    what: 'types of the core, which knows neither DOM nor Node',
    command: ['tsc', '--noEmit', '-p', 'tsconfig.core.json'],
  },
  { name: 'lint', what: 'lint and format', command: ['biome', 'check', '--error-on-warnings', '.'] },
  {
    name: 'imports',
    what: 'import directions',
    command: ['depcruise', '--config', '.dependency-cruiser.cjs', '--output-type', 'err', 'src'],
  },
  { name: 'dead', what: 'files and exports that nobody uses', command: ['knip'] },
  {
    name: 'unit',
    what: 'unit tests, oracles, guests booted headless',
    command: ['vitest', 'run'],
    before: ensureNasm,
  },
  { name: 'build', what: 'the page builds', command: ['vite', 'build', '--logLevel', 'warn'] },
  {
    name: 'page',
    what: 'the page in a real Chromium',
    command: ['playwright', 'test'],
    before: ensureChromium,
  },
  {
    name: 'foreign',
    what: 'stock Debian kernels and public processor tests, fetched with the package client',
    command: ['vitest', 'run', '--config', 'tests/foreign/vitest.config.ts'],
    onlyWhenNamed: true,
  },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length) {
  console.error(`no step ${unknown.join(', ')}: there are ${STEPS.map((step) => step.name).join(', ')}`);
  process.exit(2);
}
const failed: string[] = [];
let passed = 0;
for (const step of STEPS) {
  if (wanted.length ? !wanted.includes(step.name) : step.onlyWhenNamed) continue;
  console.log(`\n── ${step.name}: ${step.what}`);
  const started = performance.now();
  const missing = step.before?.() ?? null;
  if (missing) {
    console.error(missing);
    failed.push(step.name);
    continue;
  }
  const { status } = spawnSync('npx', ['--no-install', ...step.command], {
    stdio: 'inherit',
    env: process.env,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (status === 0) passed++;
  else failed.push(step.name);
  console.log(`── ${step.name}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds} s)`);
}
console.log(
  `\n${failed.length ? `failed: ${failed.join(', ')}` : 'all steps passed'}\n${passed} passed, ${failed.length} failed`,
);
process.exit(failed.length ? 1 : 0);

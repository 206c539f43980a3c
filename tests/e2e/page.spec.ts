// The page in a real Chromium: both guests come up by themselves, can be typed into, stepped, explained; and nothing is
// said on the console.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { nodeLibrary } from '../../src/cli/library.ts';
import { fingerprint } from '../../src/session/fingerprint.ts';
import { findScenario } from '../../src/session/scenarios.ts';

const said: string[] = [];

test.beforeEach(async ({ page }) => {
  said.length = 0;
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') said.push(message.text());
  });
  page.on('pageerror', (error) => said.push(error.message));
  await page.goto('./');
});

test.afterEach(() => {
  // SwiftShader's own remark about reading pixels back is not ours.
  expect(
    said.filter(
      (line) =>
        !/GPU stall due to ReadPixels|GL Driver Message|Automatic fallback to software WebGL/.test(line),
    ),
  ).toEqual([]);
});

const penguin = (page: Page) => page.getByTestId('console-0');
const panes = (page: Page) => page.getByRole('region', { name: 'Guest Panes' });

async function bothUp(page: Page): Promise<void> {
  await expect(penguin(page)).toContainText('penguin#', { timeout: 20_000 });
  await panes(page).getByText('serial').click();
  await expect(panes(page)).toContainText('desktop ready', { timeout: 20_000 });
  await panes(page).getByText('screen', { exact: true }).click();
}

test('two guests boot side by side, without a click', async ({ page }) => {
  await bothUp(page);
  const colours = await panes(page)
    .locator('canvas')
    .first()
    .evaluate((canvas) => {
      const copy = document.createElement('canvas');
      const { width, height } = canvas as HTMLCanvasElement;
      copy.width = width;
      copy.height = height;
      const context = copy.getContext('2d')!;
      context.drawImage(canvas as HTMLCanvasElement, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      const seen = new Set<number>();
      for (let at = 0; at < data.length; at += 4)
        seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
      return seen.size;
    });
  expect(colours).toBeGreaterThan(16);
  await expect(page.getByText(/events so far/)).toContainText(/[1-9]/);
});

test('what is typed into a console arrives', async ({ page }) => {
  await bothUp(page);
  await penguin(page).click();
  await page.keyboard.type('primes 100\n');
  await expect(penguin(page)).toContainText('25 primes up to 100, the largest 97', { timeout: 20_000 });
});

test('a guest is stopped and booted while the other goes on', async ({ page }) => {
  await bothUp(page);
  await page.getByRole('button', { name: 'Stop Penguin' }).click();
  await expect(page.getByRole('region', { name: 'Guest Penguin' }).getByRole('status')).toHaveText(
    'not booted',
  );
  await expect(panes(page).getByRole('status')).toHaveText(/running/i);
  await page.getByRole('button', { name: 'Boot Penguin' }).click();
  await expect(penguin(page)).toContainText('penguin#', { timeout: 20_000 });
});

test('a guest goes from the bare machine to VT-x and back', async ({ page }) => {
  await bothUp(page);
  await page.getByLabel('Scenario').selectOption('bare-panes');
  const technique = page.getByLabel('Technique of Panes');
  await expect(technique).toHaveValue('native');
  for (const next of ['vt-x shadow', 'native']) {
    await technique.selectOption(next);
    await expect(technique).toHaveValue(next, { timeout: 20_000 });
    await panes(page).getByText('serial').click();
    await expect(panes(page)).toContainText('desktop ready', { timeout: 20_000 });
  }
});

test('paused, a step adds an event, and an event explains itself', async ({ page }) => {
  await bothUp(page);
  await page.getByRole('button', { name: 'Pause' }).click();
  const count = () => page.getByText(/events so far/).textContent();
  await page.waitForTimeout(500);
  const before = await count();
  await page.getByRole('button', { name: 'Step to the next event' }).click();
  await expect.poll(count).not.toBe(before);
  // Whichever guest ran last: one of Panes' exits is in view.
  await page.getByLabel('Guest', { exact: true }).selectOption('Panes');
  await page
    .getByRole('option', { name: /VM exit/ })
    .last()
    .click();
  const detail = page.getByRole('article', { name: 'The selected event' });
  await expect(detail).toContainText(/SDM 3C/);
  await expect(detail).toContainText(/vmExit/);
  await expect(detail).toContainText(/1\s?931/);
});

test('the worker gives the trace that Node gives', async ({ page }) => {
  const here = fingerprint(findScenario('side-by-side')!, nodeLibrary(), 20_000_000);
  await bothUp(page);
  const worker = page.workers().find((w) => /worker/.test(w.url()))!;
  const there = await worker.evaluate(
    () =>
      new Promise<unknown>((resolve) => {
        const scope = self as unknown as { postMessage: unknown; onmessage: (event: unknown) => void };
        const send = scope.postMessage;
        scope.postMessage = (
          message: { type: string; id: number; answer: { fingerprint: unknown } },
          ...rest: unknown[]
        ) => {
          if (message.type === 'answer' && message.id === -1) {
            scope.postMessage = send;
            resolve(message.answer.fingerprint);
          } else (send as (...all: unknown[]) => void).call(scope, message, ...rest);
        };
        scope.onmessage({
          data: {
            type: 'question',
            id: -1,
            question: { ask: 'fingerprint', scenario: 'side-by-side', cycles: 20_000_000 },
          },
        });
      }),
  );
  expect(there).toEqual(here);
});

test('nothing on the page breaks the rules of accessibility', async ({ page }) => {
  await bothUp(page);
  await page.getByRole('button', { name: 'Pause' }).click();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`)).toEqual([]);
});

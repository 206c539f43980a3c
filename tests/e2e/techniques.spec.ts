// Each way to run a guest, on the built page: chosen at the guest itself, and what the page then says of it.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { assemble } from '../../src/assembler/assemble.ts';
import { readSources } from '../../src/cli/library.ts';
import { includePaths } from '../../src/session/library.ts';

test.setTimeout(120_000);
const WAIT = { timeout: 40_000 };

test.beforeEach(async ({ page }) => {
  await page.goto('./');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', WAIT);
});

const technique = (page: Page, name: string) => page.getByLabel(`Technique of ${name}`);
const tab = (page: Page, name: string) => page.getByRole('tab', { name }).click();

test('the ported kernel is booted unmodified, with what it finds switched on; how it did before stays to compare', async ({
  page,
}) => {
  await technique(page, 'Penguin').selectOption({ label: 'VT-x + Hyper-V + Xen' });
  await expect(technique(page, 'Penguin')).toHaveValue('vt-x shadow hyper-v xen', WAIT);
  await expect(page.getByTestId('screen-text-0')).toContainText('penguin#', WAIT);
  await tab(page, 'Costs');
  const costs = page.locator('#pane-costs');
  await expect(costs.getByRole('row', { name: /^VMCALL/ })).toBeVisible(WAIT);
  await expect(costs.getByRole('row', { name: /^Penguin paravirtualized/ })).toBeVisible();
  await tab(page, 'Inside');
  await page.locator('#pane-inside').getByRole('button', { name: 'Shared pages' }).click();
  await expect(page.locator('#pane-inside')).toContainText('shared_info', WAIT);
  await technique(page, 'Penguin').selectOption('paravirtualization');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', WAIT);
});

test('trap and emulate: what ran silently wrong stands there, with what it got and should have got', async ({
  page,
}) => {
  // Whoever chooses a scenario wants to see it run, whatever stood still before.
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByLabel('Scenario').selectOption('classical');
  await page.getByRole('button', { name: /^\d+ silently wrong$/ }).click(WAIT);
  await expect(page.locator('#pane-costs').getByRole('row', { name: /POPFD/ })).toContainText(
    /00000002.*00000202.*IF is wrong/,
    WAIT,
  );
  await page.getByRole('button', { name: 'Pause' }).click();
  const { violations } = await new AxeBuilder({ page }).include('#pane-costs').analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`)).toEqual([]);
});

test('AMD’s exits and modes have AMD’s names', async ({ page }) => {
  await technique(page, 'Panes').selectOption('svm shadow');
  await expect(page.getByText('host mode')).toBeVisible(WAIT);
  await expect(page.getByRole('option', { name: /#VMEXIT/ }).first()).toBeVisible(WAIT);
  await expect(page.getByRole('option', { name: /trap into Xen: INT_/ })).toHaveCount(0);
});

test('a hypervisor of one’s own reports the exits of its guest', async ({ page }) => {
  await page.getByLabel('Scenario').selectOption('own-hypervisor-svm');
  await expect(page.getByTestId('screen-text-0')).toContainText('The guest said: RRingsideIA32', WAIT);
  await tab(page, 'Costs');
  await expect(page.locator('#pane-costs').getByRole('row', { name: /^cpuid 1 / })).toBeVisible(WAIT);
});

test('a container refuses an image that brings its own kernel, and says why', async ({ page }) => {
  await page.getByLabel('Scenario').selectOption('containers');
  await expect(page.getByTestId('console-2')).toContainText('container 3', WAIT);
  const main = 'penguin/penguin-native.asm';
  const { bytes } = assemble(readSources('src/guests'), main, { includePaths: includePaths(main) });
  await page
    .getByTestId('own-kernel')
    .setInputFiles({ name: 'mine.elf', mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) });
  const dialog = page.getByRole('dialog');
  await dialog.getByText('in place of VE 3').click();
  await dialog.getByRole('radio', { name: 'container' }).check();
  await dialog.getByRole('button', { name: 'Boot' }).click();
  await expect(page.getByRole('alert')).toContainText('brings its own kernel', WAIT);
  await expect(page.getByRole('region', { name: 'Guest VE 1' }).getByRole('status')).toHaveText(/running/i);
});

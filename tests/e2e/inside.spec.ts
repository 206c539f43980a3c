// What lies under a guest, and other ways to run one, on the built page.
import { expect, type Page, test } from '@playwright/test';

test.setTimeout(120_000);

async function open(page: Page): Promise<void> {
  await page.goto('./');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', { timeout: 30_000 });
}
const inside = (page: Page) => page.locator('#pane-inside');

test('the three address spaces, the VMCS and the shared pages of the guests that run', async ({ page }) => {
  await open(page);
  await page.getByRole('tab', { name: 'Inside' }).click();
  await inside(page).getByRole('button', { name: 'Panes', exact: true }).click();
  await expect(inside(page)).toContainText('shadow tables', { timeout: 30_000 });
  await inside(page).getByLabel('Guest-linear address').fill('80100000');
  await page.keyboard.press('Enter');
  await expect(inside(page).locator('.place').nth(1)).toHaveText('00100000', { timeout: 30_000 });
  await inside(page).getByRole('button', { name: 'VMCS' }).click();
  await expect(inside(page)).toContainText('VM_EXIT_REASON');
  await inside(page).getByLabel('Find a field').fill('CR3');
  await expect(inside(page).getByText('GUEST_CR3')).toBeVisible();
  await expect(inside(page).getByText('VM_EXIT_REASON')).toHaveCount(0);
  await inside(page).getByRole('button', { name: 'Penguin', exact: true }).click();
  await inside(page).getByRole('button', { name: 'Shared pages' }).click();
  await expect(inside(page)).toContainText('shared_info', { timeout: 30_000 });
});

test('on a newer processor the same guest runs with nested paging', async ({ page }) => {
  await open(page);
  await page.getByLabel('Processor', { exact: true }).selectOption('nehalem');
  const technique = page.getByLabel('Technique of Panes');
  await expect(technique.locator('option', { hasText: 'VT-x, nested paging' })).toBeEnabled({
    timeout: 30_000,
  });
  await technique.selectOption({ label: 'VT-x, nested paging' });
  await expect(technique).toHaveValue('vt-x nested', { timeout: 30_000 });
  await expect(page.getByRole('region', { name: 'Guest Panes' }).getByRole('status')).toHaveText(/running/i);
  await page.getByRole('tab', { name: 'Inside' }).click();
  await inside(page).getByRole('button', { name: 'Panes', exact: true }).click();
  await expect(inside(page)).toContainText('nested tables', { timeout: 30_000 });
});

test('translated code stands beside its original', async ({ page }) => {
  await open(page);
  await page.getByLabel('Technique of Panes').selectOption({ label: 'binary translation' });
  await expect(page.getByLabel('Technique of Panes')).toHaveValue('binary-translation', { timeout: 30_000 });
  await page.getByRole('tab', { name: 'Inside' }).click();
  await inside(page).getByRole('button', { name: 'Panes', exact: true }).click();
  await inside(page).getByRole('button', { name: 'Translated code' }).click();
  await expect(inside(page)).toContainText('calls the monitor', { timeout: 60_000 });
});

test('containers: three userlands on one kernel', async ({ page }) => {
  await open(page);
  await page.getByLabel('Scenario').selectOption('containers');
  for (const n of [0, 1, 2])
    await expect(page.getByTestId(`console-${n}`)).toContainText(`container ${n + 1}`, { timeout: 60_000 });
  await page.getByRole('tab', { name: 'Costs' }).click();
  await expect(page.getByText('no hypervisor, no exits').first()).toBeVisible();
});

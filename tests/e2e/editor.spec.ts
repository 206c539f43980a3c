// Source and lessons on the built page: edit and boot again, a mistake under its column, a lesson from start to solution.
import { expect, type Page, test } from '@playwright/test';

test.setTimeout(120_000);

async function openSource(page: Page): Promise<void> {
  await page.goto('./');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', { timeout: 30_000 });
  await page.getByRole('tab', { name: 'Source' }).click();
  await expect(page.locator('.view-line').filter({ hasText: 'kernel.inc' })).toBeVisible({ timeout: 60_000 });
}

async function insertAfter(page: Page, line: string, text: string): Promise<void> {
  await page.locator('.view-line').filter({ hasText: line }).click();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.keyboard.type(text);
}

test('Penguin is edited, assembled and booted again, and Panes goes on', async ({ page }) => {
  await openSource(page);
  await insertAfter(page, 'kernel.inc', '%define PENGUIN_VERSION "4.2"');
  await expect(page.getByRole('button', { name: 'no problems' })).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Assemble & boot' }).click();
  await expect(page.getByTestId('console-0')).toContainText('Penguin 4.2 Xen', { timeout: 30_000 });
  await expect(page.getByRole('region', { name: 'Guest Panes' }).getByRole('status')).toHaveText(/running/i);
});

test('a mistake is marked where it is, and the guest that runs stays', async ({ page }) => {
  await openSource(page);
  await insertAfter(page, 'kernel.inc', 'bogus eax');
  await expect(page.locator('.squiggly-error').first()).toBeVisible({ timeout: 30_000 });
  const problems = page.getByLabel('Problems', { exact: true });
  await expect(problems).toContainText(/bogus/);
  await page.getByRole('button', { name: 'Assemble & boot' }).click();
  await page.waitForTimeout(2000);
  await expect(page.getByRole('region', { name: 'Guest Penguin' }).getByRole('status')).toHaveText(
    /running/i,
  );
  await expect(page.getByTestId('console-0')).toContainText('heartbeat');
});

test('a sealed guest shows its machine code, read-only', async ({ page }) => {
  await openSource(page);
  await page.getByRole('button', { name: 'Panes', exact: true }).click();
  await expect(page.locator('#pane-source')).toContainText(/without source/i, { timeout: 30_000 });
});

test('a breakpoint in a sealed guest stops it there, and is still set after a reload', async ({ page }) => {
  await openSource(page);
  await page.getByRole('button', { name: 'Panes', exact: true }).click();
  const pane = page.locator('#pane-source');
  // Where it waits: the hottest line of the listing. A slow machine may stop before Panes has come there: then it goes on a little.
  const line = pane.locator('.view-line:visible').filter({ hasText: /^hlt/ }).first();
  await expect(async () => {
    const run = page.getByRole('button', { name: 'Run', exact: true });
    if (await run.isVisible()) await run.click();
    await page.waitForTimeout(500);
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(line).toBeVisible({ timeout: 5000 });
  }).toPass({ timeout: 60_000 });
  await expect(pane.locator('.rs-heat-row:visible').first()).toContainText(/\d/);
  await line.click();
  await page.keyboard.press('F9');
  await expect(pane.locator('.rs-breakpoint')).toHaveCount(1);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeVisible({ timeout: 30_000 });
  await page.reload();
  await openSource(page);
  await page.getByRole('button', { name: 'Panes', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeVisible({ timeout: 20_000 });
  await expect(pane.locator('.rs-breakpoint:visible')).toHaveCount(1, { timeout: 20_000 });
});

test('a file is added, included, assembled and booted', async ({ page }) => {
  await openSource(page);
  await page.getByRole('button', { name: /penguin-xen\.asm/ }).click();
  await page.getByLabel('Name of a new file').fill('mine.inc');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByRole('button', { name: /mine\.inc/ })).toBeVisible();
  await page.keyboard.type('%define PENGUIN_VERSION "9.9"');
  await page.getByRole('button', { name: /mine\.inc/ }).click();
  await page.getByRole('button', { name: 'penguin-xen.asm', exact: true }).click();
  await insertAfter(page, 'kernel.inc', '%include "penguin/mine.inc"');
  await expect(page.getByRole('button', { name: 'no problems' })).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Assemble & boot' }).click();
  await expect(page.getByTestId('console-0')).toContainText('Penguin 9.9 Xen', { timeout: 30_000 });
});

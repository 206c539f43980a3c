// The timeline on the built page: what it says in words, zooming from the whole run to single events, and a click that
// leads to the event.
import { expect, type Page, test } from '@playwright/test';

const strip = (page: Page) => page.getByRole('slider', { name: /Moment on the timeline/ });
const detail = (page: Page) => page.getByRole('article', { name: 'The selected event' });

/** The machine stands still, and the list has come to its end. */
async function stand(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('paused', { exact: true })).toBeVisible({ timeout: 20_000 });
  await page.waitForTimeout(500);
}

test.beforeEach(async ({ page }) => {
  await page.goto('./');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', { timeout: 30_000 });
});

test('it says where time went, in words too, and how long under the pointer', async ({ page }) => {
  const table = page.getByRole('table', { name: /Where time went from/ });
  await expect(table.getByRole('row', { name: /Penguin/ })).toContainText(/idle \d/);
  await expect(table.getByRole('row', { name: /Panes/ })).toContainText(/world switch/);
  const box = (await strip(page).boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.6, box.y + 6);
  await expect(page.locator('.timeline .words')).toContainText(/Penguin, .*(idle|guest kernel|hypervisor)/);
  await page.mouse.move(box.x + box.width * 0.6, box.y + 26);
  await expect(page.locator('.timeline .words')).toContainText(/Panes/);
  await page.getByRole('button', { name: 'Hide the timeline' }).click();
  await expect(strip(page)).toBeHidden();
  await page.getByRole('button', { name: 'Timeline', exact: true }).click();
  await expect(strip(page)).toBeVisible();
});

test('zoomed in on an event, it tells spans by cycles; a click selects the nearest event', async ({
  page,
}) => {
  await stand(page);
  // Whichever guest ran last: one of Panes' exits is in view.
  const shown = page.getByLabel('Guest', { exact: true });
  await shown.selectOption('Panes');
  await page
    .getByRole('option', { name: /VM exit/ })
    .last()
    .click();
  await shown.selectOption('all guests');
  await expect(detail(page)).toContainText(/cycles/, { timeout: 20_000 });
  const closer = page.getByRole('button', { name: 'Zoom in on the timeline' });
  for (let n = 0; n < 13; n++) await closer.click();
  const box = (await strip(page).boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.5, box.y + 26);
  await expect(page.locator('.timeline .words')).toContainText(/Panes: [a-z ]+, [\d\s]+cycles/);
  const before = await detail(page)
    .getByText(/event [\d\s]+·/)
    .textContent();
  // The nearest may be the one that is selected; on one of both sides there is another.
  await expect(async () => {
    for (const share of [0.05, 0.95]) {
      await page.mouse.click(box.x + box.width * share, box.y + 26);
      await page.waitForTimeout(500);
      if (
        (await detail(page)
          .getByText(/event [\d\s]+·/)
          .textContent()) !== before
      )
        return;
    }
    throw new Error('no other event');
  }).toPass({ timeout: 20_000 });
  await expect(page.getByRole('listbox').getByRole('option', { selected: true })).toBeVisible();
});

test('the keyboard does the same', async ({ page }) => {
  await stand(page);
  await strip(page).focus();
  await page.keyboard.press('ArrowDown');
  for (let n = 0; n < 3; n++) await page.keyboard.press('ArrowLeft');
  for (let n = 0; n < 8; n++) await page.keyboard.press('+');
  await expect(strip(page)).toHaveAttribute('aria-valuetext', /Panes/);
  await page.keyboard.press('Enter');
  await expect(detail(page)).toBeVisible();
});

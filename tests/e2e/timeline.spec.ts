// The timeline on the built page: what it says in words, zooming from the whole run to single events, and a click that
// leads to the event.
import { expect, type Page, test } from '@playwright/test';

const strip = (page: Page) => page.getByRole('slider', { name: /Moment on the timeline/ });
const detail = (page: Page) => page.getByRole('article', { name: 'The selected event' });

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
  await page.getByRole('button', { name: 'Pause' }).click();
  await page
    .getByRole('option', { name: /VM exit/ })
    .last()
    .click();
  await expect(detail(page)).toContainText(/cycles/);
  const closer = page.getByRole('button', { name: 'Zoom in on the timeline' });
  for (let n = 0; n < 16; n++) await closer.click();
  const box = (await strip(page).boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.5, box.y + 26);
  await expect(page.locator('.timeline .words')).toContainText(/Panes: [a-z ]+, [\d\s]+cycles/);
  const before = await detail(page)
    .getByText(/event [\d\s]+·/)
    .textContent();
  await page.mouse.click(box.x + box.width * 0.2, box.y + 26);
  await expect(detail(page).getByText(/event [\d\s]+·/)).not.toHaveText(before!);
  await expect(page.getByRole('option', { selected: true })).toBeVisible();
});

test('the keyboard does the same', async ({ page }) => {
  await page.getByRole('button', { name: 'Pause' }).click();
  await strip(page).focus();
  await page.keyboard.press('ArrowDown');
  for (let n = 0; n < 3; n++) await page.keyboard.press('ArrowLeft');
  for (let n = 0; n < 8; n++) await page.keyboard.press('+');
  await expect(strip(page)).toHaveAttribute('aria-valuetext', /Panes/);
  await page.keyboard.press('Enter');
  await expect(detail(page)).toBeVisible();
});

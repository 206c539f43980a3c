// A student goes through a lesson: predicts, types the answer into the editor, meets the goal, comes back another day.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Locator, type Page, test } from '@playwright/test';

const said: string[] = [];

test.beforeEach(async ({ page }) => {
  said.length = 0;
  page.on('console', (message) => {
    if (message.type() === 'error') said.push(message.text());
  });
  page.on('pageerror', (error) => said.push(error.message));
  await page.goto('./');
  await page.getByRole('button', { name: 'Lessons' }).click();
});
test.afterEach(() => expect(said).toEqual([]));

const tab = (page: Page, name: string) => page.getByRole('tab', { name });
const lessons = (page: Page) => page.getByRole('tabpanel', { name: 'Lesson' });
const goal = (page: Page) => page.getByRole('region', { name: 'Goal' });
const next = (page: Page) => page.getByRole('button', { name: 'Next', exact: true }).click();
const line = (page: Page, text: string): Locator =>
  page.locator('.monaco-editor .view-line', { hasText: text }).first();

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).include('#pane-lesson').analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`)).toEqual([]);
}

/** Opens the second lesson, and lets the machine answer its prediction. */
async function toTheGoal(page: Page): Promise<void> {
  await lessons(page)
    .getByRole('button', { name: /The first hypercall/ })
    .click();
  await expect(page.getByRole('heading', { name: 'A kernel with nothing' })).toBeVisible();
  await next(page);
  await expect(page.getByRole('button', { name: 'Run' })).toBeDisabled();
  await accessible(page);
  await page.getByLabel(/The processor traps/).check();
  await page.getByRole('button', { name: 'Let the machine answer' }).click();
  await expect(lessons(page)).toContainText('You were right.', { timeout: 20_000 });
  await next(page);
}

/** Replaces what the start does by a hypercall that prints. */
async function typeTheAnswer(page: Page): Promise<void> {
  await lessons(page).getByRole('button', { name: 'the source' }).click();
  await line(page, 'start:').click({ timeout: 20_000 });
  await page.keyboard.press('Home');
  await page.keyboard.press('Home');
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+ArrowDown');
  const answer = [
    'start:',
    'mov ebx, CONSOLEIO_write',
    'mov ecx, text_end - text',
    'mov edx, text',
    'hypercall HYPERVISOR_console_io',
  ];
  await page.keyboard.insertText(`${answer.join('\n')}\n`);
}

test('a prediction, a wrong answer, the right one, and everything is there again after a reload', async ({
  page,
}) => {
  await toTheGoal(page);
  await page.getByRole('button', { name: 'Assemble & boot' }).click();
  await expect(goal(page)).toContainText('#GP', { timeout: 20_000 });
  await accessible(page);

  await typeTheAnswer(page);
  await page.keyboard.press('Control+Enter');
  await expect(page.getByText('Goal met. Back to the lesson.')).toBeVisible({ timeout: 20_000 });
  await expect(page.getByTestId('console-0')).toContainText('I run at ring 1, and I asked.');
  await tab(page, 'Lesson').click();
  await expect(goal(page)).toContainText('✓ met');
  await expect(lessons(page)).toContainText('You have passed this lesson.');

  await page.reload();
  await page.getByRole('button', { name: 'Lessons' }).click();
  await expect(lessons(page).getByRole('button', { name: /The first hypercall/ })).toContainText('Passed');
  await lessons(page)
    .getByRole('button', { name: /The first hypercall/ })
    .click();
  await goal(page).getByRole('button', { name: 'mine' }).click();
  await expect(line(page, 'hypercall HYPERVISOR_console_io')).toBeVisible({ timeout: 20_000 });
});

test('a solution that is looked at leaves the learner’s own program alone', async ({ page }) => {
  await toTheGoal(page);
  await typeTheAnswer(page);
  await page.keyboard.insertText('; mine\n');
  await tab(page, 'Lesson').click();
  await goal(page).getByRole('button', { name: 'solution' }).click();
  await expect(line(page, 'that prints by asking')).toBeVisible();
  await tab(page, 'Lesson').click();
  await goal(page).getByRole('button', { name: 'mine' }).click();
  await expect(line(page, '; mine')).toBeVisible();
});

test('progress and programs go out as a file, and come in without replacing anything', async ({
  page,
  browser,
}) => {
  await toTheGoal(page);
  await typeTheAnswer(page);
  await tab(page, 'Lesson').click();
  await page.getByRole('button', { name: 'All lessons' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save to a file' }).click(),
  ]);
  const file = await download.path();
  await accessible(page);

  const elsewhere = await browser.newPage();
  await elsewhere.goto(page.url());
  await elsewhere.getByRole('button', { name: 'Lessons' }).click();
  const chooser = lessons(elsewhere).locator('input[type=file]');
  await chooser.setInputFiles({
    name: 'holiday.json',
    mimeType: 'application/json',
    buffer: Buffer.from('{"a":'),
  });
  await expect(lessons(elsewhere)).toContainText('The file is not JSON');
  await chooser.setInputFiles(file);
  await expect(lessons(elsewhere)).toContainText('Program taken over: The first hypercall.');
  await lessons(elsewhere)
    .getByRole('button', { name: /The first hypercall/ })
    .click();
  await goal(elsewhere).getByRole('button', { name: 'mine' }).click();
  await expect(line(elsewhere, 'hypercall HYPERVISOR_console_io')).toBeVisible({ timeout: 20_000 });
  await elsewhere.close();
});

// Kernels of the learner's own, and the mouse: a file that is no kernel changes nothing, an image boots in place of a guest
// or on a machine of its own, a boot sector is disassembled as sixteen-bit code.
import { expect, type Page, test } from '@playwright/test';
import { assemble } from '../../src/assembler/assemble.ts';
import { readSources } from '../../src/cli/library.ts';
import { includePaths } from '../../src/session/library.ts';

const PENGUIN = 'penguin/penguin-native.asm';
const penguin = () =>
  Buffer.from(assemble(readSources('src/guests'), PENGUIN, { includePaths: includePaths(PENGUIN) }).bytes);
const BOOT_SECTOR = `
        bits 16
        org 0x7c00
        mov ax, 0xb800
        mov es, ax
        mov word [es:0], 0x1f00 | '@'
.wait:  jmp .wait
        times 510 - ($ - $$) db 0
        dw 0xaa55
`;
const bootSector = () =>
  Buffer.from(assemble(new Map([['b.asm', BOOT_SECTOR]]), 'b.asm', { includePaths: [''] }).bytes);

const choose = (page: Page, name: string, buffer: Buffer) =>
  page.getByTestId('own-kernel').setInputFiles({ name, mimeType: 'application/octet-stream', buffer });
const dialog = (page: Page) => page.getByRole('dialog');
const guest = (page: Page, name: string) => page.getByRole('region', { name: `Guest ${name}` });

test.setTimeout(90_000);

test.beforeEach(async ({ page }) => {
  await page.goto('./');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', { timeout: 30_000 });
});

test('a file that is no kernel is refused in one line, and what runs stays', async ({ page }) => {
  await choose(page, 'photo.png', Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1'));
  await expect(page.getByRole('alert')).toContainText(/photo\.png.*Accepted are multiboot kernels/);
  await expect(dialog(page)).toBeHidden();
  await choose(page, 'cut.elf', penguin().subarray(0, 60));
  await expect(page.getByRole('alert')).toContainText(/cut\.elf/);
  await expect(guest(page, 'Penguin').getByRole('status')).toHaveText(/running/i);
  await expect(guest(page, 'Panes').getByRole('status')).toHaveText(/running/i);
});

test('a multiboot kernel takes the place of a guest while the other goes on', async ({ page }) => {
  await choose(page, 'my-kernel.elf', penguin());
  await expect(dialog(page)).toContainText('a multiboot kernel');
  await dialog(page).getByText('in place of Panes').click();
  await expect(dialog(page).getByRole('radio', { name: /bare machine/ })).toBeDisabled();
  await dialog(page).getByLabel('Memory').selectOption('8');
  await dialog(page).getByRole('button', { name: 'Boot' }).click();
  await expect(page.getByTestId('screen-text-1')).toContainText('Memory: 8192 KiB', { timeout: 20_000 });
  await expect(guest(page, 'my-kernel.elf')).toBeVisible();
  await expect(guest(page, 'Penguin').getByRole('status')).toHaveText(/running/i);
});

test('a boot sector that is dropped boots on a machine of its own; its code is sixteen bits wide', async ({
  page,
}) => {
  const transfer = await page.evaluateHandle(
    (bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], 'boot.img'));
      return data;
    },
    [...bootSector()],
  );
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await expect(page.getByText('Drop a kernel to boot it')).toBeVisible();
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
  await expect(dialog(page)).toContainText('a boot sector');
  await dialog(page).getByRole('button', { name: 'Boot' }).click();
  await expect(page.getByTestId('screen-text-0')).toContainText('@', { timeout: 20_000 });
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('tab', { name: 'Source' }).click();
  await page.getByRole('textbox', { name: 'Go to address' }).fill('7c00');
  await page.keyboard.press('Enter');
  await expect(
    page
      .locator('.view-line')
      .filter({ hasText: /ax,.0xb800/ })
      .first(),
  ).toBeVisible({ timeout: 20_000 });
});

test('the pointer of Panes follows the mouse', async ({ page }) => {
  const panes = guest(page, 'Panes');
  await panes.getByText('serial').click();
  await expect(panes).toContainText('desktop ready', { timeout: 20_000 });
  await panes.getByText('screen', { exact: true }).click();
  const screen = page.getByRole('application', { name: /Screen of Panes/ });
  await expect.poll(async () => (await screen.boundingBox())!.height).toBeGreaterThan(100);
  const box = (await screen.boundingBox())!;
  /** The picture around a point of the screen, where nothing moves by itself. */
  const around = (x: number, y: number) =>
    screen.locator('canvas').evaluate(
      (canvas, [x, y]) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const context = (canvas as HTMLCanvasElement).getContext('2d')!;
        return context
          .getImageData(x * width - 4, y * height - 4, 28, 28)
          .data.reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 0);
      },
      [x, y],
    );
  const at = { x: 0.3, y: 0.35 };
  const still = await around(at.x, at.y);
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.6);
  await page.mouse.move(box.x + box.width * at.x, box.y + box.height * at.y);
  await expect.poll(() => around(at.x, at.y), { timeout: 10_000 }).not.toBe(still);
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.7);
  await expect.poll(() => around(at.x, at.y), { timeout: 10_000 }).toBe(still);
});

// First load before the editor: at most 400 KiB gzip, counted from what the browser really fetched.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

const LIMIT = 400 * 1024;

test('the first load stays within 400 KiB gzip, and the editor is not in it', async ({ page }) => {
  const paths = new Set<string>();
  page.on('response', (response) => {
    const { pathname, protocol } = new URL(response.url());
    if (protocol.startsWith('http')) paths.add(pathname === '/' ? '/index.html' : pathname);
  });
  await page.goto('./');
  await expect(page.getByTestId('console-0')).toContainText('penguin#', { timeout: 20_000 });
  await page.waitForTimeout(1000);
  const sizes = [...paths].map((path) => {
    const bytes = readFileSync(`dist${path}`);
    // Fonts and pictures are compressed already.
    return { path, size: /\.(woff2|png)$/.test(path) ? bytes.length : gzipSync(bytes, { level: 9 }).length };
  });
  for (const { path, size } of sizes.sort((a, b) => b.size - a.size))
    console.log(`${(size / 1024).toFixed(1).padStart(8)} KiB  ${path}`);
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  console.log(`${(total / 1024).toFixed(1).padStart(8)} KiB  first load`);
  expect(total).toBeLessThanOrEqual(LIMIT);
  expect([...paths].filter((path) => /monaco|editor/i.test(path))).toEqual([]);
});

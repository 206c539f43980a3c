// `bench first-instruction`: the built page in a real Chromium, each time as somebody who has never been here. From the end of
// its load event to the moment at which the worker has run the first guest instructions (it sets a performance mark then).
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { chromium } from '@playwright/test';
import { build } from 'vite';
import { chromiumPath } from '../checks/packages.ts';

const MARK = 'first-guest-instruction';
const PATIENCE = 30_000;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const ARGS = [
  '--no-sandbox',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** Milliseconds since the page was asked for, of one visit. */
export interface Visit {
  readonly loaded: number;
  readonly begun: number;
}
export interface FirstInstruction {
  readonly unit: 's';
  /** From the end of the load event; negative when the guests ran before it. Median and all visits. */
  readonly afterLoad: number;
  readonly afterNavigation: number;
  readonly visits: readonly Visit[];
}

/** @param dist a page that has been built; else it is built for this. Throws when there is no Chromium */
export async function firstInstruction(rounds: number, dist?: string): Promise<FirstInstruction> {
  const folder = dist ?? mkdtempSync(join(tmpdir(), 'ringside-page-'));
  if (!dist) await build({ logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    const file = join(folder, pathname === '/' ? 'index.html' : pathname);
    if (pathname.includes('..') || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    response.end(readFileSync(file));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ARGS });
  try {
    const visits: Visit[] = [];
    // The first visit warms up the browser and the server.
    for (let n = 0; n <= rounds; n++) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'load' });
      const { origin, loaded } = await page.evaluate(async () => {
        const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
        while (!entry.loadEventEnd) await new Promise((resolve) => setTimeout(resolve, 5));
        return { origin: performance.timeOrigin, loaded: entry.loadEventEnd };
      });
      const worker = page.workers()[0] ?? (await page.waitForEvent('worker', { timeout: PATIENCE }));
      const begun = await worker.evaluate(
        async ([mark, patience]) => {
          const end = performance.now() + Number(patience);
          while (performance.getEntriesByName(mark as string).length === 0 && performance.now() < end)
            await new Promise((resolve) => setTimeout(resolve, 5));
          return performance.timeOrigin + (performance.getEntriesByName(mark as string)[0]?.startTime ?? NaN);
        },
        [MARK, PATIENCE] as const,
      );
      if (n > 0) visits.push({ loaded, begun: begun - origin });
      await context.close();
    }
    const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] / 1000;
    return {
      unit: 's',
      afterLoad: median(visits.map(({ loaded, begun }) => begun - loaded)),
      afterNavigation: median(visits.map(({ begun }) => begun)),
      visits,
    };
  } finally {
    await browser.close();
    server.close();
    if (!dist) rmSync(folder, { recursive: true, force: true });
  }
}

export function firstInstructionText({ afterLoad, afterNavigation, visits }: FirstInstruction): string {
  return (
    `first guest instruction: ${afterLoad.toFixed(3)} s after the page has loaded ` +
    `(${afterNavigation.toFixed(3)} s after it was asked for), median of ${visits.length} visits`
  );
}

// Our machine in a worker of a real Chromium: bundles the worker, serves it on loopback, and runs kernels in fresh pages.
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from '@playwright/test';
import { chromiumPath } from '../checks/packages.ts';
import { bundle } from './bundle.ts';
import type { KernelRun } from './kernel.ts';
import type { Request } from './worker.ts';

const ARGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Milliseconds in which a new page, and the browser behind it, come to rest: else their start is measured too. */
const REST = 1000;

export interface Browser {
  /** @param file the kernel's image @param patience milliseconds. The run is a `VirtualRun` when a guest was asked for */
  run<R extends KernelRun>(name: string, file: string, patience: number, how: Request['how']): Promise<R>;
  close(): Promise<void>;
}

/** Throws when there is no Chromium. */
export async function openBrowser(): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  await bundle('./worker.ts', folder, 'worker');
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>bench</title>');
  const images = new Map<string, string>();
  const server = createServer((request, response) => {
    const name = basename(new URL(request.url ?? '/', 'http://x').pathname) || 'index.html';
    const file = images.get(name) ?? join(folder, name);
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const type = name.endsWith('.js')
      ? 'text/javascript'
      : name.endsWith('.html')
        ? 'text/html'
        : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ARGS });
  return {
    async run<R extends KernelRun>(name: string, file: string, patience: number, how: Request['how']) {
      images.set(`${name}.elf`, file);
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForTimeout(REST);
      const result = await page.evaluate(
        async ([kernel, limit, what]) => {
          const image = new Uint8Array(await (await fetch(`/${kernel}.elf`)).arrayBuffer());
          const worker = new Worker('/worker.js', { type: 'module' });
          return new Promise((resolve, reject) => {
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = (event) => reject(new Error(event.message));
            worker.postMessage({ name: kernel, image, patience: limit, how: what });
          });
        },
        [name, patience, how] as const,
      );
      await page.close();
      return result as R;
    },
    async close() {
      await browser.close();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

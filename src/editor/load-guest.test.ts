import { afterEach, describe, expect, it } from 'vitest';
import type { PageApi } from '../shell/slots.ts';
import type { DomainInfo, SourceFile } from '../worker/protocol.ts';
import { MINE } from './guest-work.ts';
import { loadWork } from './load-guest.ts';
import { offeredSources, offerSources, onOffer } from './offers.ts';
import type { WorkStorage } from './saved-work.ts';

const library: SourceFile[] = [
  { name: 'penguin/main.asm', text: '%include "xen.inc"' },
  { name: 'include/xen.inc', text: 'X equ 1' },
];
/** A page that answers `sources` as the worker does: the whole library for a guest with source, nothing for others. */
const page = (files = library) =>
  ({
    ask: async ({ guest }: { guest: string }) =>
      guest === 'penguin-xen'
        ? { ask: 'sources', files, main: 'penguin/main.asm' }
        : { ask: 'sources', files: [], main: '' },
  }) as unknown as PageApi;
const info = (guest: string, sealed: boolean) => ({ id: 0, name: 'A', guest, sealed }) as DomainInfo;

class Storage implements WorkStorage {
  readonly keys: string[] = [];
  async get(key: string) {
    this.keys.push(key);
    return key.startsWith('lesson/')
      ? { version: 1, files: { 'guest.asm': 'hlt' }, originals: { 'guest.asm': '3:0' } }
      : undefined;
  }
  async put() {}
  async delete() {}
}

describe('the sources of a domain', () => {
  let end = () => {};
  afterEach(() => end());

  it('are its guest’s, kept under scenario, domain and guest', async () => {
    const storage = new Storage();
    const loaded = await loadWork(page(), info('penguin-xen', false), 'side-by-side', storage, () => {});
    expect([...loaded!.work.program(MINE).files.keys()]).toEqual(['penguin/main.asm', 'include/xen.inc']);
    expect(loaded!.work.originalLabel).toBe('original');
    expect(storage.keys).toEqual(['side-by-side/A/penguin-xen']);
  });

  it('are nobody’s for a sealed guest', async () => {
    expect(await loadWork(page(), info('panes', true), 'side-by-side', new Storage(), () => {})).toBeNull();
  });

  it('are what a lesson offers, kept under the lesson; solution and own work beside each other', async () => {
    const told: number[] = [];
    const stop = onOffer((domain) => told.push(domain));
    const versions = [
      { label: 'start', files: [{ name: 'guest.asm', text: 'nop' }] },
      { label: 'solution', files: [{ name: 'guest.asm', text: '%include "xen.inc"' }] },
    ];
    const withdraw = offerSources({ domain: 0, key: 'lesson/one', main: 'guest.asm', versions });
    end = () => {
      withdraw();
      stop();
    };
    const storage = new Storage();
    const { work } = (await loadWork(page(), info('lesson', true), 'one', storage, () => {}))!;
    expect(work.text('start', 'guest.asm')).toBe('nop');
    expect(work.text(MINE, 'guest.asm')).toBe('hlt');
    expect([...work.program('solution').files.keys()]).toEqual(['guest.asm', 'include/xen.inc']);
    expect(storage.keys).toEqual(['lesson/one']);
    withdraw();
    expect(offeredSources(0)).toBeUndefined();
    expect(told).toEqual([0, 0]);
  });

  it('of ten megabytes are refused in one line', async () => {
    const big = [{ name: 'penguin/main.asm', text: 'nop\n'.repeat(2_500_000) }];
    await expect(
      loadWork(page(big), info('penguin-xen', false), 's', new Storage(), () => {}),
    ).rejects.toThrow(/^penguin\/main.asm has 10.0 MB: the editor takes 1.0 MB in one file$/);
  });
});

import { resolve } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { assemble } from './src/assembler/assemble.ts';
import { packLines } from './src/assembler/line-map-codec.ts';
import { readSources } from './src/cli/library.ts';
import { assembleFirmware } from './src/firmware/firmware.ts';
import { GUESTS } from './src/guests/catalog.ts';
import { includePaths } from './src/session/library.ts';
import { SHIPPED } from './src/session/scenarios/shipped.ts';

/**
 * Guests come to the page assembled, by our own assembler, each as a chunk of its own, and the line map of those with a
 * source as another: neither the sources nor the lines need be there before somebody reads them. Guests of the opening
 * scenario lie in the worker itself, which would have to wait for them. The BIOS comes the same way as a guest does, for
 * whoever boots a disk.
 */
function prebuiltGuests(): Plugin {
  const list = 'virtual:guests';
  const one = 'virtual:guest/';
  const map = 'virtual:lines/';
  const firmware = 'virtual:firmware';
  const opening = SHIPPED[0].domains.map(({ guest }) => guest);
  const packed = (bytes: Uint8Array) => deflateRawSync(bytes, { level: 9 }).toString('base64');
  const entry = ({ id, sealed }: (typeof GUESTS)[number]) => {
    const at = opening.indexOf(id);
    const image = at < 0 ? `() => import('${one}${id}').then((m) => m.image)` : `async () => opening${at}`;
    const lines = sealed ? 'null' : `() => import('${map}${id}').then((m) => m.lines)`;
    return `${JSON.stringify(id)}: { image: ${image}, lines: ${lines} }`;
  };
  return {
    name: 'ringside-guests',
    resolveId: (source) =>
      source === list || source === firmware || source.startsWith(one) || source.startsWith(map)
        ? `\0${source}`
        : undefined,
    load(module) {
      if (module === `\0${list}`) {
        const imports = opening.map((id, n) => `import { image as opening${n} } from '${one}${id}';`);
        return `${imports.join('')} export default {${GUESTS.map(entry).join(', ')}}`;
      }
      if (module === `\0${firmware}`) {
        const files = readSources('src/firmware');
        for (const name of files.keys()) this.addWatchFile(resolve('src/firmware', name));
        return `export const rom = '${packed(assembleFirmware(files))}';`;
      }
      const guest = GUESTS.find(({ id }) => module === `\0${one}${id}` || module === `\0${map}${id}`);
      if (!guest) return undefined;
      const files = readSources('src/guests');
      const { bytes, diagnostics, lines } = assemble(files, guest.main, {
        includePaths: includePaths(guest.main),
      });
      const error = diagnostics.find((d) => d.severity === 'error');
      if (error) this.error(`${error.file}:${error.line}:${error.column}: ${error.message}`);
      for (const name of files.keys()) this.addWatchFile(resolve('src/guests', name));
      return module.startsWith(`\0${one}`)
        ? `export const image = '${packed(bytes)}';`
        : `export const lines = '${packed(packLines(lines))}';`;
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [svelte(), prebuiltGuests()],
  worker: {
    format: 'es',
    plugins: () => [prebuiltGuests()],
    // All that the worker begins with in one chunk: one request instead of a chain of them.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'worker', tags: ['$initial'] }] } },
    },
  },
  build: { target: 'es2022', chunkSizeWarningLimit: 4000 },
});

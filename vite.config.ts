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

/**
 * Guests come to the page assembled, by our own assembler, each as a chunk of its own: those with a source together with
 * their line map, so that the sources need not be there before somebody reads them; sealed ones as an image and no more.
 * The BIOS comes the same way, for whoever boots a disk.
 */
function prebuiltGuests(): Plugin {
  const list = 'virtual:guests';
  const one = 'virtual:guest/';
  const firmware = 'virtual:firmware';
  const packed = (bytes: Uint8Array) => deflateRawSync(bytes, { level: 9 }).toString('base64');
  return {
    name: 'ringside-guests',
    resolveId: (source) =>
      source === list || source === firmware || source.startsWith(one) ? `\0${source}` : undefined,
    load(module) {
      if (module === `\0${list}`) {
        return `export default {${GUESTS.map(({ id }) => `${JSON.stringify(id)}: () => import('${one}${id}')`).join(', ')}}`;
      }
      if (module === `\0${firmware}`) {
        const files = readSources('src/firmware');
        for (const name of files.keys()) this.addWatchFile(resolve('src/firmware', name));
        return `export const rom = '${packed(assembleFirmware(files))}';`;
      }
      const guest = GUESTS.find(({ id }) => module === `\0${one}${id}`);
      if (!guest) return undefined;
      const files = readSources('src/guests');
      const { bytes, diagnostics, lines } = assemble(files, guest.main, {
        includePaths: includePaths(guest.main),
      });
      const error = diagnostics.find((d) => d.severity === 'error');
      if (error) this.error(`${error.file}:${error.line}:${error.column}: ${error.message}`);
      for (const name of files.keys()) this.addWatchFile(resolve('src/guests', name));
      return `export const image = '${packed(bytes)}'; export const lines = ${guest.sealed ? 'null' : `'${packed(packLines(lines))}'`};`;
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [svelte(), prebuiltGuests()],
  worker: { format: 'es', plugins: () => [prebuiltGuests()] },
  build: { target: 'es2022', chunkSizeWarningLimit: 4000 },
});

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { assemble } from './src/assembler/assemble.ts';
import { readSources } from './src/cli/library.ts';
import { GUESTS } from './src/guests/catalog.ts';
import { includePaths } from './src/session/library.ts';

/** Sealed guests go to the learner as images, without source: assembled here, by our own assembler. */
function sealedGuests(): Plugin {
  const id = 'virtual:sealed-guests';
  return {
    name: 'ringside-sealed-guests',
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load(module) {
      if (module !== `\0${id}`) return undefined;
      const files = readSources('src/guests');
      const images: Record<string, string> = {};
      for (const guest of GUESTS.filter((g) => g.sealed)) {
        const { bytes, diagnostics } = assemble(files, guest.main, {
          includePaths: includePaths(guest.main),
        });
        const error = diagnostics.find((d) => d.severity === 'error');
        if (error) this.error(`${error.file}:${error.line}:${error.column}: ${error.message}`);
        images[guest.id] = Buffer.from(bytes).toString('base64');
      }
      return `export default ${JSON.stringify(images)}`;
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [svelte(), sealedGuests()],
  worker: { format: 'es', plugins: () => [sealedGuests()] },
  build: { target: 'es2022', chunkSizeWarningLimit: 4000 },
});

// Our code as the page has it: bundled, without the traces that a loader of TypeScript leaves in it.
import { build } from 'vite';

/**
 * Bundles a module of this room into a folder, which is emptied.
 * @param entry file name
 * @param name of the bundle, without `.js`
 */
export async function bundle(entry: string, folder: string, name: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      outDir: folder,
      emptyOutDir: true,
      lib: {
        entry: new URL(entry, import.meta.url).pathname,
        formats: ['es'],
        fileName: () => `${name}.js`,
      },
      rollupOptions: { external: /^node:/ },
    },
  });
}

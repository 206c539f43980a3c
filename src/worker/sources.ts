// Sources of our guests, as files by path below guests/. A chunk of its own: fetched when somebody reads or edits one.
const texts = import.meta.glob(
  ['../guests/**/*.asm', '../guests/**/*.inc', '!../guests/panes/**', '!../guests/exercisers/**'],
  {
    query: '?raw',
    import: 'default',
    eager: true,
  },
) as Record<string, string>;

export const SOURCES: ReadonlyMap<string, string> = new Map(
  Object.entries(texts).map(([path, text]) => [path.replace('../guests/', ''), text]),
);

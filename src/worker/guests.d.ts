declare module 'virtual:guests' {
  /** Guests as the build assembled them (vite.config.ts): image and packed line map, by name, each fetched when called. */
  const guests: Record<string, () => Promise<{ image: string; lines: string | null }>>;
  export default guests;
}
declare module 'virtual:firmware' {
  /** The BIOS as the build assembled it, packed like a guest. */
  export const rom: string;
}

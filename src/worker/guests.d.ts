declare module 'virtual:guests' {
  /** Guests as the build assembled them (vite.config.ts), packed, by name: image and line map, each fetched when called. `lines` is null for sealed ones. */
  const guests: Record<string, { image: () => Promise<string>; lines: (() => Promise<string>) | null }>;
  export default guests;
}
declare module 'virtual:firmware' {
  /** The BIOS as the build assembled it, packed like a guest. */
  export const rom: string;
}

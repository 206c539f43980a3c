declare module 'virtual:sealed-guests' {
  /** Images in base64 by guest, made by the build (vite.config.ts). */
  const images: Record<string, string>;
  export default images;
}

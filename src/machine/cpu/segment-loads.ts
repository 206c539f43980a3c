// Loads of segment and table registers by anybody, on any processor, so far: compiled code that knows what these registers
// hold (engine/links.ts) looks again when the count has changed. Whoever writes one by hand counts too.
export const loads = { count: 0 };

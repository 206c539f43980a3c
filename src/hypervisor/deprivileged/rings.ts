// Ring compression: where the guest's rings are on the real processor. Ring 0 becomes ring 1, ring 3 stays, and between
// them there is no room.

export const KERNEL_RING = 1;

/** A selector with the ring that the guest believes in. */
export const believed = (selector: number): number =>
  (selector & 3) === KERNEL_RING ? selector & 0xfffc : selector;

/** The real selector for CS or SS at the ring that the guest believes in. */
export const compressed = (selector: number, ring: number): number =>
  (selector & 0xfffc) | (ring === 3 ? 3 : KERNEL_RING);

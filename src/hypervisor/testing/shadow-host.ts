// A host for shadow page tables alone: it has frames, its work takes no time, and nobody hears of it.
import type { FrameTable } from '../frames.ts';
import type { ShadowHost } from '../out-of-sync.ts';

const NO_TIME = new Proxy({}, { get: () => () => 0 }) as ShadowHost['charge'];

export const shadowHost = (frames: FrameTable): ShadowHost => ({ frames, charge: NO_TIME, record: () => {} });

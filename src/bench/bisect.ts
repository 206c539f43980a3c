// `bench bisect`: the same run in both engines, side by side; finds the first cycle at which they differ, and says how.
// A run is deterministic, so the way back is to begin again: both are run anew up to the middle of what is in doubt.
import { describe } from '../trace/format.ts';
import type { Recorder } from '../trace/recorder.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import { getFlags } from '../machine/cpu/flags.ts';
import type { Engine } from '../session/host.ts';

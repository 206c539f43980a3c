// Runs one of the measuring kernels as a guest of a session, under a technique or on the bare machine, and times it from
// outside. What it says on its serial port is heard byte by byte, so a repetition is timed to the instruction.
import { MAX_IMAGE_BYTES } from '../images/image.ts';
import '../session/provide-all.ts';
import type { GuestLibrary } from '../session/library.ts';
import { parseScenario } from '../session/scenario.ts';
import { Session } from '../session/session.ts';
import { Kind } from '../trace/events.ts';
import type { Way } from './guests.ts';
import type { KernelRun } from './kernel.ts';

export interface VirtualRun extends KernelRun {
  /** Exits from the guest in each repetition; 0 on the bare machine. */
  readonly exits: readonly number[];
}

export interface VirtualOptions {
  readonly way: Way;
  /** Name of a processor of cost/processors.ts. */
  readonly processor: string;
  /** The trace and its counters. */
  readonly recording: boolean;
  /** Repetitions of which the last is the one that ends the run; the kernels do five. */
  readonly repetitions: number;
  /** Milliseconds. */
  readonly patience: number;
  /** The clock, in milliseconds: processor time where there is one, so that neighbours on the machine do not count. */
  readonly now: () => number;
}

const MEMORY_MIB = 40;
/** Cycles between two looks. */
const SLICE = 4_000_000;

/** A library of one image. */
function libraryOf(name: string, bytes: Uint8Array): GuestLibrary {
  if (bytes.length > MAX_IMAGE_BYTES) throw new RangeError(`${name}: too large for a guest`);
  return {
    includes: new Map(),
    assembler: null,
    find: (guest) => (guest === name ? { kind: 'image', name, bytes } : undefined),
  };
}

/** @param image a multiboot kernel of the peers' folder */
export function runVirtual(name: string, image: Uint8Array, options: VirtualOptions): VirtualRun {
  const { way, processor, now, repetitions } = options;
  const { technique, paging } = way;
  const scenario = parseScenario({
    name: 'bench',
    title: 'bench',
    processor,
    memoryMiB: technique === 'native' ? MEMORY_MIB : MEMORY_MIB + 16,
    domains: [{ name, guest: name, technique, paging, memoryMiB: MEMORY_MIB }],
  });
  const session = new Session(scenario, libraryOf(name, image));
  const times: number[] = [];
  const instructions: number[] = [];
  const exits: number[] = [];
  const failed = (problem: string): VirtualRun => ({ name, value: '', times, instructions, exits, problem });
  const booted = session.boot(0);
  if (!booted.ok) return failed(booted.message);
  const { recorder } = session.host;
  if (!options.recording)
    Object.assign(recorder, { record: nothing, recordFor: nothing, recordTransfers: nothing });

  let value = '';
  let line = '';
  let started = 0;
  let before = { instructions: 0, exits: 0 };
  const { serial } = session.view(0)!.board!;
  const transmit = serial.onTransmit;
  const look = () => ({
    instructions: session.host.pc.cpu.instructions,
    exits: recorder.count(Kind.exit, 0),
  });
  serial.onTransmit = (byte) => {
    transmit?.(byte);
    if (byte !== 10) {
      line += String.fromCharCode(byte);
      return;
    }
    const words = line.trim().split(' ');
    line = '';
    if (words[0] === 'START') {
      before = look();
      started = now();
    } else if (words[0] === 'DONE') {
      times.push((now() - started) / 1000);
      const after = look();
      instructions.push(after.instructions - before.instructions);
      exits.push(after.exits - before.exits);
      value = words[2];
    }
  };
  const end = now() + options.patience;
  while (times.length < repetitions) {
    const stop = session.run(session.now + SLICE);
    const view = session.view(0);
    if (view?.state !== 'running' || stop === 'idle') return failed(view?.ending || 'it came to no end');
    if (now() > end) return failed('took too long');
  }
  return { name, value, times, instructions, exits };
}

function nothing(): void {}

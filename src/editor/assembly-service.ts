// Assembles as the learner types: waits for a moment of quiet, keeps one assembly under way, and of everything asked
// meanwhile does the newest. A worker that takes too long, or dies, is replaced.
import type { AssembleRequest, AssembleResult } from './assembly-messages.ts';

/** What the service needs of a Worker. */
export interface AssemblyPort {
  postMessage(request: AssembleRequest): void;
  terminate(): void;
  onmessage: ((event: { data: AssembleResult }) => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
}

export interface Program {
  readonly files: ReadonlyMap<string, string>;
  readonly main: string;
}

/** Milliseconds of quiet before an assembly begins. */
const QUIET = 150;
/** Milliseconds after which an assembly is given up. */
const PATIENCE = 15_000;

export class AssemblyService {
  private port: AssemblyPort | null = null;
  private next: (() => Program) | null = null;
  private running: { id: number; program: Program } | null = null;
  private lastId = 0;
  private quiet: ReturnType<typeof setTimeout> | undefined;
  private patience: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly spawn: () => AssemblyPort,
    private readonly done: (result: AssembleResult, program: Program) => void,
    private readonly failed: (reason: string) => void,
  ) {}

  /** Asks for an assembly of what `program` says when the time has come. */
  request(program: () => Program): void {
    this.next = program;
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.begin(), QUIET);
  }

  dispose(): void {
    clearTimeout(this.quiet);
    this.next = null;
    this.end();
  }

  private begin(): void {
    if (this.running || !this.next) return;
    const program = this.next();
    this.next = null;
    this.running = { id: ++this.lastId, program };
    this.patience = setTimeout(
      () => this.giveUp(`the program takes more than ${PATIENCE / 1000} seconds to assemble`),
      PATIENCE,
    );
    try {
      this.open().postMessage({ id: this.lastId, files: [...program.files], main: program.main });
    } catch (error) {
      this.giveUp((error as Error).message);
    }
  }

  private open(): AssemblyPort {
    if (this.port) return this.port;
    const port = this.spawn();
    port.onmessage = ({ data }) => this.receive(data);
    port.onerror = ({ message }) => this.giveUp(message || 'the assembling worker could not be started');
    this.port = port;
    return port;
  }

  private receive(result: AssembleResult): void {
    if (result.id !== this.running?.id) return;
    const { program } = this.running;
    clearTimeout(this.patience);
    this.running = null;
    this.done(result, program);
    // What was asked meanwhile has had its quiet, or gets it.
    if (this.next) this.request(this.next);
  }

  private giveUp(reason: string): void {
    this.end();
    this.failed(reason);
    if (this.next) this.request(this.next);
  }

  private end(): void {
    clearTimeout(this.patience);
    this.port?.terminate();
    this.port = null;
    this.running = null;
  }
}

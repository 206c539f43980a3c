// The page's end of the protocol: asks for one frame a display frame while the page is visible, turns questions into
// promises and everything else into events. It knows no machine; a test, or the playground, gives it another port.
import type { Answer, Frame, FromWorker, HostInfo, Question, ToWorker } from './protocol.ts';

/** What the client needs of a Worker (spawn.ts). */
export interface Port {
  postMessage(message: ToWorker): void;
  terminate(): void;
  onmessage: ((event: { data: FromWorker }) => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
}

/** When the display is ready for a frame. In the page: `requestAnimationFrame`. */
export type Scheduler = (callback: (milliseconds: number) => void) => void;

type AnswerTo<Q extends Question> = Extract<Answer, { ask: Q['ask'] }>;
type Message<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;
type Listener<T extends FromWorker['type']> = (message: Message<T>) => void;
interface Waiting {
  resolve(answer: Answer): void;
  reject(reason: Error): void;
}

/** While the machine stands still and nothing was asked of it, a frame this often (milliseconds) is enough. */
const CALM_INTERVAL = 250;

export class Client {
  host: HostInfo | null = null;
  frame: Frame | null = null;
  private readonly listeners = new Map<string, Set<(message: never) => void>>();
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private outstanding = false;
  private pumping = false;
  private lastWanted = 0;
  private stirred = true;
  private failure: string | null = null;

  constructor(
    private readonly port: Port,
    private readonly schedule: Scheduler = (callback) => requestAnimationFrame(callback),
  ) {
    port.onmessage = (event) => this.receive(event.data);
    port.onerror = (event) => this.fail(event.message || 'the worker could not be started');
  }

  /** Calls back for every message of a type. Returns a function that ends it. */
  on<T extends FromWorker['type']>(type: T, listener: Listener<T>): () => void {
    let set = this.listeners.get(type);
    if (!set) this.listeners.set(type, (set = new Set()));
    set.add(listener as (message: never) => void);
    return () => set.delete(listener as (message: never) => void);
  }

  /** Sends a command. What becomes of it is told by the next frames, `booted` or `refused`. */
  send(message: Exclude<ToWorker, { type: 'wantFrame' | 'question' }>): void {
    this.stirred = true;
    this.port.postMessage(message);
  }

  /** Asks a question. Rejects when the worker has failed. */
  ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    if (this.failure !== null) return Promise.reject(new Error(this.failure));
    const id = this.nextId++;
    return new Promise<AnswerTo<Q>>((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (answer: Answer) => void, reject });
      this.port.postMessage({ type: 'question', id, question });
    });
  }

  /** Starts asking for frames: one for each that the display is ready for, and never a second before the first came. */
  start(): void {
    if (this.pumping) return;
    this.pumping = true;
    const pump = (now: number) => {
      if (!this.pumping) return;
      const calm = this.frame !== null && !this.frame.running && !this.stirred;
      if (!this.outstanding && (!calm || now - this.lastWanted >= CALM_INTERVAL)) {
        this.outstanding = true;
        this.stirred = false;
        this.lastWanted = now;
        this.port.postMessage({ type: 'wantFrame' });
      }
      this.schedule(pump);
    };
    this.schedule(pump);
  }

  /** Ends the worker and everything that waits for it. */
  destroy(): void {
    this.pumping = false;
    this.port.terminate();
    this.rejectAll('the worker was ended');
  }

  private receive(message: FromWorker): void {
    switch (message.type) {
      case 'frame':
        this.outstanding = false;
        // Output that did not fit comes with the next frame: one more is due even when the machine stands still.
        if (message.eventSeqs.length > 0 || message.running) this.stirred = true;
        this.frame = message;
        break;
      case 'ready':
        this.host = message.host;
        break;
      case 'booted':
        if (this.host) {
          const domains = this.host.domains.map((d) => (d.id === message.domain ? message.info : d));
          this.host = { ...this.host, domains };
        }
        break;
      case 'answer': {
        const waiting = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        waiting?.resolve(message.answer);
        return;
      }
      case 'failed':
        this.fail(message.message);
        return;
    }
    this.emit(message);
  }

  private fail(message: string): void {
    this.failure = message;
    this.pumping = false;
    this.rejectAll(message);
    this.emit({ type: 'failed', message });
  }

  private rejectAll(reason: string): void {
    for (const waiting of this.waiting.values()) waiting.reject(new Error(reason));
    this.waiting.clear();
  }

  private emit(message: FromWorker): void {
    for (const listener of this.listeners.get(message.type) ?? []) listener(message as never);
  }
}

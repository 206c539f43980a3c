// Messages are handled strictly in the order of their arrival, one after the other, although some take their time
// (chunks that must be fetched first). One that needs no time is handled at once when nobody is before it.

export class Mailbox<Message> {
  private readonly waiting: Message[] = [];
  private busy = false;

  /** @param handle its promise is waited for. @param fail called with whatever it throws; the next message follows */
  constructor(
    private readonly handle: (message: Message) => Promise<void> | void,
    private readonly fail: (error: unknown) => void,
  ) {}

  post(message: Message): void {
    this.waiting.push(message);
    if (!this.busy) void this.drain();
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      try {
        const done = this.handle(this.waiting.shift()!);
        if (done) await done;
      } catch (error) {
        this.fail(error);
      }
    }
    this.busy = false;
  }
}

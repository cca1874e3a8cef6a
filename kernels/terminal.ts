/** Shows what cells print and display on the terminal that runs a notebook. */

interface Sink {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Where lines cannot be rewritten, an updated display is shown at most this often, in milliseconds. */
const QUIET_MS = 10_000;

/** Writes published messages to `out` and `err`. Displays that are updated are rewritten in place on a terminal. */
export class TerminalOutput {
  // The display whose single line the cursor is on.
  #open: string | null = null;
  // Last text of displays that were updated unseen, where lines cannot be rewritten.
  #unseen = new Map<string, string>();
  // When a display was last shown there.
  #shown = new Map<string, number>();

  constructor(
    private readonly out: Sink = process.stdout,
    private readonly err: Sink = process.stderr,
    private readonly now: () => number = Date.now,
  ) {}

  /** Shows one message. */
  write(type: string, content: Record<string, unknown>): void {
    if (type === 'stream') {
      this.#closeLine();
      (content.name === 'stderr' ? this.err : this.out).write(String(content.text));
    } else if (type === 'error') {
      this.#closeLine();
      this.err.write(`${(content.traceback as string[]).join('\n')}\n`);
    } else if (type === 'display_data' || type === 'execute_result' || type === 'update_display_data') {
      this.#display(type, content);
    }
  }

  /** Ends an open line and shows the last state of updated displays. Call after each cell. */
  end(): void {
    this.#closeLine();
    for (const text of this.#unseen.values()) this.out.write(`${text}\n`);
    this.#unseen.clear();
  }

  #display(type: string, content: Record<string, unknown>): void {
    const plain = (content.data as Record<string, unknown>)['text/plain'];
    if (typeof plain !== 'string' && !Array.isArray(plain)) return;
    const text = (Array.isArray(plain) ? plain.join('') : plain).replace(/\n$/, '');
    const id = (content.transient as { display_id?: string } | undefined)?.display_id ?? null;
    const update = type === 'update_display_data';
    if (!this.out.isTTY) {
      if (id !== null && update && this.now() - (this.#shown.get(id) ?? -Infinity) < QUIET_MS)
        this.#unseen.set(id, text);
      else {
        if (id !== null) {
          this.#shown.set(id, this.now());
          this.#unseen.delete(id);
        }
        this.out.write(`${text}\n`);
      }
    } else if (id !== null && !text.includes('\n')) {
      if (this.#open !== id) this.#closeLine();
      // A line that wraps could not be rewritten.
      this.out.write(`\r\u001b[K${text.slice(0, (this.out.columns ?? 120) - 1)}`);
      this.#open = id;
    } else {
      this.#closeLine();
      this.out.write(`${text}\n`);
    }
  }

  #closeLine(): void {
    if (this.#open !== null) this.out.write('\n');
    this.#open = null;
  }
}

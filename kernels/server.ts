/**
 * The kernel's side of the Jupyter messaging protocol: its ZeroMQ sockets (control has its own thread), a queue of
 * cells, and everything that is printed or shown sent to the reader. Cells are run by cells.ts.
 */
import { StringDecoder } from 'node:string_decoder';
import type { Publisher, Reply, Router } from 'zeromq';
import type * as ZeroMQ from 'zeromq';
import type { CellRunner } from './cells';
import { ABORTED, type CellFailure } from './failure';
import type { Tslab } from './packages';
import { address, type ConnectionInfo, decode, encode, type Message, newHeader, PROTOCOL_VERSION } from './wire';

/** What a display call sends: representations by MIME type, bytes as base64. */
export interface DisplayOptions {
  displayId?: string;
  update?: boolean;
  metadata?: Record<string, unknown>;
}

/** Where replies go: the shell socket, or the thread that has the control socket. */
interface Replies {
  send(frames: (Buffer | string)[]): unknown;
}

interface Queued {
  message: Message;
  socket: Replies;
}

// Before cells behind a failed one are given up, requests already on their way get this long to arrive.
const QUIET_MS = 10;
const QUIET_LIMIT_MS = 200;

/** Serves one kernel on the sockets of `connection`. */
export class KernelServer {
  readonly #iopub: Publisher;
  readonly #shell: Router;
  readonly #stdin: Router;
  readonly #heartbeat: Reply;
  readonly #queue: Queued[] = [];
  #working = false;
  #lastReceived = 0;
  // Output is sent in the name of the last cell, also when it comes after that cell's end.
  #parent: Message | null = null;

  constructor(
    zmq: typeof ZeroMQ,
    readonly connection: ConnectionInfo,
    readonly cells: CellRunner,
    readonly tslab: Tslab,
    readonly version: string,
    readonly control: Replies,
    readonly onShutdown: () => void,
  ) {
    // With the default limits zeromq drops what is sent faster than the event loop turns: no limit, no waiting.
    const unlimited = { sendHighWaterMark: 0, sendTimeout: 0, linger: 1000 };
    this.#iopub = new zmq.Publisher(unlimited);
    this.#shell = new zmq.Router(unlimited);
    this.#stdin = new zmq.Router(unlimited);
    this.#heartbeat = new zmq.Reply({ linger: 0 });
  }

  /** Binds the sockets and starts to serve. */
  async start(): Promise<void> {
    const c = this.connection;
    await Promise.all([
      this.#iopub.bind(address(c, c.iopub_port)),
      this.#shell.bind(address(c, c.shell_port)),
      this.#stdin.bind(address(c, c.stdin_port)),
      this.#heartbeat.bind(address(c, c.hb_port)),
    ]);
    void this.#serve(this.#shell);
    void this.#echo();
  }

  close(): void {
    for (const socket of [this.#iopub, this.#shell, this.#stdin, this.#heartbeat]) socket.close();
  }

  /**
   * Sends what is written to stdout and stderr to the reader instead. Before the first cell it goes to the terminal.
   */
  captureStreams(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = process[name];
      const original = stream.write.bind(stream);
      const decoder = new StringDecoder('utf8');
      const write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
        if (!this.#parent) return (original as (...args: unknown[]) => boolean)(chunk, encoding, callback);
        const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
        if (text !== '') this.#publish('stream', { name, text }, this.#parent);
        const done = typeof encoding === 'function' ? encoding : callback;
        if (typeof done === 'function') process.nextTick(done);
        return true;
      };
      stream.write = write;
    }
  }

  /** Shows `data` in the output of the last cell. */
  display(data: Record<string, unknown>, options: DisplayOptions = {}): void {
    if (!this.#parent) return;
    const bundle = Object.fromEntries(
      Object.entries(data).map(([type, value]) => [
        type,
        value instanceof Uint8Array
          ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
          : value,
      ]),
    );
    const transient = options.displayId === undefined ? {} : { display_id: options.displayId };
    const type = options.update ? 'update_display_data' : 'display_data';
    this.#publish(type, { data: bundle, metadata: options.metadata ?? {}, transient }, this.#parent);
  }

  /** Says on the last cell's stderr that something failed after it had ended. */
  reportLate(failure: CellFailure): void {
    if (this.#parent)
      this.#publish('stream', { name: 'stderr', text: failure.traceback.join('\n') + '\n' }, this.#parent);
  }

  /** SIGINT: ends the running cell and gives up those behind it. */
  interrupt(): void {
    this.cells.interrupt();
  }

  async #echo(): Promise<void> {
    for await (const frames of this.#heartbeat) await this.#heartbeat.send(frames);
  }

  async #serve(socket: Router): Promise<void> {
    for await (const frames of socket) {
      this.#lastReceived = performance.now();
      this.receive(socket, frames);
    }
  }

  /** Takes a message that came on the shell or the control channel; `socket` gets the reply. */
  receive(socket: Replies, frames: Buffer[]): void {
    let message: Message;
    try {
      message = decode(this.connection.key, frames);
    } catch (error) {
      // Not for the reader of the notebook: it did not come from them.
      process.emitWarning(`a message was ignored: ${(error as Error).message}`);
      return;
    }
    if (message.header.msg_type === 'execute_request') {
      this.#queue.push({ message, socket });
      void this.#work();
    } else {
      this.#answer(socket, message);
    }
  }

  #answer(socket: Replies, message: Message): void {
    this.#status('busy', message);
    const type = message.header.msg_type;
    try {
      const content = this.#contentFor(type, message.content);
      if (content) this.#reply(socket, message, type.replace(/_request$/, '_reply'), content);
    } catch (error) {
      const { name: ename, message: evalue } = error as Error;
      this.#reply(socket, message, type.replace(/_request$/, '_reply'), {
        status: 'error',
        ename,
        evalue,
        traceback: [],
      });
    } finally {
      this.#status('idle', message);
    }
    if (type === 'shutdown_request') this.onShutdown();
  }

  #contentFor(type: string, content: Record<string, unknown>): Record<string, unknown> | null {
    const code = textOf(content.code);
    switch (type) {
      case 'kernel_info_request':
        return this.#kernelInfo();
      case 'complete_request': {
        const at = Number(content.cursor_pos ?? code.length);
        const found = this.cells.complete(code, toUtf16(code, at));
        return {
          status: 'ok',
          matches: found.candidates,
          cursor_start: toCodePoints(code, found.start),
          cursor_end: toCodePoints(code, found.end),
          metadata: {},
        };
      }
      case 'inspect_request': {
        const info = this.cells.inspect(code, toUtf16(code, Number(content.cursor_pos ?? 0)));
        const data = info ? { 'text/plain': this.tslab.printQuickInfo(info) } : {};
        return { status: 'ok', found: Boolean(info), data, metadata: {} };
      }
      case 'is_complete_request': {
        const { completed, indent } = this.tslab.isCompleteCode(code);
        return completed ? { status: 'complete' } : { status: 'incomplete', indent: indent ?? '' };
      }
      case 'comm_info_request':
        return { status: 'ok', comms: {} };
      case 'history_request':
        return { status: 'ok', history: [] };
      case 'interrupt_request':
        this.interrupt();
        return { status: 'ok' };
      case 'shutdown_request':
        return { status: 'ok', restart: Boolean(content.restart) };
      default:
        // Comm messages and the like want no answer.
        return null;
    }
  }

  #kernelInfo(): Record<string, unknown> {
    return {
      status: 'ok',
      protocol_version: PROTOCOL_VERSION,
      implementation: 'omnilab',
      implementation_version: this.version,
      banner: `OmniLab ${this.version} (tslab ${this.tslab.version}, TypeScript ${this.tslab.ts.version})`,
      language_info: {
        name: 'typescript',
        version: this.tslab.ts.version,
        mimetype: 'text/typescript',
        file_extension: '.ts',
        codemirror_mode: { name: 'javascript', mode: 'typescript', typescript: true },
      },
      help_links: [],
    };
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) await this.#execute(next);
    } finally {
      this.#working = false;
    }
  }

  async #execute({ message, socket }: Queued): Promise<void> {
    const code = textOf(message.content.code);
    const silent = message.content.silent === true;
    const history = !silent && message.content.store_history !== false;
    this.#parent = message;
    this.#status('busy', message);
    const execution_count = this.cells.count + (history ? 1 : 0);
    if (!silent) this.#publish('execute_input', { code, execution_count }, message);
    const { failure, result } = await this.cells.run(code, history);
    let given: Queued[] = [];
    if (failure) {
      if (!silent) this.#publish('error', { ...failure }, message);
      if (message.content.stop_on_error !== false) {
        await this.#quiet();
        given = this.#queue.splice(0);
      }
      this.#reply(socket, message, 'execute_reply', { status: 'error', execution_count, ...failure });
    } else {
      if (result && !silent) this.#publish('execute_result', { execution_count, data: result, metadata: {} }, message);
      this.#reply(socket, message, 'execute_reply', {
        status: 'ok',
        execution_count,
        user_expressions: {},
        payload: [],
      });
    }
    this.#status('idle', message);
    for (const aborted of given) {
      this.#status('busy', aborted.message);
      // Not "aborted": clients that know only "ok" and "error" would take it for success.
      this.#reply(aborted.socket, aborted.message, 'execute_reply', { status: 'error', execution_count, ...ABORTED });
      this.#status('idle', aborted.message);
    }
  }

  async #quiet(): Promise<void> {
    const start = performance.now();
    this.#lastReceived = start;
    while (performance.now() - this.#lastReceived < QUIET_MS && performance.now() - start < QUIET_LIMIT_MS) {
      await new Promise((done) => setTimeout(done, QUIET_MS / 2));
    }
  }

  #status(execution_state: 'busy' | 'idle', parent: Message): void {
    this.#publish('status', { execution_state }, parent);
  }

  #publish(type: string, content: Record<string, unknown>, parent: Message): void {
    const { session, username } = parent.header;
    const message = { header: newHeader(type, session, username), parent: parent.header, metadata: {}, content };
    this.#send(this.#iopub, { ...message, identities: [Buffer.from(type)] });
  }

  #reply(socket: Replies, request: Message, type: string, content: Record<string, unknown>): void {
    const { session, username } = request.header;
    const message = { header: newHeader(type, session, username), parent: request.header, metadata: {}, content };
    this.#send(socket, { ...message, identities: request.identities });
  }

  #send(socket: Replies, message: Message): void {
    // A reader that has gone cannot be told anything.
    Promise.resolve(socket.send(encode(this.connection.key, message))).catch(() => undefined);
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

// The protocol counts positions in code points, JavaScript in UTF-16 units.
function toUtf16(text: string, codePoints: number): number {
  return [...text].slice(0, codePoints).join('').length;
}

function toCodePoints(text: string, utf16: number): number {
  return [...text.slice(0, utf16)].length;
}

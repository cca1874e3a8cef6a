/**
 * A headless Jupyter client: starts one kernel as a process of its own, speaks the signed protocol with it over ZeroMQ
 * (ipc sockets, or tcp on 127.0.0.1), and sees to it that the kernel ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dealer, Subscriber } from 'zeromq';
import { CancelledError } from '../lib/errors';
import { KernelError, NotebookTimeoutError } from './errors';
import { loadZeroMQ } from './packages';
import { packageRoot, projectRoot } from './roots';
import { address, type ConnectionInfo, decode, encode, type Message, newHeader } from './wire';

export interface KernelOptions {
  /** Folder in which the kernel is started; the kernel itself moves to the project's root. Default: this process's. */
  cwd?: string;
  /** Environment variables added to this process's. */
  env?: Record<string, string | undefined>;
  /** How long the kernel may take to answer. Default 180 s. */
  startTimeoutMs?: number;
  /** Default: ipc where the system has it and the path is short enough. */
  transport?: 'ipc' | 'tcp';
  /** The program to run, to which the connection file's path is added. Default: the kernel of this package. */
  argv?: readonly string[];
  /** Gives up starting. */
  signal?: AbortSignal;
  /**
   * Receives what the kernel's process writes beside the protocol (native libraries, child processes). Default:
   * stderr.
   */
  onProcessOutput?: (text: string) => void;
}

/** The content of an execute_reply. */
export interface ExecuteReply {
  status: 'ok' | 'error';
  execution_count: number;
  ename?: string;
  evalue?: string;
  traceback?: string[];
}

export interface ExecuteOptions {
  silent?: boolean;
  storeHistory?: boolean;
  stopOnError?: boolean;
  /** Receives every message that the kernel publishes for this cell. */
  onMessage?: (type: string, content: Record<string, unknown>) => void;
}

interface Pending {
  settle: (content: Record<string, unknown>) => void;
  fail: (error: Error) => void;
  onMessage?: ExecuteOptions['onMessage'];
  reply?: Record<string, unknown>;
  idle: boolean;
}

const LONGEST_IPC_PATH = 90;
const START_HELP = 'run "omnilab doctor", or start the kernel by hand: make notebook';

/** A running kernel. Make one with `KernelClient.start`, and always `shutdown` it. */
export class KernelClient {
  /** Settles when the kernel's process has ended. */
  readonly exited: Promise<void>;
  /** The answer to kernel_info_request. */
  info: Record<string, unknown> = {};
  #pending = new Map<string, Pending>();
  #session = randomUUID();
  #tail = '';
  #ended: KernelError | null = null;
  #heard = false;
  #onUnclaimed: ExecuteOptions['onMessage'];
  readonly #killAtExit = (): void => this.#kill('SIGKILL');

  private constructor(
    private readonly folder: string,
    private readonly connection: ConnectionInfo,
    private readonly process: ChildProcess,
    private readonly shell: Dealer,
    private readonly control: Dealer,
    private readonly iopub: Subscriber,
    options: KernelOptions,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#tail = (this.#tail + text).slice(-4000);
        (options.onProcessOutput ?? ((t) => globalThis.process.stderr.write(t)))(text);
      });
    }
    globalThis.process.once('exit', this.#killAtExit);
    this.exited = new Promise((done) => {
      process.once('error', (cause) => this.#end(`expected to start ${process.spawnfile}, got ${cause.message}`, done));
      process.once('exit', (code, signal) => this.#end(`the kernel ended (${signal ?? `exit status ${code}`})`, done));
    });
    void this.#read(shell);
    void this.#read(control);
    void this.#listen();
  }

  /** Starts a kernel and waits until it answers. Throws MissingPackageError, KernelError, NotebookTimeoutError. */
  static async start(options: KernelOptions = {}): Promise<KernelClient> {
    const zmq = loadZeroMQ(projectRoot(options.cwd));
    const folder = mkdtempSync(path.join(tmpdir(), 'omnilab-'));
    try {
      const connection = await newConnection(folder, options.transport);
      const file = path.join(folder, 'connection.json');
      writeFileSync(file, JSON.stringify(connection), { mode: 0o600 });
      const argv = options.argv ?? [process.execPath, path.join(packageRoot(), 'dist', 'kernels', 'start.js')];
      const child = spawn(argv[0], [...argv.slice(1), file], {
        cwd: options.cwd,
        env: { ...process.env, ...options.env, OMNILAB_CLIENT_PID: String(process.pid) },
        stdio: ['ignore', 'pipe', 'pipe'],
        // A group of its own: Ctrl-C in a terminal reaches this process only, which then interrupts the cell.
        detached: true,
      });
      const socketOptions = { linger: 0, reconnectInterval: 20 };
      const shell = new zmq.Dealer(socketOptions);
      const control = new zmq.Dealer(socketOptions);
      const iopub = new zmq.Subscriber({ ...socketOptions, receiveHighWaterMark: 0 });
      const client = new KernelClient(folder, connection, child, shell, control, iopub, options);
      shell.connect(address(connection, connection.shell_port));
      control.connect(address(connection, connection.control_port));
      iopub.connect(address(connection, connection.iopub_port));
      iopub.subscribe();
      try {
        await client.#ready(options.startTimeoutMs ?? 180_000, options.signal);
      } catch (error) {
        await client.shutdown(0);
        throw error;
      }
      return client;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The process id of the kernel. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Receives published messages that belong to no running request, such as output after a cell's end. */
  set onUnclaimed(receiver: ExecuteOptions['onMessage']) {
    this.#onUnclaimed = receiver;
  }

  /** Runs a cell; resolves to the reply when all of its output has arrived. Throws KernelError when the kernel dies. */
  async execute(code: string, options: ExecuteOptions = {}): Promise<ExecuteReply> {
    const { silent = false, storeHistory = !silent, stopOnError = true } = options;
    const content = {
      code,
      silent,
      store_history: storeHistory,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: stopOnError,
    };
    const reply = await this.#request(this.shell, 'execute_request', content, options.onMessage);
    return reply as unknown as ExecuteReply;
  }

  /** What could stand at `cursor` (in code points). */
  async complete(
    code: string,
    cursor: number,
  ): Promise<{ matches: string[]; cursor_start: number; cursor_end: number }> {
    const reply = await this.#request(this.shell, 'complete_request', { code, cursor_pos: cursor });
    return reply as { matches: string[]; cursor_start: number; cursor_end: number };
  }

  /** Type and documentation of what stands at `cursor` (in code points). */
  async inspect(code: string, cursor: number): Promise<{ found: boolean; data: Record<string, string> }> {
    const reply = await this.#request(this.shell, 'inspect_request', { code, cursor_pos: cursor, detail_level: 0 });
    return reply as { found: boolean; data: Record<string, string> };
  }

  /** Any other request on the shell channel; resolves to the content of its reply. */
  request(type: string, content: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.#request(this.shell, type, content);
  }

  /** Interrupts the running cell. */
  interrupt(): void {
    if (!this.#ended) void this.#send(this.control, 'interrupt_request', {}).catch(() => undefined);
  }

  /**
   * Ends the kernel and everything that it started: asks first, kills after `graceMs`. May be called again. Requests
   * still open fail with a KernelError.
   */
  async shutdown(graceMs = 1000): Promise<void> {
    if (!this.#ended && graceMs > 0) {
      void this.#send(this.control, 'shutdown_request', { restart: false }).catch(() => undefined);
      await Promise.race([this.exited, sleep(graceMs, undefined, { ref: false })]);
    }
    this.#kill('SIGKILL');
    await this.exited;
    for (const socket of [this.shell, this.control, this.iopub]) if (!socket.closed) socket.close();
    rmSync(this.folder, { recursive: true, force: true });
    globalThis.process.removeListener('exit', this.#killAtExit);
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.process;
    if (pid === undefined) return;
    try {
      // The whole group: also what cells have started.
      globalThis.process.kill(-pid, signal);
    } catch {
      this.process.kill(signal);
    }
  }

  #end(what: string, done: () => void): void {
    this.#ended = new KernelError(
      'kernel',
      `expected it to stay alive, got: ${what}${this.#tail ? `\n${this.#tail.trimEnd()}` : ''}`,
      START_HELP,
    );
    for (const pending of this.#pending.values()) pending.fail(this.#ended);
    this.#pending.clear();
    done();
  }

  async #ready(limitMs: number, signal?: AbortSignal): Promise<void> {
    // A subscription is live only when something came through it: ask until both channels have answered.
    const late = AbortSignal.timeout(limitMs);
    const stop = AbortSignal.any(signal ? [late, signal] : [late]);
    for (let pause = 100; ; pause = Math.min(2 * pause, 1000)) {
      if (this.#ended) throw this.#ended;
      if (signal?.aborted) {
        throw new CancelledError('kernel', 'its start was given up', 'start it again', { cause: signal.reason });
      }
      if (late.aborted) {
        throw new NotebookTimeoutError(
          'kernel',
          limitMs,
          `expected it to answer within ${limitMs / 1000} s, got nothing`,
          `${START_HELP}; or give it more time (startTimeoutMs)`,
        );
      }
      const info = this.#request(this.shell, 'kernel_info_request', {});
      info.catch(() => undefined);
      const wait = sleep(pause, undefined, { signal: stop }).catch(() => undefined);
      const answer = await Promise.race([info, this.exited, wait]);
      if (!answer) continue;
      this.info = answer;
      if (this.#heard) return;
      // The answer came before the subscription was live: ask again in a moment.
      pause = 10;
      await sleep(pause);
    }
  }

  #request(
    socket: Dealer,
    type: string,
    content: Record<string, unknown>,
    onMessage?: ExecuteOptions['onMessage'],
  ): Promise<Record<string, unknown>> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((settle, fail) => {
      // While the subscription may not be live yet, its "idle" cannot be waited for.
      const register = (id: string): unknown =>
        this.#pending.set(id, { settle, fail, onMessage, idle: type === 'kernel_info_request' });
      this.#send(socket, type, content, register).catch(fail);
    });
  }

  async #send(
    socket: Dealer,
    type: string,
    content: Record<string, unknown>,
    register?: (id: string) => unknown,
  ): Promise<void> {
    const header = newHeader(type, this.#session, 'omnilab');
    register?.(header.msg_id);
    await socket.send(encode(this.connection.key, { identities: [], header, parent: {}, metadata: {}, content }));
  }

  async #read(socket: Dealer): Promise<void> {
    for await (const frames of socket) {
      const message = this.#decode(frames);
      const id = message?.parent.msg_id;
      const pending = id === undefined ? undefined : this.#pending.get(id);
      if (!message || !pending || id === undefined) continue;
      pending.reply = message.content;
      this.#settle(id, pending);
    }
  }

  async #listen(): Promise<void> {
    for await (const frames of this.iopub) {
      this.#heard = true;
      const message = this.#decode(frames);
      if (!message) continue;
      const id = message.parent.msg_id ?? '';
      const pending = this.#pending.get(id);
      const type = message.header.msg_type;
      if (pending) pending.onMessage?.(type, message.content);
      else if (type !== 'status') this.#onUnclaimed?.(type, message.content);
      if (pending && type === 'status' && message.content.execution_state === 'idle') {
        pending.idle = true;
        this.#settle(id, pending);
      }
    }
  }

  #settle(id: string, pending: Pending): void {
    if (!pending.reply || !pending.idle) return;
    this.#pending.delete(id);
    pending.settle(pending.reply);
  }

  #decode(frames: Buffer[]): Message | null {
    try {
      return decode(this.connection.key, frames);
    } catch {
      // Not signed with our key: not from our kernel.
      return null;
    }
  }
}

async function newConnection(folder: string, transport?: 'ipc' | 'tcp'): Promise<ConnectionInfo> {
  const ip = path.join(folder, 'k');
  const chosen = transport ?? (process.platform === 'win32' || ip.length > LONGEST_IPC_PATH ? 'tcp' : 'ipc');
  const ports = chosen === 'ipc' ? [1, 2, 3, 4, 5] : await freePorts(5);
  return {
    transport: chosen,
    ip: chosen === 'ipc' ? ip : '127.0.0.1',
    shell_port: ports[0],
    iopub_port: ports[1],
    stdin_port: ports[2],
    control_port: ports[3],
    hb_port: ports[4],
    key: randomBytes(32).toString('hex'),
    signature_scheme: 'hmac-sha256',
    kernel_name: 'omnilab',
  };
}

async function freePorts(count: number): Promise<number[]> {
  // All are held at once, so that they differ.
  const servers = Array.from({ length: count }, () => createServer());
  const listening = servers.map(
    (server) =>
      new Promise<number>((done, fail) => {
        server.once('error', fail);
        server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
      }),
  );
  const ports = await Promise.all(listening);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

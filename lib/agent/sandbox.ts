/**
 * A sandbox for JavaScript that a model wrote: QuickJS in WebAssembly, in a thread of its own (sandbox-worker.ts). A
 * program gets the language and `console`; no files, no network, no process, no modules. Time, memory, stack and output
 * are bounded. A program that cannot be stopped from within (a sort of two thousand million holes) loses its thread;
 * the next one gets a new thread.
 */
import * as path from 'node:path';
import { Worker } from 'node:worker_threads';
import { ArgumentError, CancelledError } from '../errors';
import type { FromWorker, Job, Outcome } from './sandbox-worker';

export type { FailureKind, Outcome } from './sandbox-worker';

export interface SandboxLimits {
  /** Longest time for a program, in milliseconds: 1 to 24 hours. Default 2000. */
  timeoutMs: number;
  /** The program's memory: 1 MiB to 1 GiB. Default 32 MiB. */
  memoryBytes: number;
  /** The program's stack: 16 KiB to 4 MiB. Default 256 KiB. */
  stackBytes: number;
  /** Characters of output and value together: 1 to 1,000,000. Default 4000. */
  maxOutput: number;
}

const DEFAULTS: SandboxLimits = { timeoutMs: 2000, memoryBytes: 32 << 20, stackBytes: 256 << 10, maxOutput: 4000 };

/** Least and most of each limit. Beyond these the engine itself gives way, or a timer fires at once. */
const RANGES: Record<keyof SandboxLimits, readonly [number, number]> = {
  timeoutMs: [1, 24 * 3600 * 1000],
  memoryBytes: [2 ** 20, 2 ** 30],
  stackBytes: [2 ** 14, 2 ** 22],
  maxOutput: [1, 1_000_000],
};

/** Longest program, in characters. */
const MAX_CODE = 20_000;
/** How long the thread may take to start, and to stop a program that is over its time. */
const START_MS = 30_000;
const GRACE_MS = 250;

/** Runs programs one after the other. The thread is started at the first one, and does not keep the process alive. */
export class Sandbox {
  private readonly limits: SandboxLimits;
  private worker: Worker | null = null;
  private queue: Promise<unknown> = Promise.resolve();

  /** @throws ArgumentError for limits outside their ranges */
  constructor(limits: Partial<SandboxLimits> = {}) {
    this.limits = { ...DEFAULTS, ...limits };
    for (const [name, [least, most]] of Object.entries(RANGES) as [keyof SandboxLimits, readonly [number, number]][]) {
      const value = this.limits[name];
      if (!(Number.isInteger(value) && value >= least && value <= most))
        throw new ArgumentError(
          'Sandbox',
          `expected ${name} to be a whole number from ${least} to ${most}, got ${value}`,
          'leave it out for the default',
        );
    }
  }

  /**
   * Runs a program; its value is that of its last expression (or what a promise there becomes), as text. Never throws
   * for what the program does; throws CancelledError once the signal is aborted.
   */
  run(code: string, options: { seed?: number; signal?: AbortSignal } = {}): Promise<Outcome> {
    const turn = this.queue.then(() => this.runNow(code, options));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the thread. The sandbox can be used again. */
  async close(): Promise<void> {
    await this.queue;
    await this.drop();
  }

  private async drop(): Promise<void> {
    const worker = this.worker;
    this.worker = null;
    await worker?.terminate();
  }

  private async runNow(code: string, { seed = 0, signal }: { seed?: number; signal?: AbortSignal }): Promise<Outcome> {
    if (code.length > MAX_CODE)
      return { ok: false, kind: 'exception', error: `the program is longer than ${MAX_CODE} characters`, output: '' };
    if (signal?.aborted) throw cancelled();
    const worker = (this.worker ??= this.start());
    worker.ref();
    const outcome = await this.converse(worker, { code, seed, ...this.limits }, signal);
    worker.unref();
    // After a program that hit a limit, the next one gets a thread whose state is known.
    const usual = outcome !== null && (outcome.ok || outcome.kind === 'exception');
    if (!usual) await this.drop();
    if (!outcome) throw cancelled();
    return outcome;
  }

  private start(): Worker {
    const worker = new Worker(path.join(__dirname, 'sandbox-worker.js'), {
      env: {},
      argv: [],
      // What an engine that gives up has to say of it is not for the host's terminal.
      stdout: true,
      stderr: true,
      // Recursion inside the engine takes the thread's stack as well: the engine's own limit must come first.
      resourceLimits: { stackSizeMb: 8, maxOldGenerationSizeMb: 128 },
    });
    // A thread that ends between two programs is replaced at the next one.
    const lost = (): void => {
      if (this.worker === worker) this.worker = null;
    };
    return worker.on('error', lost).on('exit', lost);
  }

  /** Gives the thread a program and waits for its outcome, for the end of its time, or (null) for the signal. */
  private converse(worker: Worker, job: Job, signal: AbortSignal | undefined): Promise<Outcome | null> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout;
      const finish = (outcome: Outcome | null): void => {
        clearTimeout(timer);
        worker.off('message', hear).off('error', fail).off('exit', exit);
        signal?.removeEventListener('abort', abort);
        resolve(outcome);
      };
      const fail = (error: Error): void =>
        finish({ ok: false, kind: 'memory', error: `the sandbox gave up: ${error.message}`, output: '' });
      const exit = (): void => fail(new Error('its thread ended'));
      const abort = (): void => finish(null);
      const late = (): void =>
        finish({
          ok: false,
          kind: 'time',
          error: `the program was stopped after ${job.timeoutMs / 1000} s`,
          output: '',
        });
      const hear = (message: FromWorker): void => {
        if (message.kind === 'ended') return finish(message.outcome);
        clearTimeout(timer);
        timer = setTimeout(late, job.timeoutMs + GRACE_MS);
      };
      timer = setTimeout(() => fail(new Error('its thread did not start')), START_MS);
      worker.on('message', hear).on('error', fail).on('exit', exit);
      signal?.addEventListener('abort', abort, { once: true });
      worker.postMessage(job);
    });
  }
}

const cancelled = (): CancelledError =>
  new CancelledError('Sandbox.run', 'the program was cancelled', 'run it again; the sandbox is as it was');

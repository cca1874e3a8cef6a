/**
 * One run in a process of its own. The process runs a file that imports the experiments and calls `serveJob`
 * (job-worker.ts): the pipeline cannot import them itself. The two sides speak by Node's messages between processes.
 */
import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CancelledError, OmniError } from '../errors';
import type { Plan } from './identity';
import { runsDir } from './paths';
import type { Profile } from './profile';
import type { RunEvent } from './progress';

/** What a process tells of its work. */
export type JobEvent = Extract<RunEvent, { kind: 'message' | 'progress' }>;

/** To the process: what to make, or to stop after the present step. */
export type Order =
  | {
      kind: 'make';
      name: string;
      profile: Profile;
      seed: number;
      config: Record<string, unknown>;
      hash: string;
      device: string;
    }
  | { kind: 'stop' };

/** From the process. */
export type Report =
  { kind: 'event'; event: JobEvent } | { kind: 'made' } | { kind: 'failed'; message: string; cancelled: boolean };

/**
 * One heap for all sessions of a process, which keeps what is freed: glibc reads these when a process starts; others ignore them. Sessions
 * then need no memory of their own (runtime/ort-device.ts), so that several processes fit beside each other.
 */
const processMemory = {
  OMNILAB_ARENA: '0',
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
};

/** How long a process may take to end after its result. */
const END_MS = 10_000;

export interface JobOptions {
  /** The compiled file that the process runs. */
  worker: string;
  device: string;
  threads: number;
  signal?: AbortSignal;
  onEvent?: (event: JobEvent) => void;
  /** What the process prints. */
  onLine?: (line: string) => void;
}

/**
 * Makes a run in a new process. Resolves when the process has ended. Throws CancelledError when the signal stopped it
 * (the run can be resumed), Error with the run's own text if it failed, OmniError if its process died.
 */
export function runJob(plan: Plan, options: JobOptions): Promise<void> {
  const { worker, device, threads, signal, onEvent, onLine } = options;
  const { name } = plan.experiment;
  const child = fork(worker, {
    env: {
      ...(device === 'cpu' && process.platform === 'linux' ? processMemory : {}),
      // What the user set goes first.
      ...process.env,
      OMNILAB_THREADS: String(threads),
      OMNILAB_RUNS: runsDir(),
    },
    // Keeps values that are undefined, which take a part out of a configuration.
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', (line) => onLine?.(line));
  // A process that is ending takes no message; its end tells the rest.
  const send = (order: Order): void => void (child.connected && child.send(order, () => undefined));
  const stop = (): void => send({ kind: 'stop' });
  const config = plan.config as Record<string, unknown>;
  send({ kind: 'make', name, profile: plan.profile, seed: plan.seed, config, hash: plan.hash, device });
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();

  return new Promise<void>((resolve, reject) => {
    let result: Exclude<Report, { kind: 'event' }> | undefined;
    let late: NodeJS.Timeout | undefined;
    let trouble: Error | undefined;
    child.on('message', (report: Report) => {
      if (report.kind === 'event') return onEvent?.(report.event);
      result = report;
      late = setTimeout(() => child.kill('SIGKILL'), END_MS);
    });
    child.on('error', (error) => {
      trouble = error;
      // It may not have started, and then has no other end.
      if (child.pid === undefined) ended(null, null);
    });
    const ended = (code: number | null, killed: NodeJS.Signals | null): void => {
      clearTimeout(late);
      signal?.removeEventListener('abort', stop);
      if (result?.kind === 'made') return resolve();
      if (result?.cancelled || (!result && signal?.aborted))
        return reject(new CancelledError(name, 'the work was cancelled', 'start it again: it goes on from its last checkpoint')); // prettier-ignore
      if (result) return reject(new Error(result.message));
      reject(
        new OmniError(
          name,
          `its process ended early (${trouble?.message ?? killed ?? `status ${code}`})`,
          killed === 'SIGKILL'
            ? 'the system ends processes so when memory is short: try fewer at once (JOBS=1); the run goes on from its last checkpoint'
            : 'start it again: the run goes on from its last checkpoint',
          { cause: trouble },
        ),
      );
    };
    child.on('close', ended);
  });
}

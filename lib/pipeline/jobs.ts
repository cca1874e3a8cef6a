/**
 * Runs made ahead of the notebooks that ask for them, several at a time, each in a process of its own with its share of
 * the cores: two processes of one thread do more than one process of two.
 */
import * as os from 'node:os';
import { CancelledError } from '../errors';
import { cpuThreads } from '../runtime/ort-device';
import { duration } from './duration';
import { plan } from './identity';
import type { Plan } from './identity';
import { runJob } from './job';
import { jobsDisplay } from './jobs-display';
import type { Profile } from './profile';
import type { RunRequest } from './requests';
import { alone, keyOf, schedule, unfinished } from './schedule';
import type { Outcome } from './schedule';

export interface JobsOptions {
  requests: readonly RunRequest[];
  profile: Profile;
  device: string;
  /** How many at once, at most. */
  jobs: number;
  /** The compiled file that a process runs: see job.ts. */
  worker: string;
  print: (line: string) => void;
  /** Show no lines that change in place. */
  quiet?: boolean;
  signal?: AbortSignal;
}

/** What became of a run. */
export interface JobResult {
  name: string;
  seed: number;
  hash: string;
  status: Outcome;
  seconds: number;
  error?: string;
}

/** What the largest run of a profile may take, in bytes: measured 1.4 GB (smoke) and 3.0 GB (laptop, the decoder of clips). */
const MEMORY: Partial<Record<string, number>> = { smoke: 1.7e9, laptop: 3.5e9 };

/** How many at once where nobody says: two, if there are threads and memory for two. A GPU is not to be shared; profile gpu was not measured. */
export const defaultJobs = (device: string, profile: string, memory = os.totalmem()): number =>
  device === 'cpu' && cpuThreads() > 1 && memory >= 2 * (MEMORY[profile] ?? Infinity) ? 2 : 1;

/** Two runs of one name differ in values of their configuration: those that are not the profile's own. */
function changesOf({ experiment, profile, config }: Plan): string {
  const out: string[] = [];
  const compare = (own: unknown, value: unknown, path: string): void => {
    if (JSON.stringify(own) === JSON.stringify(value)) return;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return void out.push(`${path}=${JSON.stringify(value)?.replaceAll('"', '')}`);
    for (const [key, inner] of Object.entries(value))
      compare((own as Record<string, unknown> | undefined)?.[key], inner, path ? `${path}.${key}` : key);
  };
  compare(experiment.config(profile), config, '');
  const text = out.join(' ');
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

const labelOf = (p: Plan): string =>
  [p.experiment.name, p.seed ? `seed ${p.seed}` : '', changesOf(p)].filter(Boolean).join(', ');

/**
 * Makes the runs that are asked for and those that they build on, except what is finished. Never rejects for a run's
 * sake: whoever asks for it later tries again. Requests that cannot be planned are left to those, too.
 */
export async function makeAhead(options: JobsOptions): Promise<JobResult[]> {
  const { profile, device, jobs, worker, signal } = options;
  const plans = options.requests.flatMap(({ name, seed, config }) => {
    try {
      return [plan(name, profile, seed, config)];
    } catch {
      return [];
    }
  });
  const missing = await unfinished(plans);
  if (!missing.length || signal?.aborted) return [];
  const total = cpuThreads();
  const share = Math.max(1, Math.floor(total / jobs));
  // The last bits of a result may depend on the number of threads, so it is not chosen by what happens to be idle.
  const single = alone(plans);
  const display = jobsDisplay({ print: options.print, ...(options.quiet ? { stream: null } : {}) });
  const results = new Map<string, JobResult>();
  const titles = new Map(missing.map((p, i) => [keyOf(p), `[${i + 1}/${missing.length}] ${labelOf(p)}`]));
  display.print(
    `${missing.length} run${missing.length > 1 ? 's' : ''} to make for the notebooks, at most ${jobs} at once with ${share} thread${share > 1 ? 's' : ''} each`,
  );
  const note = (p: Plan, status: Outcome, seconds: number, error?: string): void =>
    void results.set(keyOf(p), { name: p.experiment.name, seed: p.seed, hash: p.hash, status, seconds, error });
  const make = async (p: Plan): Promise<Exclude<Outcome, 'skipped'>> => {
    const began = performance.now();
    const line = display.begin(titles.get(keyOf(p))!);
    const end = (status: Exclude<Outcome, 'skipped'>, text: string, error?: string): typeof status => {
      const seconds = (performance.now() - began) / 1000;
      note(p, status, seconds, error);
      line.end(`${text} ${duration(seconds)}${error ? `\n${error}` : ''}`);
      return status;
    };
    try {
      await runJob(p, {
        worker,
        device,
        threads: single.has(keyOf(p)) ? total : share,
        signal,
        onEvent: (event) => line.event(event),
        onLine: (text) => line.say(text),
      });
      return end('made', 'made in');
    } catch (error) {
      if (error instanceof CancelledError) return end('cancelled', 'stopped after');
      return end('failed', 'failed after', (error as Error).message);
    }
  };
  const skip = (p: Plan, parent: Plan): void => {
    const error = `${labelOf(parent)} is not made`;
    note(p, 'skipped', 0, error);
    display.print(`${titles.get(keyOf(p))}: skipped (${error})`);
  };
  // The command tells that it is stopping.
  const clear = (): void => display.clear();
  signal?.addEventListener('abort', clear);
  try {
    const outcomes = await schedule(missing, { jobs, signal }, make, skip);
    for (const p of missing) if (!results.has(keyOf(p))) note(p, outcomes.get(keyOf(p))!, 0);
  } finally {
    signal?.removeEventListener('abort', clear);
    clear();
  }
  return missing.map((p) => results.get(keyOf(p))!);
}

/**
 * What `make reproduce` does: runs the notebooks, each on a kernel of its own without Jupyter, and says where the
 * figures and tables lie. What is up to date is left alone; what fails is reported, and the rest still runs.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { ArgumentError, CancelledError, OmniError } from '../errors';
import { duration } from './duration';
import { makeAhead } from './jobs';
import type { JobResult } from './jobs';
import { notebookName, requestsOf, selectNotebooks } from './notebooks';
import type { NotebookEntry } from './notebooks';
import { figuresDir, projectRoot, runsDir } from './paths';
import { DEFAULT_SEEDS, parseProfile } from './profile';
import { checkStamp, executedPath, hashOutputs, inputsHash, removeStamp, staleNotebooks, writeStamp } from './stamp';
import type { Stamp, StampSettings } from './stamp';

/** The headless client of kernels/, as far as it is needed here. Rejects if a cell fails, or the signal is aborted. */
export type NotebookRunner = (
  file: string,
  options: {
    output: string;
    env: Record<string, string>;
    signal?: AbortSignal;
    cellTimeoutMs?: number;
    onOutput?: () => void;
    /** Where output is shown. */
    out?: { write(text: string): unknown };
  },
) => Promise<unknown>;

export interface ReproduceOptions {
  notebooks: readonly NotebookEntry[];
  /** Default: laptop. */
  profile?: string;
  /** Default: cpu. */
  device?: string;
  /** How many seeds; default: the profile's number. */
  seeds?: number;
  /** A notebook or experiment, or the first words of its name. */
  only?: string;
  /**
   * Make the runs that the notebooks ask for before them, so many at a time, each in a process that runs this compiled
   * file (see job.ts). Default, and with a count of 1: the notebooks make them, one after the other.
   */
  jobs?: { count: number; worker: string };
  signal?: AbortSignal;
  /** Longest time for one cell; default: none. */
  cellTimeoutMs?: number;
  /** Where lines for the reader go. */
  print?: (line: string) => void;
  /** Do not show the notebooks' own output. */
  quiet?: boolean;
  /** Default: the headless client of kernels/. */
  runNotebook?: NotebookRunner;
  /** The folder that holds notebooks/. Default: the project's. */
  root?: string;
}

export interface NotebookResult {
  name: string;
  /** current: up to date, not run; skipped: a notebook that it follows failed. */
  status: 'made' | 'current' | 'failed' | 'skipped' | 'cancelled';
  seconds: number;
  /** Files that it made, as absolute paths. */
  outputs: string[];
  error?: string;
}

export interface Reproduction {
  status: 'ok' | 'failed' | 'cancelled';
  profile: string;
  figures: string;
  seconds: number;
  /** Those made before the notebooks; empty without `jobs`. */
  runs: JobResult[];
  notebooks: NotebookResult[];
}

/**
 * Runs what is not up to date. Never rejects for a notebook's sake: see `status`. Throws ArgumentError for an unknown
 * profile or a choice that matches nothing.
 */
export async function reproduce(options: ReproduceOptions): Promise<Reproduction> {
  const began = performance.now();
  const profile = parseProfile(options.profile ?? 'laptop');
  const seeds = options.seeds ?? DEFAULT_SEEDS[profile];
  if (!Number.isSafeInteger(seeds) || seeds < 1)
    throw new ArgumentError('reproduce', `expected 1 or more seeds, got ${seeds}`, 'pass SEEDS=3');
  const settings: StampSettings = {
    root: options.root ?? projectRoot(),
    figures: figuresDir(profile),
    profile,
    device: options.device ?? 'cpu',
    seeds,
  };
  const print = options.print ?? (() => undefined);
  const chosen = selectNotebooks(options.notebooks, options.only);
  const runs =
    options.jobs && options.jobs.count > 1 ? await ahead(chosen, settings, options.jobs, options, print) : [];
  const made = new Map<string, Stamp>();
  const results = await pooled(chosen, options.jobs?.count ?? 1, (entry, i) => {
    const name = notebookName(entry);
    const lost = entry.after?.find((before) => !made.has(before));
    if (options.signal?.aborted) return Promise.resolve(empty(name, 'cancelled'));
    if (lost) return Promise.resolve(empty(name, 'skipped', `${lost} is not made`));
    return one(entry, `[${i + 1}/${chosen.length}] ${name}`, settings, made, options, print);
  });
  const all = (...states: NotebookResult['status'][]) => results.every((r) => states.includes(r.status));
  const reproduction: Reproduction = {
    status: all('made', 'current') ? 'ok' : results.some((r) => r.status === 'cancelled') ? 'cancelled' : 'failed',
    profile,
    figures: settings.figures,
    seconds: (performance.now() - began) / 1000,
    runs,
    notebooks: results,
  };
  for (const line of summary(reproduction)) print(line);
  return reproduction;
}

/**
 * Calls `work` for the notebooks, in order and at most `count` at once: each after those whose outputs it reads or also writes
 * (both papers' claims are in one file). Returns the results in order.
 */
async function pooled(
  chosen: readonly NotebookEntry[],
  count: number,
  work: (entry: NotebookEntry, i: number) => Promise<NotebookResult>,
): Promise<NotebookResult[]> {
  const results = new Array<NotebookResult | undefined>(chosen.length);
  const waiting = new Set(chosen.keys());
  const working = new Map<number, Promise<void>>();
  const waitsFor = (entry: NotebookEntry, other: NotebookEntry): boolean =>
    (entry.after ?? []).includes(notebookName(other)) || entry.outputs.some((file) => other.outputs.includes(file));
  while (waiting.size || working.size) {
    const ready = [...waiting].find(
      (i) => !chosen.slice(0, i).some((other, k) => !results[k] && waitsFor(chosen[i], other)),
    );
    if (ready !== undefined && working.size < count) {
      waiting.delete(ready);
      working.set(
        ready,
        work(chosen[ready], ready).then((result) => {
          results[ready] = result;
          working.delete(ready);
        }),
      );
    } else await Promise.race(working.values());
  }
  return results as NotebookResult[];
}

/** Makes the runs of the notebooks that have to be run. A run that fails here is tried again by its notebook, which reports it. */
async function ahead(
  chosen: readonly NotebookEntry[],
  settings: StampSettings,
  { count, worker }: NonNullable<ReproduceOptions['jobs']>,
  { quiet, signal }: ReproduceOptions,
  print: (line: string) => void,
): Promise<JobResult[]> {
  const { profile, device } = settings;
  const seeds = Array.from({ length: settings.seeds }, (_, seed) => seed);
  const requests = (await staleNotebooks(chosen, settings)).flatMap((entry) => requestsOf(entry, profile, seeds));
  return makeAhead({ requests, profile, device, jobs: count, worker, print, quiet, signal });
}

const empty = (name: string, status: NotebookResult['status'], error?: string): NotebookResult => ({
  name,
  status,
  seconds: 0,
  outputs: [],
  error,
});

async function one(
  entry: NotebookEntry,
  title: string,
  settings: StampSettings,
  made: Map<string, Stamp>,
  options: ReproduceOptions,
  print: (line: string) => void,
): Promise<NotebookResult> {
  const name = notebookName(entry);
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const shown: string[] = [];
  const paths = (stamp: Stamp) => Object.keys(stamp.outputs).map((file) => path.join(settings.figures, file));
  try {
    const inputs = await inputsHash(entry, settings, made);
    const known = await checkStamp(entry, settings, inputs);
    if (typeof known !== 'string') {
      print(`${title}: up to date`);
      made.set(name, known);
      return { name, status: 'current', seconds: known.seconds, outputs: paths(known) };
    }
    print(`${title}: running (${known})`);
    await removeStamp(entry, settings);
    // Outputs of notebooks that run side by side are shown one after the other.
    const together = (options.jobs?.count ?? 1) > 1;
    const runNotebook = options.runNotebook ?? (await import('../../kernels/index.js')).runNotebook;
    const output = path.join(settings.figures, executedPath(entry));
    await fs.mkdir(path.dirname(output), { recursive: true });
    await runNotebook(path.join(settings.root, entry.path), {
      output,
      env: {
        OMNILAB_PROFILE: settings.profile,
        OMNILAB_DEVICE: settings.device,
        OMNILAB_SEEDS: String(settings.seeds),
        OMNILAB_FIGURES: settings.figures,
        OMNILAB_RUNS: runsDir(),
      },
      signal: options.signal,
      cellTimeoutMs: options.cellTimeoutMs,
      ...(options.quiet ? { onOutput: () => undefined } : {}),
      ...(together ? { out: { write: (text: string) => shown.push(text) } } : {}),
    });
    const { outputs, missing } = await hashOutputs(entry, settings);
    if (missing.length)
      throw new OmniError(
        entry.path,
        `expected it to make ${missing.join(', ')}, got nothing there`,
        'write it in a cell, or take it out of the table of notebooks',
      );
    const stamp = await writeStamp(entry, settings, { inputs, outputs, seconds: seconds() });
    made.set(name, stamp);
    if (shown.length) print(shown.join('').trimEnd());
    print(`${title}: made in ${duration(seconds())}`);
    return { name, status: 'made', seconds: seconds(), outputs: paths(stamp) };
  } catch (error) {
    if (error instanceof CancelledError || options.signal?.aborted)
      return { ...empty(name, 'cancelled'), seconds: seconds() };
    const text = error instanceof Error ? error.message : String(error);
    if (shown.length) print(shown.join('').trimEnd());
    print(`${title}: failed\n${text}`);
    return { ...empty(name, 'failed', text), seconds: seconds() };
  }
}

const STATUS_TEXT: Record<NotebookResult['status'], string> = {
  made: 'made',
  current: 'up to date',
  failed: 'FAILED',
  skipped: 'skipped',
  cancelled: 'not finished',
};

function summary({ status, notebooks, figures, seconds, profile }: Reproduction): string[] {
  const width = Math.max(...notebooks.map((n) => n.name.length), 0);
  const lines = ['', `profile ${profile}`];
  for (const n of notebooks) {
    const time = n.seconds ? `  ${duration(n.seconds)}` : '';
    const reason = n.error ? `  ${n.error.split('\n')[0]}` : '';
    lines.push(`  ${n.name.padEnd(width)}  ${STATUS_TEXT[n.status].padEnd(12)}${time}${reason}`.trimEnd());
    for (const file of n.outputs) lines.push(`    ${path.relative(process.cwd(), file)}`);
  }
  if (!notebooks.length) lines.push('  there are no notebooks to run');
  lines.push(`figures and tables: ${path.relative(process.cwd(), figures) || '.'}`);
  lines.push(`total: ${duration(seconds)}`);
  if (status === 'cancelled') lines.push('interrupted: give the same command again to go on from the last checkpoints');
  return lines;
}

/**
 * `run` makes an experiment's result be there: present, it is loaded; interrupted, it goes on from its last checkpoint;
 * absent, its parents are made first and then it is. A killed and resumed run ends with the same files as a straight
 * one.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { ArgumentError, CancelledError } from '../errors';
import { isTemporaryName } from '../io/atomic';
import { cancellable, checkCancelled } from '../runtime/cancel';
import { CheckpointFolder } from './checkpoint';
import type { Stored } from './checkpoint';
import { makeContext } from './context';
import { explained } from './disk';
import { describeMachine, gitState, libraryVersions } from './environment';
import { plan as makePlan } from './identity';
import type { Plan } from './identity';
import { lockFolder } from './lock';
import { encodeNumbers, writeJson } from './manifest';
import type { Manifest } from './manifest';
import { MetricsLog, readLog } from './metrics-log';
import type { LogRow } from './metrics-log';
import { figuresDir } from './paths';
import { DEFAULT_SEEDS, parseProfile } from './profile';
import type { Profile } from './profile';
import { defaultProgress } from './progress';
import type { OnProgress } from './progress';
import { Run } from './run-result';
import { CHECKPOINTS, clearRun, damagedFiles, describeFiles, MANIFEST, readManifest, runDir } from './store';

export interface RunOptions {
  /** Default: OMNILAB_PROFILE, else laptop. */
  profile?: string;
  /** Default: 0. */
  seed?: number;
  /** Default: OMNILAB_DEVICE, else cpu. */
  device?: string;
  /** Values that replace those of the experiment's configuration, at any depth. */
  config?: Record<string, unknown>;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

interface Settings {
  device: string;
  onProgress: OnProgress;
  signal: AbortSignal;
}

/** The profile and the device that are used where a call names none. */
export const currentProfile = (): Profile => parseProfile(process.env.OMNILAB_PROFILE || 'laptop');
export const currentDevice = (): string => process.env.OMNILAB_DEVICE || 'cpu';

/** Where this notebook's figures and tables go: OMNILAB_FIGURES, else the profile's folder. */
export const currentFigures = (): string => path.resolve(process.env.OMNILAB_FIGURES || figuresDir(currentProfile()));

/** Seeds 0, 1, ...: as many as OMNILAB_SEEDS says, or the profile's number. */
export function currentSeeds(profile = currentProfile()): number[] {
  const count = Number(process.env.OMNILAB_SEEDS || DEFAULT_SEEDS[profile]);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new ArgumentError(
      'OMNILAB_SEEDS',
      `expected a number of seeds, got "${process.env.OMNILAB_SEEDS}"`,
      'set it to 3, say',
    );
  return Array.from({ length: count }, (_, seed) => seed);
}

/**
 * Makes or loads the run of an experiment. Throws ArgumentError for unknown names and bad configurations,
 * CancelledError when the signal is aborted, OmniError where the folder of runs cannot be written, and whatever the
 * experiment's own code throws (the run is then marked as failed, and goes on from its last checkpoint the next time).
 */
export async function run(name: string, options: RunOptions = {}): Promise<Run> {
  const profile = options.profile === undefined ? currentProfile() : parseProfile(options.profile);
  const settings: Settings = {
    device: options.device ?? currentDevice(),
    onProgress: options.onProgress ?? defaultProgress,
    signal: options.signal ?? new AbortController().signal,
  };
  return cancellable(settings.signal, () =>
    makePresent(makePlan(name, profile, options.seed ?? 0, options.config), settings),
  );
}

/** The runs of several seeds, one after the other. */
export async function runSeeds(name: string, seeds: readonly number[], options: RunOptions = {}): Promise<Run[]> {
  const runs: Run[] = [];
  for (const seed of seeds) runs.push(await run(name, { ...options, seed }));
  return runs;
}

/** Runs of this process at work, by folder: a second caller shares the first one's. */
const active = new Map<string, Promise<Run>>();

function makePresent(plan: Plan, settings: Settings): Promise<Run> {
  const dir = runDir(plan);
  let working = active.get(dir);
  if (!working) {
    working = open(plan, dir, settings).finally(() => active.delete(dir));
    active.set(dir, working);
  }
  return working;
}

const say = (plan: Plan, settings: Settings, text: string): void =>
  settings.onProgress({ kind: 'message', experiment: plan.experiment.name, text });

async function open(plan: Plan, dir: string, settings: Settings): Promise<Run> {
  const ready = await finished(plan, dir, settings, false);
  if (ready) return ready;
  const parents: Run[] = [];
  for (const parent of plan.parents) parents.push(await makePresent(parent, settings));
  checkCancelled(plan.experiment.name);
  const release = await lockFolder(
    dir,
    (pid) => say(plan, settings, `process ${pid} is making it; waiting for its result`),
    settings.signal,
  ).catch((error: unknown) => {
    throw explained(dir, error);
  });
  try {
    // Another process may have finished it meanwhile.
    return (await finished(plan, dir, settings, true)) ?? (await make(plan, dir, parents, settings));
  } catch (error) {
    throw explained(dir, error);
  } finally {
    release();
  }
}

/**
 * The run if it is finished and whole. With `repair`, says what is damaged and removes it, so that it is made again.
 */
async function finished(plan: Plan, dir: string, settings: Settings, repair: boolean): Promise<Run | null> {
  let manifest: Manifest | null;
  try {
    manifest = await readManifest(dir);
  } catch (error) {
    if (repair) say(plan, settings, `${(error as Error).message.split('\n')[0]}; taken as interrupted`);
    return null;
  }
  if (manifest?.status !== 'done') return null;
  const damaged = await damagedFiles(dir, manifest);
  if (!damaged.length) return new Run(dir, manifest, true);
  if (repair) {
    say(
      plan,
      settings,
      `finished before, but ${damaged.join(', ')} ${damaged.length > 1 ? 'are' : 'is'} missing or damaged; making it again`,
    );
    for (const name of damaged) await fs.rm(path.join(dir, name), { force: true });
  }
  return null;
}

async function make(plan: Plan, dir: string, parents: Run[], settings: Settings): Promise<Run> {
  const { experiment, config, profile, seed, hash } = plan;
  const { device, signal, onProgress } = settings;
  const message = (text: string) => say(plan, settings, text);
  const log = new MetricsLog(path.join(dir, 'metrics.jsonl'));
  const checkpoints = new CheckpointFolder(path.join(dir, CHECKPOINTS), message);
  const before = await readManifest(dir).catch(() => null);
  const latest = await checkpoints.latest((logged) =>
    log.matches(logged) ? null : 'metrics.jsonl has changed since it was written',
  );
  if (!latest) await clearRun(dir);
  else {
    message(`going on from step ${latest.step}`);
    // What writes left that a kill cut short.
    for (const name of (await fs.readdir(dir)).filter(isTemporaryName))
      await fs.rm(path.join(dir, name), { recursive: true });
  }
  log.truncate(latest?.log.bytes ?? 0, latest?.step ?? -1);

  const began = performance.now();
  const records: Stored['records'] = latest?.records ?? { data: {}, graphs: {} };
  const manifest: Manifest = {
    format: 1,
    experiment: experiment.name,
    hash,
    profile,
    status: 'running',
    error: null,
    config: config as Record<string, unknown>,
    seed,
    codeVersion: plan.codeVersion,
    parents: plan.parents.map((p) => ({ name: p.experiment.name, hash: p.hash })),
    git: gitState(),
    device,
    machine: describeMachine(),
    versions: libraryVersions(),
    ...records,
    started: before?.started ?? new Date().toISOString(),
    finished: null,
    wallSeconds: 0,
    resumes: latest ? (before?.resumes ?? 0) + 1 : 0,
    peakMemoryBytes: 0,
    metrics: {},
    files: {},
  };
  const earlier = latest ? before : null;
  const write = (changes: Partial<Manifest> = {}) =>
    writeJson(
      path.join(dir, MANIFEST),
      Object.assign(manifest, changes, {
        ...records,
        wallSeconds: (earlier?.wallSeconds ?? 0) + (performance.now() - began) / 1000,
        peakMemoryBytes: Math.max(earlier?.peakMemoryBytes ?? 0, process.resourceUsage().maxRSS * 1024),
      }),
    );
  await write();
  const logged = (row: LogRow): void => onProgress({ kind: 'log', experiment: experiment.name, row });
  onProgress({ kind: 'start', experiment: experiment.name, dir });
  readLog(log.file).forEach(logged);
  const context = makeContext({
    base: { name: experiment.name, config, seed, profile, device, dir, signal, parents },
    records,
    log,
    checkpoints,
    latest,
    saved: () => write(),
    logged,
    progress: (done, total, info) => onProgress({ kind: 'progress', experiment: experiment.name, done, total, info }),
    message,
  });
  try {
    const metrics = await experiment.run(context);
    await checkpoints.prune(1);
    await write({
      status: 'done',
      finished: new Date().toISOString(),
      metrics: encodeNumbers(metrics) as Manifest['metrics'],
      files: await describeFiles(dir),
    });
    onProgress({ kind: 'end', experiment: experiment.name });
    return new Run(dir, manifest, false);
  } catch (error) {
    const known = error instanceof Error ? error : new Error(String(error));
    const cancelled = known instanceof CancelledError || signal.aborted;
    // A disk that is full must not hide the error that came first.
    await write({ status: cancelled ? 'cancelled' : 'failed', error: known.stack ?? known.message }).catch((e: Error) =>
      message(`the manifest could not be written: ${e.message}`),
    );
    onProgress({ kind: 'end', experiment: experiment.name, error: known });
    throw error;
  }
}

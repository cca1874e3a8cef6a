/**
 * What an experiment's `run` function gets: its configuration, its folder, checkpoints, logging, and its parents'
 * results.
 */
import { ArgumentError } from '../errors';
import type { HostTensor } from '../graph/dtype';
import { writeFileAtomic } from '../io/atomic';
import { writeSafetensors } from '../io/safetensors';
import { checkCancelled } from '../runtime/cancel';
import type { Checkpoint, CheckpointFolder, Json, Stored } from './checkpoint';
import type { LogRow, MetricsLog } from './metrics-log';
import { artefactFile } from './paths';
import type { Profile } from './profile';
import type { Run } from './run-result';

export interface Context<C> {
  readonly name: string;
  readonly config: C;
  readonly seed: number;
  readonly profile: Profile;
  /** As given to `run`: cpu, webgpu, cuda:0, ... */
  readonly device: string;
  /** The run's folder. Every file left in it is part of the result. */
  readonly dir: string;
  readonly signal: AbortSignal;
  readonly parents: readonly Run[];
  /** The result of a parent, by its experiment's name. Throws ArgumentError if it is none. */
  parent(name: string): Run;
  readonly checkpoint: {
    /**
     * Stores what is needed to go on after `step`. Log the step first. `state` is JSON; tensors of any types the
     * engine has.
     */
    save(step: number, content: { tensors: Record<string, HostTensor>; state?: Json }): Promise<void>;
    /** The checkpoint from which this run goes on, or null at its start. The same one until another is saved. */
    latest<S = Json>(): Promise<Checkpoint<S> | null>;
  };
  /** Appends a line to metrics.jsonl. Throws CancelledError once the run is cancelled. */
  log(step: number, metrics: Record<string, number | string | boolean | null>): void;
  /** Moves the progress bar. Throws CancelledError once the run is cancelled. */
  progress(done: number, total: number, info?: Record<string, number | string>): void;
  /** A line for the reader. */
  message(text: string): void;
  /** Notes the hash of data that was used, or of a compiled graph, in the manifest. */
  recordData(name: string, hash: string): void;
  recordGraph(name: string, hash: string): void;
  /** Writes `<name>.safetensors` (a final artefact) into the run's folder; children read it with `load`. */
  save(name: string, tensors: Record<string, HostTensor>, metadata?: Record<string, string>): Promise<void>;
  /** Writes `<name>.json` into the run's folder. */
  saveJson(name: string, value: unknown): Promise<void>;
}

export interface ContextParts<C> {
  base: Pick<Context<C>, 'name' | 'config' | 'seed' | 'profile' | 'device' | 'dir' | 'signal' | 'parents'>;
  records: Stored['records'];
  log: MetricsLog;
  checkpoints: CheckpointFolder;
  latest: Stored | null;
  /** Called after each checkpoint. */
  saved: () => Promise<void>;
  /** Called with each row, after it is written. */
  logged: (row: LogRow) => void;
  progress: Context<C>['progress'];
  message: (text: string) => void;
}

/** Puts a context together from its parts. */
export function makeContext<C>(parts: ContextParts<C>): Context<C> {
  const { base, records, log, checkpoints } = parts;
  let latest: Checkpoint | null = parts.latest;
  const record = (kind: 'data' | 'graphs') => (name: string, hash: string) => {
    records[kind][name] = hash;
  };
  return {
    ...base,
    parent(name) {
      const found = base.parents.find((p) => p.name === name);
      if (!found)
        throw new ArgumentError(
          base.name,
          `"${name}" is not a parent`,
          `its parents are: ${base.parents.map((p) => p.name).join(', ') || 'none'}`,
        );
      return found;
    },
    checkpoint: {
      async save(step, { tensors, state = null }) {
        checkCancelled('ctx.checkpoint.save');
        const logged = log.seal(step);
        await checkpoints.save(step, { tensors, state, log: logged, records: structuredClone(records) });
        latest = { step, tensors, state };
        await parts.saved();
      },
      latest: <S>() => Promise.resolve(latest as Checkpoint<S> | null),
    },
    log(step, metrics) {
      checkCancelled('ctx.log');
      log.append(step, metrics);
      parts.logged({ step, ...metrics });
    },
    progress(done, total, info) {
      checkCancelled('ctx.progress');
      parts.progress(done, total, info);
    },
    message: parts.message,
    recordData: record('data'),
    recordGraph: record('graphs'),
    save: (name, tensors, metadata) =>
      writeSafetensors(artefactFile(base.dir, name, '.safetensors'), tensors, metadata),
    saveJson: (name, value) =>
      writeFileAtomic(artefactFile(base.dir, name, '.json'), JSON.stringify(value, null, 1) + '\n'),
  };
}

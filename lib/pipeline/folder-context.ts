/**
 * What a trainer needs of its surroundings, kept in a folder: metrics.jsonl and the last two checkpoints. For trainings outside of
 * the graph of experiments, which gives its own (context.ts).
 */
import * as path from 'node:path';
import { checkCancelled } from '../runtime/cancel';
import type { TrainContext, TrainMetrics } from '../trainers/context';
import { CheckpointFolder } from './checkpoint';
import { explained } from './disk';
import { lockFolder } from './lock';
import { MetricsLog, readLog } from './metrics-log';
import type { LogRow } from './metrics-log';
import { CHECKPOINTS } from './store';

export interface FolderContextOptions {
  /** Called after each step. */
  onProgress?: (done: number, total: number, info?: TrainMetrics) => void;
  /** Told of damaged checkpoints, and of another process that is waited for. Default: console.error. */
  onMessage?: (text: string) => void;
  /** Ends the wait for another process. */
  signal?: AbortSignal;
}

export interface FolderContext extends TrainContext {
  /** What is logged so far, that of the time before a restart included. */
  rows(): LogRow[];
  /** Lets others have the folder. A process that ends does so by itself. */
  close(): void;
}

/**
 * Opens a folder, which is made if it is not there, for one training: given to the same trainer with the same options again after
 * an interruption, it goes on from its last checkpoint, and ends as the straight training. Waits while another process has it.
 * Throws OmniError if the folder cannot be written, CancelledError.
 */
export async function folderContext(dir: string, options: FolderContextOptions = {}): Promise<FolderContext> {
  const { onProgress = () => undefined, onMessage = console.error, signal } = options;
  const told = (pid: number): void =>
    onMessage(
      pid === process.pid
        ? `${dir}: this process has it open already; waiting until close() of that context is called`
        : `${dir}: process ${pid} works there; waiting`,
    );
  const release = await lockFolder(dir, told, signal).catch((error: unknown) => {
    throw explained(dir, error);
  });
  try {
    const log = new MetricsLog(path.join(dir, 'metrics.jsonl'));
    const checkpoints = new CheckpointFolder(path.join(dir, CHECKPOINTS), (text) => onMessage(`${dir}: ${text}`));
    const found = await checkpoints.latest((logged) =>
      log.matches(logged) ? null : 'metrics.jsonl has changed since it was written',
    );
    log.truncate(found?.log.bytes ?? 0, found?.step ?? -1);
    const records = found?.records ?? { data: {}, graphs: {} };
    let latest = found && { step: found.step, tensors: found.tensors };
    return {
      log(step, metrics) {
        checkCancelled('context.log');
        try {
          log.append(step, metrics);
        } catch (error) {
          throw explained(dir, error);
        }
      },
      progress: onProgress,
      recordGraph: (name, hash) => void (records.graphs[name] = hash),
      checkpoint: {
        async save(step, { tensors }) {
          const content = { tensors, state: null, records: structuredClone(records) };
          try {
            await checkpoints.save(step, { ...content, log: log.seal(step) });
          } catch (error) {
            throw explained(dir, error);
          }
          latest = { step, tensors };
        },
        latest: () => Promise.resolve(latest),
      },
      rows: () => readLog(log.file),
      close: release,
    };
  } catch (error) {
    release();
    throw explained(dir, error);
  }
}

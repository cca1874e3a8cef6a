/** What a trainer needs of its surroundings; the pipeline's context has it, and so has `memoryContext` for use without one. */
import type { HostTensor } from '../graph/dtype';

export type TrainMetrics = Record<string, number>;

export interface TrainCheckpoint {
  step: number;
  tensors: Record<string, HostTensor>;
}

export interface TrainContext {
  log(step: number, metrics: TrainMetrics): void;
  progress(done: number, total: number, info?: TrainMetrics): void;
  /** Notes the hash of a compiled step. */
  recordGraph?(name: string, hash: string): void;
  checkpoint: {
    save(step: number, content: { tensors: Record<string, HostTensor> }): Promise<void>;
    latest(): Promise<TrainCheckpoint | null>;
  };
}

/** A context that keeps the log and the last checkpoint in memory. */
export function memoryContext(): TrainContext & {
  rows: { step: number; metrics: TrainMetrics }[];
  last: TrainCheckpoint | null;
} {
  const context = {
    rows: [] as { step: number; metrics: TrainMetrics }[],
    last: null as TrainCheckpoint | null,
    log: (step: number, metrics: TrainMetrics) => void context.rows.push({ step, metrics }),
    progress: () => undefined,
    checkpoint: {
      save: (step: number, { tensors }: { tensors: Record<string, HostTensor> }) => {
        context.last = { step, tensors };
        return Promise.resolve();
      },
      latest: () => Promise.resolve(context.last),
    },
  };
  return context;
}

/** Options of a trainer's compiled function: its name, and a note of each graph. */
export const compiled = (
  context: TrainContext,
  name: string,
): { name: string; onCompile: (e: { hash: string }) => void } => ({
  name,
  onCompile: ({ hash }) => context.recordGraph?.(`${name} ${hash.slice(0, 8)}`, hash),
});

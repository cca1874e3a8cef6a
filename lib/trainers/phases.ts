/**
 * Several trainers one after another in one run: each has the context to itself, as if it were alone, while the run's
 * checkpoints hold what the earlier ones gave and where the present one stands. A run that was killed goes on inside the phase
 * that it was in.
 *
 * Logged: each phase's metrics under its name ("vocoder/loss"), its steps counted on from those before; of later phases
 * not what is measured before its first step.
 */
import { ArgumentError } from '../errors';
import type { HostTensor } from '../graph/dtype';
import { checkCancelled } from '../runtime/cancel';
import type { TrainContext, TrainMetrics } from './context';
import { fromHost, toHost } from '../io/params';

type Tensors = Record<string, HostTensor>;

export interface TrainPhases {
  /**
   * Runs `work`, which takes `steps` steps, unless the run has done so before it was interrupted; gives its result, a tree of
   * concrete tensors. `like` has the result's structure and shapes.
   */
  phase: <R>(name: string, steps: number, like: R, work: (context: TrainContext) => Promise<R>) => Promise<R>;
}

const within = (tensors: Tensors, prefix: string): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([key, t]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), t]] : [])),
  );
const under = (prefix: string, tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([key, t]) => [prefix + key, t]));

/** Phases of a run whose steps are `totalSteps` in all. */
export function trainPhases(context: TrainContext, totalSteps: number): TrainPhases {
  let offset = 0;
  /** Results of finished phases, under their names. */
  let finished: Tensors = {};
  const names = new Set<string>();
  return {
    async phase(name, steps, like, work) {
      if (names.has(name) || /[/.]/.test(name))
        throw new ArgumentError(
          'trainPhases',
          `expected a new name without "/" and ".", got "${name}"`,
          'rename the phase',
        );
      names.add(name);
      const begin = offset;
      offset += steps;
      const stored = await context.checkpoint.latest();
      const done = stored && within(stored.tensors, `finished/${name}/`);
      if (done && Object.keys(done).length) {
        finished = { ...finished, ...under(`finished/${name}/`, done) };
        return fromHost(`${name}: checkpoint of step ${stored.step}`, like, done);
      }
      const own: TrainContext = {
        log: (step, metrics) => {
          // The step before a later phase's first is the last of the one before, whose checkpoint has sealed it.
          if (step === 0 && begin > 0) return;
          const named = Object.entries(metrics).map(([key, value]) => [`${name}/${key}`, value]);
          context.log(begin + step, Object.fromEntries(named) as TrainMetrics);
        },
        progress: (step, _, info) => context.progress(begin + step, totalSteps, info),
        recordGraph: (graph, hash) => context.recordGraph?.(graph, hash),
        checkpoint: {
          save: (step, { tensors }) =>
            context.checkpoint.save(begin + step, { tensors: { ...finished, ...under(`${name}/`, tensors) } }),
          latest: async () => {
            const last = await context.checkpoint.latest();
            const tensors = last ? within(last.tensors, `${name}/`) : {};
            return last && Object.keys(tensors).length ? { step: last.step - begin, tensors } : null;
          },
        },
      };
      checkCancelled(`phase ${name}`);
      const result = await work(own);
      finished = { ...finished, ...under(`finished/${name}/`, await toHost(result)) };
      if (offset < totalSteps) await context.checkpoint.save(offset, { tensors: finished });
      return result;
    },
  };
}

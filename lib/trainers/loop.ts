/**
 * The loop that all trainers share: steps, logging, progress, checkpoints. What a step uses besides its state (batches,
 * learning rate, noise) must be a function of the step's number, so that a resumed run goes on as the straight one would.
 */
import { checkFinite } from '../runtime/finite';
import type { TrainContext, TrainMetrics } from './context';
import { fromHost, toHost } from '../io/params';

export interface LoopOptions<S> {
  name: string;
  totalSteps: number;
  /** Steps between checkpoints. */
  checkpointEvery: number;
  /** Trees of concrete tensors: parameters and optimiser state. */
  state: S;
  /** Step `i`, counted from 0: takes over the state and returns the next one. */
  step: (state: S, i: number) => Promise<{ state: S; metrics: TrainMetrics }>;
  /** Called at the start (logged as step 0), after every `evaluateEvery` steps, and at the end, with the steps done. */
  evaluate?: (state: S, step: number) => Promise<TrainMetrics>;
  evaluateEvery?: number;
  /** Names of metrics for the progress bar. */
  show?: readonly string[];
}

/** Runs the steps that are left and returns the final state. Throws NonFiniteError when a metric is not finite. */
export async function trainLoop<S>(context: TrainContext, options: LoopOptions<S>): Promise<S> {
  const { name, totalSteps, checkpointEvery, step, evaluate, evaluateEvery = 0, show = ['loss'] } = options;
  let { state } = options;
  let start = 0;
  const saved = await context.checkpoint.latest();
  if (saved) {
    state = fromHost(`${name}: checkpoint of step ${saved.step}`, state, saved.tensors);
    start = saved.step;
  }
  const measure = async (after: number): Promise<TrainMetrics> => {
    const metrics = evaluate ? await evaluate(state, after) : {};
    checkFinite(`${name}, evaluation after step ${after}`, metrics);
    return metrics;
  };
  if (start === 0 && evaluate) context.log(0, await measure(0));
  for (let i = start; i < totalSteps; i++) {
    const result = await step(state, i);
    state = result.state;
    checkFinite(`${name}, step ${i + 1}`, result.metrics);
    const due = i + 1 === totalSteps || (evaluateEvery > 0 && (i + 1) % evaluateEvery === 0);
    context.log(i + 1, { ...result.metrics, ...(due ? await measure(i + 1) : {}) });
    context.progress(
      i + 1,
      totalSteps,
      Object.fromEntries(show.flatMap((k) => (k in result.metrics ? [[k, result.metrics[k]]] : []))),
    );
    if ((i + 1) % checkpointEvery === 0 && i + 1 < totalSteps)
      await context.checkpoint.save(i + 1, { tensors: await toHost(state) });
  }
  return state;
}

/** The scalars of a compiled step as numbers. */
import type { Tensor } from '../graph/tensor';
import type { TrainMetrics } from './context';

export async function readMetrics(tensors: Record<string, Tensor>): Promise<TrainMetrics> {
  const out: TrainMetrics = {};
  for (const [name, t] of Object.entries(tensors)) out[name] = await t.item();
  return out;
}

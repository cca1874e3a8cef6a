/** A check of losses and metrics after each step: training on from a NaN wastes the rest of the run. */
import { NonFiniteError } from '../errors';

/**
 * Throws NonFiniteError that names the metrics which are NaN or infinite. `where` says whose they are, with the step:
 * "stage2, step 120".
 */
export function checkFinite(where: string, values: Readonly<Record<string, number>>): void {
  const bad = Object.entries(values).filter(([, v]) => !Number.isFinite(v));
  if (!bad.length) return;
  const rest = Object.entries(values).filter(([, v]) => Number.isFinite(v));
  throw new NonFiniteError(
    where,
    `expected finite metrics, got ${bad.map(([k, v]) => `${k} = ${v}`).join(', ')}` +
      (rest.length
        ? ` (beside ${rest
            .slice(0, 8)
            .map(([k, v]) => `${k} = ${Number(v.toPrecision(4))}`)
            .join(', ')})`
        : ''),
    'lower the learning rate, clip gradients at a smaller norm, warm up longer, or look for bad values in the batch; the last checkpoint is still good',
  );
}

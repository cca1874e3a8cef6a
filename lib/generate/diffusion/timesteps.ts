/** The time steps of sampling, from noisy to clean, as diffusers' schedulers choose them. */
import { ArgumentError } from '../../errors';
import type { NoiseScheduleConfig } from '../../nn/noise-schedule';

/** As numpy rounds: halves to even. */
function roundEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 ? r - 1 : r;
}

export function checkSteps(where: string, c: NoiseScheduleConfig, steps: number): void {
  if (!Number.isInteger(steps) || steps < 1 || steps > c.numTrainTimesteps)
    throw new ArgumentError(
      where,
      `expected 1 to ${c.numTrainTimesteps} steps, got ${steps}`,
      'sampling visits some of the steps of training',
    );
}

/** `inner`: linspace and leading leave out step 0, as DPM-Solver does, which ends below it. */
export function samplingTimesteps(c: NoiseScheduleConfig, steps: number, inner: boolean): Int32Array {
  const n = c.numTrainTimesteps;
  const points = inner ? steps + 1 : steps;
  const descending = (at: (i: number) => number): Int32Array =>
    Int32Array.from({ length: steps }, (_, i) => at(points - 1 - i));
  if (c.timestepSpacing === 'linspace')
    return descending((i) => (points === 1 ? 0 : roundEven(((n - 1) * i) / (points - 1))));
  if (c.timestepSpacing === 'leading') return descending((i) => i * Math.floor(n / points) + c.stepsOffset);
  return Int32Array.from({ length: steps }, (_, i) => roundEven(n - (i * n) / steps) - 1);
}

/**
 * Learning rates over a run: linear warm-up, then cosine, linear or constant, as Hugging Face's schedules define
 * them.
 */
import { ArgumentError } from '../errors';

export interface ScheduleConfig {
  kind: 'cosine' | 'linear' | 'constant';
  /** The peak. */
  learningRate: number;
  totalSteps: number;
  warmupSteps?: number;
  /** The end of a cosine or linear schedule as a share of the peak. */
  minRatio?: number;
}

/** The learning rate of update `step`, counted from 0. Throws ArgumentError. */
export function learningRateAt(
  step: number,
  { kind, learningRate, totalSteps, warmupSteps = 0, minRatio = 0 }: ScheduleConfig,
): number {
  if (!['cosine', 'linear', 'constant'].includes(kind))
    throw new ArgumentError(
      'learningRateAt',
      `expected cosine, linear or constant, got "${String(kind)}"`,
      'change the option kind',
    );
  if (!Number.isFinite(learningRate) || learningRate < 0)
    throw new ArgumentError(
      'learningRateAt',
      `expected a learning rate of 0 or more, got ${learningRate}`,
      'choose for example 1e-3',
    );
  if (!(totalSteps > 0) || warmupSteps < 0 || warmupSteps > totalSteps)
    throw new ArgumentError(
      'learningRateAt',
      `expected 0 <= warmupSteps <= totalSteps, got ${warmupSteps} and ${totalSteps}`,
      'check the number of steps',
    );
  if (!(step >= 0))
    throw new ArgumentError(
      'learningRateAt',
      `expected a step from 0, got ${step}`,
      'count the first update as step 0',
    );
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps);
  if (kind === 'constant') return learningRate;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const share = kind === 'cosine' ? 0.5 * (1 + Math.cos(Math.PI * progress)) : 1 - progress;
  return learningRate * (minRatio + (1 - minRatio) * share);
}

/**
 * Whether a difference from a baseline has the sign that a paper reports, by a written rule: *holds* if it does in
 * every seed, *does not hold* if it does in none, *undecided* otherwise, where the seeds' mean difference is smaller than
 * `margin` (relative to the baseline), and where there is nothing to compare: the paper has no difference, or a value is NaN.
 */
import { ArgumentError } from '../errors';

export type Verdict = 'holds' | 'does not hold' | 'undecided';

export interface DirectionOptions {
  /** What the paper reports. */
  paper: { method: number; baseline: number };
  /** What was measured: one value a seed, and the baseline's. */
  ours: { method: readonly number[]; baseline: number };
  /** Differences below this share of the baseline decide nothing. */
  margin?: number;
}

export function directionVerdict({ paper, ours, margin = 0.01 }: DirectionOptions): Verdict {
  if (!ours.method.length)
    throw new ArgumentError('directionVerdict', 'expected at least one seed, got none', 'run the experiment first');
  const sign = Math.sign(paper.method - paper.baseline);
  const differences = ours.method.map((x) => x - ours.baseline);
  const mean = differences.reduce((a, b) => a + b, 0) / differences.length;
  if (!sign || Number.isNaN(mean) || Math.abs(mean) < margin * Math.abs(ours.baseline)) return 'undecided';
  const agreeing = differences.filter((d) => Math.sign(d) === sign).length;
  return agreeing === differences.length ? 'holds' : agreeing === 0 ? 'does not hold' : 'undecided';
}

/**
 * Reward against drift: RKP, win rates, and which methods no other one dominates. The card publishes RKP's values and no formula;
 * this definition is this project's proposal [I]:
 *
 *   RKP = (mean reward of the policy - of the supervised model) / (KL(policy || supervised model) + epsilon)
 *
 * with the checkers' rewards over the evaluation's answers, KL in nats a token over the policy's own answers, and epsilon 0.01 nats, which
 * keeps the ratio of a policy that hardly moved from being noise over nothing.
 */
import { ArgumentError } from '../errors';

export const RKP_EPSILON = 0.01;

/** RKP: above 0 where the reward rose. */
export function rewardKlPareto(
  { reward, drift }: { reward: number; drift: number },
  baseline: { reward: number },
  epsilon = RKP_EPSILON,
): number {
  if (!(drift >= -1e-6))
    throw new ArgumentError(
      'rewardKlPareto',
      `expected a divergence of 0 or more, got ${drift}`,
      'it is summed over the whole vocabulary',
    );
  return (reward - baseline.reward) / (Math.max(0, drift) + epsilon);
}

export type Better = 'higher' | 'lower';

/** Whether `a` is nowhere worse than `b`, and somewhere better. Throws ArgumentError for a missing value. */
export function dominates(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
  better: Readonly<Record<string, Better>>,
): boolean {
  let somewhere = false;
  for (const [name, way] of Object.entries(better)) {
    if (!Number.isFinite(a[name]) || !Number.isFinite(b[name]))
      throw new ArgumentError(
        'dominates',
        `expected a value of ${name} on both sides, got ${a[name]} and ${b[name]}`,
        'measure it first',
      );
    const gain = way === 'higher' ? a[name] - b[name] : b[name] - a[name];
    if (gain < 0) return false;
    if (gain > 0) somewhere = true;
  }
  return somewhere;
}

/** Names of those that no other one dominates, in the order given. */
export const nonDominated = (
  points: Readonly<Record<string, Readonly<Record<string, number>>>>,
  better: Readonly<Record<string, Better>>,
): string[] =>
  Object.keys(points).filter((name) =>
    Object.entries(points).every(([other, values]) => other === name || !dominates(values, points[name], better)),
  );

/** Share of samples in which the policy's reward is above the other's; a tie counts as half. Throws ArgumentError for lists of two lengths, and for NaN. */
export function winRate(policy: readonly number[], other: readonly number[]): number {
  if (!policy.length || policy.length !== other.length)
    throw new ArgumentError(
      'winRate',
      `expected as many rewards on both sides, got ${policy.length} and ${other.length}`,
      'evaluate both on the same samples',
    );
  if ([...policy, ...other].some(Number.isNaN))
    throw new ArgumentError('winRate', 'expected rewards, got NaN among them', 'NaN is neither above nor below');
  const wins = policy.map((r, i) => (r > other[i] ? 1 : r < other[i] ? 0 : 0.5) as number);
  return wins.reduce((a, b) => a + b, 0) / wins.length;
}

/**
 * Verdicts on claims, by one written rule. A claim is taken apart into conditions; a condition is a number that is above 0 where the claim
 * is right, measured once for each seed, with a 95 % interval of its mean where one can be computed (paired bootstrap over samples).
 *
 *   a condition holds           if its number is above 0 in every seed, and the interval lies above 0
 *   a condition does not hold   if its number is 0 or less in every seed, and the interval's upper end is not above 0
 *                               (where a claim allows ties, 0 counts as right)
 *   it is undecided             otherwise
 *
 *   a claim holds if all its conditions do; it does not hold if one of them does not; else it is undecided. It is undecided, too, where
 *   something that it speaks of was not measured.
 */
import type { Verdict } from '../../eval/direction';

/** The same in words, for readers of the results. */
export const CLAIM_RULE =
  'A condition is a number that is above 0 where the claim is right, measured once for each seed, with a 95 % interval of its mean where one can ' +
  'be computed (paired bootstrap over the samples). It holds if it is above 0 in every seed and so is the interval; it does not hold if it is 0 or ' +
  'less in every seed and the interval does not reach above 0 (where ties are right: if it is below 0); else it is undecided. A claim holds if ' +
  'all its conditions do, does not hold if one of them does not, and is undecided otherwise, or where something that it speaks of was not measured.';

export interface Condition {
  /** What has to be so, in words. */
  says: string;
  /** One a seed. */
  perSeed: readonly number[];
  interval?: { low: number; high: number };
  /** Whether 0 (a tie) is right. */
  ties?: boolean;
}

export interface DecidedCondition extends Condition {
  verdict: Verdict;
}

export function decideCondition({ perSeed, interval, ties = false }: Condition): Verdict {
  if (!perSeed.length) return 'undecided';
  const right = (x: number): boolean => (ties ? x >= 0 : x > 0);
  const wrong = (x: number): boolean => !right(x);
  const { low, high } = interval ?? { low: Math.min(...perSeed), high: Math.max(...perSeed) };
  if (perSeed.every(right) && right(low)) return 'holds';
  if (perSeed.every(wrong) && (ties ? high < 0 : high <= 0)) return 'does not hold';
  return 'undecided';
}

/** The verdict on a claim, and on each of its conditions. No condition: undecided. */
export function decide(conditions: readonly Condition[]): { verdict: Verdict; conditions: DecidedCondition[] } {
  const decided = conditions.map((c) => ({ ...c, verdict: decideCondition(c) }));
  const all = decided.map((c) => c.verdict);
  const verdict: Verdict =
    all.length && all.every((v) => v === 'holds')
      ? 'holds'
      : all.includes('does not hold')
        ? 'does not hold'
        : 'undecided';
  return { verdict, conditions: decided };
}

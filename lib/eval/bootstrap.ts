/**
 * The percentile bootstrap (Efron and Tibshirani 1993, chapter 13) over evaluation samples. Samples are drawn within their strata
 * (categories), as the evaluation set has a fixed number of each. What is compared is computed on the same draws: paired.
 */
import { ArgumentError } from '../errors';
import { Random } from '../nn/random';

export interface Interval {
  /** On the samples as they are. */
  value: number;
  low: number;
  high: number;
}

export interface BootstrapOptions {
  /** Default 1000. */
  draws?: number;
  seed?: number;
  /** Share of the draws inside. Default 0.95. */
  level?: number;
  /** The stratum of each sample; default: one for all. */
  strata?: readonly string[];
}

/** Linear interpolation between order statistics. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/**
 * Intervals of several statistics at once. `statistics` gets the positions of the drawn samples, with repetition. Same arguments, same
 * intervals. Draws in which a statistic is not finite are left out of its interval. Throws ArgumentError.
 */
export function bootstrap(
  count: number,
  statistics: (rows: readonly number[]) => Record<string, number>,
  { draws = 1000, seed = 0, level = 0.95, strata }: BootstrapOptions = {},
): Record<string, Interval> {
  const whole = (n: number): boolean => Number.isSafeInteger(n) && n >= 1;
  if (!whole(count) || !whole(draws) || (strata && strata.length !== count))
    throw new ArgumentError(
      'bootstrap',
      `expected samples, draws and a stratum for each sample, got ${count}, ${draws} and ${strata?.length ?? 'none'}`,
      'evaluate some samples first',
    );
  if (!(level > 0 && level < 1))
    throw new ArgumentError('bootstrap', `expected a level between 0 and 1, got ${level}`, 'choose for example 0.95');
  const all = Array.from({ length: count }, (_, i) => i);
  const groups = [...new Set(strata ?? [''])].map((s) => (strata ? all.filter((i) => strata[i] === s) : all));
  const random = new Random(seed, 'bootstrap');
  const found = new Map<string, number[]>();
  for (let d = 0; d < draws; d++) {
    const rows = groups.flatMap((group) => group.map(() => group[random.int(group.length)]));
    for (const [name, value] of Object.entries(statistics(rows)))
      (found.get(name) ?? found.set(name, []).get(name)!).push(value);
  }
  return Object.fromEntries(
    Object.entries(statistics(all)).map(([name, value]) => {
      const sorted = (found.get(name) ?? []).filter(Number.isFinite).sort((a, b) => a - b);
      const tail = (1 - level) / 2;
      const ends = sorted.length ? [quantile(sorted, tail), quantile(sorted, 1 - tail)] : [value, value];
      return [name, { value, low: ends[0], high: ends[1] }];
    }),
  );
}

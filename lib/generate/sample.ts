/**
 * One token from the log-probabilities of a vocabulary, on the host. The distribution is warped in this order:
 * temperature, then top-k (Fan et al. 2018), then top-p (Holtzman et al. 2020, section 3.1), the last on what is left,
 * normalised again.
 */
import { ArgumentError, NonFiniteError } from '../errors';

export interface SamplingOptions {
  /** Logits are divided by it; 0 is greedy: the most probable token (the first of equals). Default 1. */
  temperature?: number;
  /** Only the k most probable tokens; of equals at the limit, those with the smaller ids. Default: all. */
  topK?: number;
  /** Only the fewest most probable tokens whose probabilities add up to at least this, in (0, 1]. Default 1: all. */
  topP?: number;
}

/** Tokens that can be drawn and their probabilities (they add up to 1). */
export interface Distribution {
  ids: ArrayLike<number>;
  probabilities: Float64Array;
}

/** Throws ArgumentError for options that cannot be used. */
export function checkSampling(where: string, { temperature = 1, topK, topP = 1 }: SamplingOptions): void {
  const bad = (what: string, help: string): never => {
    throw new ArgumentError(where, what, help);
  };
  if (!(temperature >= 0) || !Number.isFinite(temperature))
    bad(`expected temperature >= 0, got ${temperature}`, '0 is greedy, 1 leaves the distribution as it is');
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1))
    bad(`expected topK to be a positive integer, got ${topK}`, 'leave it out to draw from all tokens');
  if (!(topP > 0 && topP <= 1)) bad(`expected topP in (0, 1], got ${topP}`, '1 draws from all tokens');
}

/** The index of the largest entry, the first of equals. Throws NonFiniteError if there is a NaN. */
export function argMax(logProbs: Float32Array): number {
  let best = 0;
  for (let i = 0; i < logProbs.length; i++) {
    if (Number.isNaN(logProbs[i]))
      throw new NonFiniteError(
        'generate',
        `expected log-probabilities, got NaN for token ${i}`,
        'the weights are damaged or the training diverged: check them',
      );
    if (logProbs[i] > logProbs[best]) best = i;
  }
  return best;
}

/** The positions of the k largest entries in ascending order; of equals at the limit, the first. */
function largest<T extends Float32Array | Float64Array>(
  values: T,
  k: number,
  ascending = values.slice().sort(),
): Int32Array {
  const limit = ascending[values.length - k];
  let above = 0;
  for (const x of values) if (x > limit) above++;
  const ids = new Int32Array(k);
  let n = 0;
  let equals = k - above;
  for (let i = 0; i < values.length; i++) if (values[i] > limit || (values[i] === limit && equals-- > 0)) ids[n++] = i;
  return ids;
}

/** The warped distribution of a row of log-probabilities (or logits) over the vocabulary. */
export function warp(logProbs: Float32Array, options: SamplingOptions): Distribution {
  const { temperature = 1, topK = Infinity, topP = 1 } = options;
  const top = argMax(logProbs);
  if (temperature === 0) return { ids: [top], probabilities: Float64Array.of(1) };
  const ids = topK < logProbs.length ? largest(logProbs, topK) : new Int32Array(logProbs.length).map((_, i) => i);
  const probabilities = new Float64Array(ids.length);
  let total = 0;
  for (let i = 0; i < ids.length; i++)
    total += probabilities[i] = Math.exp((logProbs[ids[i]] - logProbs[top]) / temperature);
  for (let i = 0; i < ids.length; i++) probabilities[i] /= total;
  return topP < 1 ? nucleus({ ids, probabilities }, topP) : { ids, probabilities };
}

/** As `warp`, of the distribution restricted to some token ids. */
export function restrict(logProbs: Float32Array, allowed: readonly number[], options: SamplingOptions): Distribution {
  const ids = inOrder(allowed);
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= logProbs.length);
  if (!ids.length || wrong !== undefined)
    throw new ArgumentError(
      'generate',
      `expected a constraint to allow token ids in [0, ${logProbs.length}), got ${wrong ?? 'none'}`,
      'return null where any token may follow',
    );
  const own = new Float32Array(ids.length);
  for (let i = 0; i < ids.length; i++) own[i] = logProbs[ids[i]];
  const { ids: chosen, probabilities } = warp(own, options);
  return { ids: Int32Array.from(chosen, (i) => ids[i]), probabilities };
}

/** The numbers in order, each once. This runs for every token, and most lists are in order. */
function inOrder(list: readonly number[]): readonly number[] {
  for (let i = 1; i < list.length; i++) if (!(list[i - 1] < list[i])) return [...new Set(list)].sort((a, b) => a - b);
  return list;
}

function nucleus({ ids, probabilities }: Distribution, topP: number): Distribution {
  const ascending = probabilities.slice().sort();
  let sum = 0;
  let n = 0;
  while (n < ascending.length && sum < topP) sum += ascending[ascending.length - ++n];
  const kept = largest(probabilities, n, ascending);
  return { ids: kept.map((i) => ids[i]), probabilities: Float64Array.from(kept, (i) => probabilities[i] / sum) };
}

/** The entry of the distribution at `u` in [0, 1) of its cumulative sum. */
export function draw({ ids, probabilities }: Distribution, u: number): number {
  let at = u;
  for (let i = 0; i < probabilities.length; i++) {
    at -= probabilities[i];
    if (at < 0) return ids[i];
  }
  // Rounding may leave a little beyond the last entry that has any probability.
  return ids[probabilities.findLastIndex((p) => p > 0)];
}

/**
 * k-means (Lloyd 1982) with spread-out first centres (k-means++, Arthur & Vassilvitskii 2007): codebooks begin with it, so that rare
 * patterns have codes of their own.
 */
import { ArgumentError } from '../errors';
import type { Random } from './random';

/** `k` centres [k * width] of vectors [n * width], flat. Throws ArgumentError for fewer vectors than centres. */
export function kMeans(rng: Random, vectors: Float32Array, width: number, k: number, rounds = 8): Float32Array {
  const n = vectors.length / width;
  if (!Number.isInteger(n) || n < k)
    throw new ArgumentError(
      'kMeans',
      `expected at least ${k} vectors of width ${width}, got ${n}`,
      'give more samples',
    );
  const centres = new Float32Array(k * width);
  const squared = (a: number, b: number, limit: number): number => {
    let sum = 0;
    for (let d = 0; d < width && sum < limit; d++) sum += (vectors[a + d] - centres[b + d]) ** 2;
    return sum;
  };
  const nearest = new Float64Array(n).fill(Infinity);
  const owner = new Int32Array(n);
  const place = (c: number, from: number): void => {
    centres.set(vectors.subarray(from * width, (from + 1) * width), c * width);
    for (let i = 0; i < n; i++) {
      const distance = squared(i * width, c * width, nearest[i]);
      if (distance < nearest[i]) [nearest[i], owner[i]] = [distance, c];
    }
  };
  place(0, rng.int(n));
  for (let c = 1; c < k; c++) {
    const total = nearest.reduce((a, b) => a + b, 0);
    let at = rng.uniform() * total;
    let pick = n - 1;
    for (let i = 0; i < n; i++)
      if ((at -= nearest[i]) < 0) {
        pick = i;
        break;
      }
    place(c, pick);
  }
  for (let round = 0; round < rounds; round++) {
    const sums = new Float64Array(k * width);
    const counts = new Int32Array(k);
    for (let i = 0; i < n; i++) {
      counts[owner[i]]++;
      for (let d = 0; d < width; d++) sums[owner[i] * width + d] += vectors[i * width + d];
    }
    for (let c = 0; c < k; c++)
      if (counts[c]) for (let d = 0; d < width; d++) centres[c * width + d] = sums[c * width + d] / counts[c];
    if (round === rounds - 1) break;
    for (let i = 0; i < n; i++) {
      // The present owner first: most others are then given up early.
      nearest[i] = squared(i * width, owner[i] * width, Infinity);
      for (let c = 0; c < k; c++) {
        const distance = squared(i * width, c * width, nearest[i]);
        if (distance < nearest[i]) [nearest[i], owner[i]] = [distance, c];
      }
    }
  }
  return centres;
}

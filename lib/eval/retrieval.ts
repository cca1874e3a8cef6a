/**
 * Retrieval in a joint space: of `groupSize` candidates of one modality, is the partner of a query of another among the k
 * most similar? Recall at k is the share of queries for which it is, over both directions; chance is k / groupSize.
 */
import { ArgumentError } from '../errors';

export interface Retrieval {
  /** Recall at k, the mean over groups. */
  recall: Record<number, number>;
  /** Half the width of a 95 % interval of each mean, from the spread of the groups (0 for a single one). */
  margin: Record<number, number>;
  chance: Record<number, number>;
  groups: number;
}

/** Queries of a group that have fewer than k candidates more similar than their partner (ties count against it). */
function hits(queries: readonly Float32Array[], candidates: readonly Float32Array[], k: number): number {
  return queries.filter((q, i) => {
    const own = dot(q, candidates[i]);
    return candidates.filter((c, j) => j !== i && dot(q, c) >= own).length < k;
  }).length;
}
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** Unit vectors of two modalities, row i of one the partner of row i of the other; groups of `groupSize` rows follow each other. Throws ArgumentError. */
export function retrieval(
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  { groupSize = 50, at = [1, 5] }: { groupSize?: number; at?: readonly number[] } = {},
): Retrieval {
  const groups = Math.floor(a.length / groupSize);
  if (a.length !== b.length || groups < 1 || a.length % groupSize)
    throw new ArgumentError(
      'retrieval',
      `expected whole groups of ${groupSize} pairs, got ${a.length} and ${b.length} vectors`,
      'row i of one list belongs to row i of the other',
    );
  const out: Retrieval = { recall: {}, margin: {}, chance: {}, groups };
  for (const k of at) {
    const shares = Array.from({ length: groups }, (_, g) => {
      const [x, y] = [a, b].map((list) => list.slice(g * groupSize, (g + 1) * groupSize));
      return (hits(x, y, k) + hits(y, x, k)) / (2 * groupSize);
    });
    const mean = shares.reduce((s, x) => s + x, 0) / groups;
    const variance = shares.reduce((s, x) => s + (x - mean) ** 2, 0) / Math.max(1, groups - 1);
    out.recall[k] = mean;
    out.margin[k] = 1.96 * Math.sqrt(variance / groups);
    out.chance[k] = k / groupSize;
  }
  return out;
}

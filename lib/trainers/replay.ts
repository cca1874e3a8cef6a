/**
 * The buffer at work (TRL's update_with_replay_buffer): groups with variance go in with the score sum |A| * std, then groups
 * without variance are replaced by groups from it, with the advantages and log-probabilities that they came with.
 */
import type { Random } from '../nn/random';
import type { PolicyRow } from './grpo-rows';
import type { Group } from './grpo-state';
import type { ReplayBuffer } from './replay-buffer';

/** The mean of |A| over a response's own tokens: |A| itself where all its tokens share one; 0 for a response without any. */
function size({ own, advantages }: PolicyRow): number {
  let [sum, count] = [0, 0];
  own.forEach((mine, t) => {
    if (!mine) return;
    sum += Math.abs(advantages[t]);
    count++;
  });
  return count ? sum / count : 0;
}

/** `fresh` holds groups of `n` neighbours, `stds` those of their rewards. Changes the buffer. Without capacity: `fresh`. */
export function replay(
  buffer: ReplayBuffer<Group>,
  fresh: readonly PolicyRow[],
  stds: readonly number[],
  n: number,
  random: Random,
): { rows: PolicyRow[]; replaced: number } {
  const groups: Group[] = stds.map((_, g) => fresh.slice(g * n, (g + 1) * n));
  if (!buffer.capacity) return { rows: [...fresh], replaced: 0 };
  groups.forEach((group, g) => {
    // Float32, as a checkpoint keeps it.
    if (stds[g] > 0) buffer.add(Math.fround(group.reduce((sum, row) => sum + size(row), 0) * stds[g]), group);
  });
  const empty = stds.flatMap((s, g) => (s > 0 ? [] : [g]));
  const drawn = buffer.sample(empty.length, random);
  drawn.forEach((group, k) => (groups[empty[k]] = group));
  return { rows: groups.flat(), replaced: drawn.length };
}

/**
 * A bounded buffer of groups that were worth learning from (TRL 0.26, trl/experimental/grpo_with_replay_buffer): a min-heap
 * by score, so that the least valuable group makes room for a better one; drawn in proportion to the scores, without
 * replacement unless more are wanted than there are.
 */
import type { Random } from '../nn/random';

export interface Scored<T> {
  score: number;
  value: T;
}

export class ReplayBuffer<T> {
  /** A binary heap, the smallest score first. Of equal scores the order of arrival decides nothing but the layout. */
  readonly heap: Scored<T>[] = [];

  constructor(readonly capacity: number) {}

  /** Takes the group in if there is room, or if it beats the least valuable one. */
  add(score: number, value: T): void {
    if (this.heap.length < this.capacity) {
      this.heap.push({ score, value });
      this.up(this.heap.length - 1);
    } else if (this.capacity > 0 && score > this.heap[0].score) {
      this.heap[0] = { score, value };
      this.down(0);
    }
  }

  /** `count` groups, or none where the buffer is empty. */
  sample(count: number, random: Random): T[] {
    if (!this.heap.length) return [];
    const left = [...this.heap];
    return Array.from({ length: count }, () => {
      const indices = left.map((_, i) => i);
      const at = random.weighted(
        indices,
        left.map((g) => g.score),
      );
      const [chosen] = count > this.heap.length ? [left[at]] : left.splice(at, 1);
      return chosen.value;
    });
  }

  private up(from: number): void {
    for (let i = from; i > 0;) {
      const parent = (i - 1) >> 1;
      if (this.heap[parent].score <= this.heap[i].score) return;
      [this.heap[parent], this.heap[i]] = [this.heap[i], this.heap[parent]];
      i = parent;
    }
  }

  private down(from: number): void {
    for (let i = from; ;) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < this.heap.length && this.heap[left].score < this.heap[least].score) least = left;
      if (right < this.heap.length && this.heap[right].score < this.heap[least].score) least = right;
      if (least === i) return;
      [this.heap[i], this.heap[least]] = [this.heap[least], this.heap[i]];
      i = least;
    }
  }
}

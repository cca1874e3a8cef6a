/**
 * Choices of wording. Each adds its surprise to a count, so that the entropy of a text given its meaning is known: no
 * model can bring the mean loss on such texts below it.
 */
import type { Random } from '../nn/random';

export class Wording {
  /** Sum of -ln(probability) over the choices made so far, in nats. */
  nats = 0;

  constructor(private readonly random: Random) {}

  /** One of the list, each equally likely. */
  pick<T>(list: readonly T[]): T {
    this.nats += Math.log(list.length);
    return this.random.choice(list);
  }

  /** One of the list, by weight. */
  weighted<T>(list: readonly T[], weights: readonly number[]): T {
    const index = this.random.weighted(
      list.map((_, i) => i),
      weights,
    );
    this.nats -= Math.log(weights[index] / weights.reduce((a, b) => a + b, 0));
    return list[index];
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.weighted([true, false], [p, 1 - p]);
  }

  /** The list in random order. */
  shuffled<T>(list: readonly T[]): T[] {
    for (let n = 2; n <= list.length; n++) this.nats += Math.log(n);
    return Array.from(this.random.permutation(list.length), (i) => list[i]);
  }
}

/** "a" or "an" before a word. */
export const withArticle = (words: string): string => `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;

/** With a capital first letter. */
export const sentenceCase = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

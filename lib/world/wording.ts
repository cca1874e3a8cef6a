/**
 * Choices of wording. Each adds its surprise to a count, so that the entropy of a text given its meaning is known: no
 * model can bring the mean loss on such texts below it.
 */
import type { Random } from '../nn/random';

export class Wording {
  /** Sum of -ln(probability) over the choices made so far, in nats. */
  nats = 0;
  /** What was last picked of each list. */
  private readonly picked = new Map<readonly unknown[], unknown>();

  /**
   * With `echo`, the wording of the one spoken to: of a list that it has picked from, the same is picked again (people who talk
   * with each other come to use the same words: Pickering & Garrod 2004, "alignment").
   */
  constructor(
    private readonly random: Random,
    private readonly echo?: Wording,
  ) {}

  /** One of the list, each equally likely; or what was picked before, by this speaker or by the other. */
  pick<T>(list: readonly T[]): T {
    for (const { picked } of this.echo ? [this, this.echo] : [this]) if (picked.has(list)) return picked.get(list) as T;
    this.nats += Math.log(list.length);
    const value = this.random.choice(list);
    this.picked.set(list, value);
    return value;
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

/** What reinforcement learning needs to know of a task: prompts, who answers between turns, and what a response is worth. */
import type { Rollout } from '../generate/rollouts';

/** A prompt. */
export interface RlTask {
  id: string;
  /** Rewards on held-out prompts are also averaged by it. */
  category: string;
  ids: readonly number[];
  /** Vectors of input media, and the position of the first slot of each. */
  media: readonly { at: number; embeddings: Float32Array }[];
  /** The prompt for a reader. */
  text: string;
}

/** What a response is worth. */
export interface Judgement {
  /** Of the whole response. */
  reward: number;
  /** Its parts by name; those that do not apply are left out. */
  rewards: Record<string, number>;
  /** Rewards at single tokens, as long as the rollout's; 0 at tokens that are not the policy's own. */
  process: Float32Array;
  /** The response for a reader. */
  text: string;
  /** Calls of tools, and those that failed. */
  calls: number;
  failedCalls: number;
}

export interface RlEnvironment<T extends RlTask = RlTask> {
  tasks: readonly T[];
  /** Prompts that are never trained on. */
  heldOut: readonly T[];
  /** The token that ends a turn. */
  end: number;
  /** Turns of the policy in a response, at most. */
  maxTurns: number;
  /** What follows a turn (tokens, without the end token): tokens up to where the policy goes on, or null. */
  reply(task: T, turn: readonly number[]): readonly number[] | null;
  /** Pure: the same response is always worth the same. */
  judge(task: T, rollout: Rollout): Judgement;
}

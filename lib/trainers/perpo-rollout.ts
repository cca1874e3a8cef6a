/** What PeRPO samples: prompts, and rollouts with their scores. */
import type { Generation } from '../generate/options';
import type { Score } from '../rewards';

/** A prompt's tokens and its right answer. */
export interface PerpoPrompt {
  id: string;
  ids: readonly number[];
  answer: string;
}

/** A rollout that was scored. */
export interface ScoredRollout {
  prompt: PerpoPrompt;
  tokens: readonly number[];
  text: string;
  finish: Generation['finish'];
  score: Score;
  /** Whether the text's actions are well-formed, of what trajectories they are. */
  actionError: boolean;
  images: number;
}

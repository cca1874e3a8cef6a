/**
 * Completions as JSON Lines that a person can read: one response a line. A resumed run repeats the steps after its last
 * checkpoint; their lines are replaced, so that the file equals a straight run's.
 */
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';

/** One response; after TRL's table of completions. */
export interface Completion {
  step: number;
  /** Of a training step, or of the measurement on held-out prompts after it. */
  split: 'train' | 'heldOut';
  id: string;
  category: string;
  prompt: string;
  completion: string;
  reward: number;
  rewards: Record<string, number>;
  /** Mean over the response's tokens; null on held-out prompts. */
  advantage: number | null;
  tokens: number;
  finished: boolean;
  temperature: number;
}

const stepOf = (line: string): number => {
  try {
    return (JSON.parse(line) as Completion).step;
  } catch {
    // A line that was cut off when the run was killed: it belongs to the step that was at work.
    return Infinity;
  }
};

/** A function that appends the completions of a step. Steps must not go back. */
export function completionLog(file: string): (completions: readonly Completion[]) => void {
  let opened = false;
  return (completions) => {
    if (!completions.length) return;
    if (!opened && existsSync(file)) {
      // Cut, not written anew: a kill in between must not lose what was there.
      let kept = 0;
      for (const line of readFileSync(file, 'utf8').split(/(?<=\n)/)) {
        if (stepOf(line) >= completions[0].step) break;
        kept += Buffer.byteLength(line);
      }
      truncateSync(file, kept);
    }
    opened = true;
    appendFileSync(file, completions.map((c) => `${JSON.stringify(c)}\n`).join(''));
  };
}

/** The completions of a file. */
export const readCompletions = (file: string): Completion[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Completion);

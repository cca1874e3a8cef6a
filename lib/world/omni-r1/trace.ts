/**
 * Trajectories as text: the reasoning trace with a placeholder for each step's picture, the answer, and the rows of the released
 * JSON Lines format (Zebra-CoT's names).
 */
import { formatAction } from './actions';
import type { R1Sample, Step } from './sample';

/** Where the picture under `key` stands in a text, as the released data has it. */
export const imagePlaceholder = (key: string): string => `<image_start>[${key}]<image_end>`;
export const problemImage = (i: number): string => `problem_image_${i}`;
export const reasoningImage = (i: number): string => `reasoning_image_${i}`;

/**
 * What is said before an action. In the laptop's vocabulary, where a coordinate is one token, words and action together have as many
 * tokens for all actions: pictures then follow each other at one distance, which a small model learns soonest.
 */
function reason({ action, of }: Step): string {
  if (action.name === 'ZOOM-in') return `the ${of}`;
  // The name right before the place, as descriptions have it.
  if (action.name === 'BBOX') return `this is ${of}`;
  if (action.name === 'LINE') return 'draw a helping line';
  if (action.name === 'MARK') return 'this is the one to mark';
  return action.name === 'PRED' && action.text.includes(' ')
    ? 'this is how the stacks look then'
    : 'this is how the picture will look after the move';
}

/** A line "THOUGHT 1: this is the one BBOX(...)" and its picture, for each step. */
export const interleavedTrace = (sample: R1Sample): string =>
  sample.steps
    .map(
      (step, i) =>
        `\nTHOUGHT ${i + 1}: ${reason(step)} ${formatAction(step.action)}${imagePlaceholder(reasoningImage(i + 1))}`,
    )
    .join('');

/** Zero's chains: each step in words, no picture. */
export const textChain = (sample: R1Sample): string[] =>
  sample.steps.map(({ says }, i) => `\nTHOUGHT ${i + 1}: ${says}`);

/** What answers end with: the released reward looks for these words. */
export const finalAnswer = (answer: string): string => `Final Answer: ${answer}`;

/** The question with its picture's placeholder. */
export const questionText = (sample: Pick<R1Sample, 'question'>): string =>
  sample.question.replace('<image>', imagePlaceholder(problemImage(1)));

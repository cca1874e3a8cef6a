/**
 * Trajectories as text: the reasoning trace with a placeholder for each step's picture, the answer, and the rows of the released
 * JSON Lines format (Zebra-CoT's names).
 */
import { formatAction } from './actions';
import type { R1Sample } from './sample';

/** Where the picture under `key` stands in a text, as the released data has it. */
export const imagePlaceholder = (key: string): string => `<image_start>[${key}]<image_end>`;
export const problemImage = (i: number): string => `problem_image_${i}`;
export const reasoningImage = (i: number): string => `reasoning_image_${i}`;

/** "THOUGHT 1: BBOX(...)" and its picture, for each step. */
export const interleavedTrace = (sample: R1Sample): string =>
  sample.steps
    .map(({ action }, i) => `THOUGHT ${i + 1}: ${formatAction(action)}${imagePlaceholder(reasoningImage(i + 1))}`)
    .join('\n');

/** Zero's chains: each step in words, no picture. */
export const textChain = (sample: R1Sample): string[] => sample.steps.map(({ says }, i) => `THOUGHT ${i + 1}: ${says}`);

/** What answers end with: the released reward looks for these words. */
export const finalAnswer = (answer: string): string => `Final Answer: ${answer}`;

/** The question with its picture's placeholder. */
export const questionText = (sample: Pick<R1Sample, 'question'>): string =>
  sample.question.replace('<image>', imagePlaceholder(problemImage(1)));

/**
 * Judges of predictions: true or false for an answer and the right one. By rules, the graders of Omni-R1's reward (full
 * marks only); or by a language model behind OpenAI's protocol, as the paper does (its prompt is not published; the rules
 * in ours are those that its appendix describes).
 */
import { chatCompletion } from '../../generate/openai';
import type { ServerOptions } from '../../generate/openai';
import { finalAnswer, gradeAnswer } from '../../rewards';

export type Judge = (answer: string, truth: string) => Promise<boolean>;

const BETWEEN = /<reserved12866>([^]*?)(?:<reserved12867>|$)/;
const BOXED = /\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}/g;

/**
 * The answer in a prediction: what the answer tokens enclose, else what follows "Final Answer:", else the last \boxed{},
 * else all of it. Special tokens are no part of it.
 */
export function answerIn(prediction: string): string {
  const enclosed = BETWEEN.exec(prediction)?.[1];
  const said =
    finalAnswer(enclosed ?? prediction) ?? enclosed ?? [...prediction.matchAll(BOXED)].at(-1)?.[1] ?? prediction;
  return said.replace(/<(?:reserved\d+|\/?s|(?:invalid_|error_)?image_\d+|eoss|racm3:break|pad)>/g, '').trim();
}

/** Right if the grader gives the whole point. */
export const ruleJudge: Judge = (answer, truth) => Promise.resolve(gradeAnswer(answer, truth) === 1);

const INSTRUCTION = `You compare a model's answer with the correct answer. Judge only whether they mean the same.
- Other wording, aliases and abbreviations are fine.
- Numbers may be formatted or rounded differently, or stand in other units, if the value is the same.
- A list may be in another order, but must be complete.
- The letter of an option, its position and its text are the same answer.
- An answer that is empty, unclear or contradicts itself is wrong.
Reply with one word: True or False.`;

/** A language model as judge; it sees the two answers only. What is neither true nor false is false. */
export function modelJudge(model: string, server: ServerOptions): Judge {
  return async (answer, truth) => {
    const reply = await chatCompletion(
      {
        model,
        messages: [
          { role: 'system', content: INSTRUCTION },
          { role: 'user', content: `Correct answer: ${truth}\nModel's answer: ${answer}` },
        ],
        temperature: 0,
        max_tokens: 16,
      },
      server,
    );
    // A model that thinks first says its verdict last.
    return (
      /\b(true|false)\b/i.test(reply) &&
      reply.toLowerCase().lastIndexOf('true') > reply.toLowerCase().lastIndexOf('false')
    );
  };
}

/**
 * The search for learning rates: the same for each of the six methods. A third, once and three times the method's rate, a quarter of its
 * steps, one seed; judged by the method's own figure on held-out data, never by the 300 samples of the tables nor by the paper's ranking.
 *
 * Metrics: `<figure>/<method>/<multiple>`: `eval_rewards/accuracies` of held-out pairs for those that learn from pairs, `eval_reward` of
 * held-out prompts for those that learn from rewards; and `best/<method>`, the multiple with the highest (of equals the lowest).
 */
import { z } from 'zod';
import { FormatError } from '../../errors';
import { defineExperiment } from '../../pipeline/experiment';
import type { ParentRef } from '../../pipeline/experiment';
import type { Run } from '../../pipeline/run-result';
import { METHOD_NAMES, METHODS, methodsOf } from './methods';
import type { Method } from './methods';
import { withShare } from './variants';

/** What a family is judged by. */
export const SEARCHED = { preference: 'eval_rewards/accuracies', reward: 'eval_reward' } as const;
const figureOf = (method: Method): string => SEARCHED[METHODS[method].family as keyof typeof SEARCHED];

/** The figure after the last step at which it was measured. */
export function lastLogged(run: Run, name: string): number {
  const row = run.log().findLast((r) => typeof r[name] === 'number');
  if (!row) throw new FormatError(run.name, `expected "${name}" in its log, got none`, 'the search compares it');
  return row[name] as number;
}

export const searchExperiment = defineExperiment({
  name: 'omniagent/search',
  description: 'learning rates of the six methods: the same search for each',
  module: __filename,
  parents: ({ methods, multiples, share }, profile): ParentRef[] =>
    methods.flatMap((method) =>
      multiples.map((rate) => ({
        name: METHODS[method].experiment,
        config: withShare(method, profile, { share, rate }),
      })),
    ),
  schema: z.strictObject({
    methods: z.array(z.enum(METHOD_NAMES).exclude(['sft'])).min(1),
    /** Of the method's learning rate. */
    multiples: z.array(z.number().positive()).min(1),
    /** Of its steps. */
    share: z.number().gt(0).max(1),
  }),
  config: () => ({
    methods: methodsOf('preference', 'reward') as Exclude<(typeof METHOD_NAMES)[number], 'sft'>[],
    multiples: [1 / 3, 1, 3],
    share: 0.25,
  }),
  run: (ctx) => {
    const { methods, multiples } = ctx.config;
    const metrics: Record<string, number> = {};
    methods.forEach((method, i) => {
      const figure = figureOf(method);
      const scores = multiples.map((_, k) => lastLogged(ctx.parents[i * multiples.length + k], figure));
      scores.forEach((score, k) => (metrics[`${figure}/${method}/${multiples[k].toPrecision(3)}`] = score));
      // Means of the same counts may differ in their last bits.
      const best = Math.max(...scores);
      metrics[`best/${method}`] = multiples[scores.findIndex((score) => score > best - 1e-9)];
    });
    return Promise.resolve(metrics);
  },
});

/**
 * A sweep of MM-DPO's weights: of the modalities, and of mDPO's two terms. The card publishes none. Trainings have a quarter of the steps of the
 * method's own and one seed; a variant is evaluated as the methods are, on 12 samples of each category. The sweep chooses nothing: the
 * method's own weights stay what they were before it was run.
 *
 * Metrics: `<figure>/<variant>`; `eval_rewards/accuracies/<variant>` is taken from the training's last evaluation on held-out pairs.
 */
import { z } from 'zod';
import { perplexities } from '../../eval/perplexity';
import { indexFigures } from '../../eval/novel-indices';
import type { EvaluatedSample } from '../../eval/evaluated';
import { defaultWeights } from '../../losses/mm-dpo';
import { defineExperiment } from '../../pipeline/experiment';
import type { ParentRef } from '../../pipeline/experiment';
import { withShare } from './variants';

const weight = z.number().min(0);
const variantSchema = z.strictObject({
  weights: z.strictObject({ text: weight, img: weight, aud: weight, vid: weight, task: weight }),
  imageWeight: weight,
  anchorWeight: weight,
});
type Variant = z.infer<typeof variantSchema>;

const of = (weights: Variant['weights'], imageWeight = 1, anchorWeight = 1): Variant => ({
  weights,
  imageWeight,
  anchorWeight,
});
const VARIANTS: Record<string, Variant> = {
  proposed: of({ ...defaultWeights }),
  equal: of({ text: 0.2, img: 0.2, aud: 0.2, vid: 0.2, task: 0.2 }),
  text: of({ text: 0.6, img: 0.1, aud: 0.1, vid: 0.1, task: 0.1 }),
  media: of({ text: 0.1, img: 0.25, aud: 0.25, vid: 0.25, task: 0.15 }),
  task: of({ text: 0.1, img: 0.1, aud: 0.1, vid: 0.1, task: 0.6 }),
  'no image term': of({ ...defaultWeights }, 0, 1),
  'no anchor': of({ ...defaultWeights }, 1, 0),
};

export const mmDpoWeights = defineExperiment({
  name: 'omniagent/mm_dpo_weights',
  description: "a sweep of MM-DPO's weights",
  module: __filename,
  parents: ({ variants, share, answers }, profile): ParentRef[] => [
    { name: 'omniagent/data', seed: 0 },
    ...Object.values(variants).flatMap((variant): ParentRef[] => {
      const training = { ...variant, ...withShare('mm_dpo', profile, { share }) };
      return [
        { name: 'omniagent/stage4_mm_dpo', config: training },
        { name: 'omniagent/evaluation', config: { method: 'mm_dpo', training, answers, mediaSeeds: 0 } },
      ];
    }),
  ],
  schema: z.strictObject({
    variants: z.record(z.string(), variantSchema),
    /** Of the method's own steps. */
    share: z.number().gt(0).max(1),
    /** Samples of each category that are answered. */
    answers: z.number().int().min(12),
  }),
  // Smoke shows that it works.
  config: (profile) => ({
    variants: profile === 'smoke' ? { proposed: VARIANTS.proposed, equal: VARIANTS.equal } : VARIANTS,
    share: 0.25,
    answers: 12,
  }),
  async run(ctx) {
    const vocabulary = ctx.parent('omniagent/data').metric('vocabulary');
    const metrics: Record<string, number> = {};
    for (const [i, name] of Object.keys(ctx.config.variants).entries()) {
      const [training, evaluated] = ctx.parents.slice(1 + 2 * i, 3 + 2 * i);
      const samples = await evaluated.loadJson<EvaluatedSample[]>('samples');
      for (const [figure, value] of Object.entries({ ...perplexities(samples), ...indexFigures(samples, vocabulary) }))
        metrics[`${figure}/${name}`] = value;
      const last = training.log().findLast((row) => typeof row['eval_rewards/accuracies'] === 'number');
      if (last) metrics[`eval_rewards/accuracies/${name}`] = last['eval_rewards/accuracies'] as number;
    }
    return metrics;
  },
});

/**
 * Stage 4, MM-DPO on the preference pairs, with mDPO's image and anchor terms at equal weight (beta 0.1: mDPO's and TRL's). The card
 * publishes neither the formula nor the weights of the modalities: both are this project's proposal [I], and the weights have a sweep of
 * their own (omniagent/mm_dpo_weights).
 */
import { z } from 'zod';
import { defaultWeights } from '../../losses/mm-dpo';
import { defineExperiment } from '../../pipeline/experiment';
import { trainMmDpo } from '../../trainers/mm-dpo';
import { loadSegmentedPairs } from './pairs';
import { preferenceConfig, preferenceParents, preferenceSchema, runOnPairs } from './preference';

const weight = z.number().min(0);

export const mmDpoExperiment = defineExperiment({
  name: 'omniagent/stage4_mm_dpo',
  description: 'preference optimisation of the supervised model by modality',
  module: __filename,
  parents: preferenceParents,
  schema: preferenceSchema.extend({
    beta: z.number().positive(),
    weights: z.strictObject({ text: weight, img: weight, aud: weight, vid: weight, task: weight }),
    lengthNormalised: z.boolean(),
    rewardMargin: weight,
    imageWeight: weight,
    anchorWeight: weight,
    anchorMargin: z.number(),
  }),
  config: (profile) => ({
    ...preferenceConfig(profile),
    beta: 0.1,
    weights: defaultWeights,
    lengthNormalised: false,
    rewardMargin: 0,
    imageWeight: 1,
    anchorWeight: 1,
    anchorMargin: 0,
  }),
  run: (ctx) => {
    const { model, lora, optimizer, heldOut, epochs, ...loss } = ctx.config;
    const config = { model, lora, optimizer, heldOut, epochs };
    return runOnPairs({ ...ctx, config }, loadSegmentedPairs, (context, options) => trainMmDpo(context, options, loss));
  },
});

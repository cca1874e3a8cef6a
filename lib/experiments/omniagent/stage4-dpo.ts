/** Stage 4, DPO on the preference pairs. beta 0.1 is TRL's and the paper's default; the card does not publish its own. */
import { z } from 'zod';
import { defineExperiment } from '../../pipeline/experiment';
import { trainDpo } from '../../trainers/dpo';
import { preferenceConfig, preferenceParents, preferenceSchema, runPreference } from './preference';

export const dpoExperiment = defineExperiment({
  name: 'omniagent/stage4_dpo',
  description: 'direct preference optimisation of the supervised model',
  module: __filename,
  parents: preferenceParents,
  schema: preferenceSchema.extend({ beta: z.number().positive() }),
  config: (profile) => ({ ...preferenceConfig(profile), beta: 0.1 }),
  run: (ctx) => {
    const { beta, ...config } = ctx.config;
    return runPreference({ ...ctx, config }, (context, options) => trainDpo(context, options, { beta }));
  },
});

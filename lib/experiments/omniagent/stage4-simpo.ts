/** Stage 4, SimPO on the preference pairs, with the defaults of the authors' code (beta 2, gamma / beta 0.25). */
import { z } from 'zod';
import { defineExperiment } from '../../pipeline/experiment';
import { trainSimpo } from '../../trainers/simpo';
import { preferenceConfig, preferenceParents, preferenceSchema, runPreference } from './preference';

export const simpoExperiment = defineExperiment({
  name: 'omniagent/stage4_simpo',
  description: 'reference-free preference optimisation of the supervised model',
  module: __filename,
  parents: preferenceParents,
  schema: preferenceSchema.extend({ beta: z.number().positive(), gammaBetaRatio: z.number().min(0) }),
  config: (profile) => ({ ...preferenceConfig(profile), beta: 2, gammaBetaRatio: 0.25 }),
  run: (ctx) => {
    const { beta, gammaBetaRatio, ...config } = ctx.config;
    return runPreference({ ...ctx, config }, (context, options) =>
      trainSimpo(context, options, { beta, gammaBetaRatio }),
    );
  },
});

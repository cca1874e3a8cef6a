/** PeRPO on Omni-R1-Zero: Zero-T, -S and -M (10, 20, 30 steps), and without the perception reward (table 4). */
import { defineExperiment } from '../../pipeline/experiment';
import { perpoConfig, perpoSchema, runPerpo } from './perpo';
import { r1Sizes } from './sizes';

export const zeroPerpo = defineExperiment({
  name: 'omni-r1/zero-perpo',
  description: 'reinforcement learning with the perception reward, on Zero',
  module: __filename,
  parents: ['omni-r1/zero-sft'],
  schema: perpoSchema,
  config: (profile) => perpoConfig(profile, 'templated', r1Sizes(profile).zeroSteps),
  run: (ctx) => runPerpo(ctx, 'omni-r1/zero-sft'),
});

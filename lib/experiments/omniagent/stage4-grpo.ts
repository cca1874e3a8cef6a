/** Stage 4, GRPO as DeepSeekMath defines it (outcome supervision), rewarded by OmniWorld's oracles. */
import { rlExperiment } from './rl';

export const grpoExperiment = rlExperiment('grpo', {
  name: 'omniagent/stage4_grpo',
  description: "group-relative policy optimisation of the supervised model by the oracles' rewards",
  module: __filename,
});

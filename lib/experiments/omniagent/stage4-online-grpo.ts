/**
 * Stage 4, Online GRPO: groups without variance are replaced from a buffer (as TRL has it), and the temperature of sampling holds the
 * entropy that the supervised model had. The card names both; the formulas are this project's proposal [I].
 */
import { rlExperiment } from './rl';

export const onlineGrpoExperiment = rlExperiment('onlineGrpo', {
  name: 'omniagent/stage4_online_grpo',
  description: 'GRPO with a buffer of groups with variance and a temperature that follows the entropy',
  module: __filename,
});

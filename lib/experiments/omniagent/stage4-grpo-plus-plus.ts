/**
 * Stage 4, GRPO++: rewards at signal tokens besides the outcome's, advantages of tokens, dual clip, entropy bonus. The card names these
 * parts; their formulas are this project's proposal [I].
 */
import { rlExperiment } from './rl';

export const grpoPlusPlusExperiment = rlExperiment('grpoPlusPlus', {
  name: 'omniagent/stage4_grpo_plus',
  description: 'GRPO with advantages of tokens, dual clip and entropy bonus',
  module: __filename,
});

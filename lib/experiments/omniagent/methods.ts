/** OmniAgent's seven trainings, under the names of the paper's tables. */

export const METHOD_NAMES = ['sft', 'dpo', 'simpo', 'grpo', 'grpo_plus', 'online_grpo', 'mm_dpo'] as const;
export type Method = (typeof METHOD_NAMES)[number];

/** What a method learns from: right responses, pairs, or rewards of its own responses. */
export type Family = 'supervised' | 'preference' | 'reward';

export interface MethodInfo {
  label: string;
  family: Family;
  /** The experiment that trains it; it leaves a LoRA adapter on the supervised model (which SFT is itself). */
  experiment: string;
}

export const METHODS: Record<Method, MethodInfo> = {
  sft: { label: 'SFT', family: 'supervised', experiment: 'omniagent/stage3_sft' },
  dpo: { label: 'DPO', family: 'preference', experiment: 'omniagent/stage4_dpo' },
  simpo: { label: 'SimPO', family: 'preference', experiment: 'omniagent/stage4_simpo' },
  grpo: { label: 'GRPO', family: 'reward', experiment: 'omniagent/stage4_grpo' },
  grpo_plus: { label: 'GRPO++', family: 'reward', experiment: 'omniagent/stage4_grpo_plus' },
  online_grpo: { label: 'Online GRPO', family: 'reward', experiment: 'omniagent/stage4_online_grpo' },
  mm_dpo: { label: 'MM-DPO', family: 'preference', experiment: 'omniagent/stage4_mm_dpo' },
};

export const methodsOf = (...families: Family[]): Method[] =>
  METHOD_NAMES.filter((m) => families.includes(METHODS[m].family));

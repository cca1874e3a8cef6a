/** What OmniAgent's card reports: tables 1 to 3, the Pareto list, the comparison with related work, and its claims. */
import type { Method } from '../omniagent/methods';

/** A column of table 1: its key in our metrics, its head, and which way is better. */
export const TABLE1_METRICS = [
  { key: 'ppl', name: 'PPL', better: 'lower' },
  { key: 'genPpl', name: 'Gen PPL', better: 'lower' },
  { key: 'toolPpl', name: 'Tool PPL', better: 'lower' },
  { key: 'planPpl', name: 'Plan PPL', better: 'lower' },
  { key: 'cmts', name: 'CMTS', better: 'higher' },
  { key: 'aci', name: 'ACI', better: 'higher' },
  { key: 'novelAvg', name: 'Novel avg', better: 'higher' },
] as const;
export type Table1Metric = (typeof TABLE1_METRICS)[number]['key'];

const row = (...values: readonly number[]): Record<Table1Metric, number> =>
  Object.fromEntries(TABLE1_METRICS.map(({ key }, i) => [key, values[i]])) as Record<Table1Metric, number>;

export const paperTable1: Record<Method, Record<Table1Metric, number>> = {
  sft: row(1.92, 2.43, 1.71, 1.61, 0.931, 0.817, 0.747),
  dpo: row(2.32, 2.93, 2.01, 2.05, 0.919, 0.917, 0.688),
  simpo: row(1.75, 2.18, 1.55, 1.52, 0.939, 0.817, 0.781),
  grpo: row(8048, 11465, 8446, 4700, 0.158, 0.9, 0.58),
  grpo_plus: row(130.5, 195.5, 117.2, 79.4, 0.538, 0.833, 0.686),
  online_grpo: row(455.5, 839.9, 351.0, 244.2, 0.41, 0.817, 0.678),
  mm_dpo: row(2.3, 2.9, 1.99, 2.02, 0.92, 0.917, 0.714),
};

/** The best methods of each index, and their score. */
export const paperTable2: Record<'cmts' | 'aci' | 'tdi' | 'mcs' | 'hrs', { best: Method[]; score: number }> = {
  cmts: { best: ['simpo'], score: 0.939 },
  aci: { best: ['dpo', 'mm_dpo'], score: 0.917 },
  tdi: { best: ['online_grpo'], score: 0.907 },
  mcs: { best: ['simpo', 'online_grpo'], score: 0.636 },
  hrs: { best: ['sft'], score: 0.629 },
};

/** Perplexities by category. */
export const paperTable3: Record<string, Partial<Record<Method, number>>> = {
  audio_to_image: { sft: 2.92, simpo: 2.56, mm_dpo: 3.16 },
  code_and_explain: { sft: 2.03, simpo: 1.77, mm_dpo: 2.22 },
  image_to_audio: { sft: 2.55, simpo: 2.34, mm_dpo: 2.63 },
  multi_step_creation: { sft: 1.61, simpo: 1.52, mm_dpo: 2.01 },
  search_and_generate: { sft: 1.59, simpo: 1.46, mm_dpo: 1.92 },
  text_to_multimodal: { sft: 1.92, simpo: 1.73, mm_dpo: 2.81 },
};

export const paperRkp: Partial<Record<Method, number>> = {
  mm_dpo: 18.89,
  dpo: 18.38,
  simpo: 4.0,
  grpo: 0.33,
  grpo_plus: 0.25,
  online_grpo: 0.22,
};

export const relatedWork: {
  system: string;
  params: string;
  anyToAny: boolean;
  toolUse: boolean;
  rlMethods: string;
  openWeights: boolean;
}[] = [
  { system: 'NExT-GPT (ICML 2024)', params: '7B', anyToAny: true, toolUse: false, rlMethods: '0', openWeights: true },
  { system: 'CogAgent (CVPR 2024)', params: '18B', anyToAny: false, toolUse: true, rlMethods: '0', openWeights: true },
  { system: 'Magma (CVPR 2025)', params: '8B', anyToAny: false, toolUse: true, rlMethods: '0', openWeights: true },
  { system: 'LLaVA-1.6 (2024)', params: '7-34B', anyToAny: false, toolUse: false, rlMethods: '0', openWeights: true },
  { system: 'GPT-4V (2024)', params: '~1.8T', anyToAny: false, toolUse: true, rlMethods: 'RLHF', openWeights: false },
  { system: 'OmniAgent', params: '7B', anyToAny: true, toolUse: true, rlMethods: '6', openWeights: true },
];

export const paperClaims = {
  OA1: 'Preference-based methods are far more stable than reward-based ones: perplexity 1.75-2.32 against 130-8048.',
  OA2: 'MM-DPO is Pareto-optimal (highest RKP of the six methods).',
  OA3: 'GRPO++ improves on GRPO (perplexity 130.5 against 8048, 62 times).',
  OA4: 'SimPO reaches the lowest perplexity (1.75), below SFT (1.92).',
  OA5: 'RL needs three epochs; one epoch makes perplexity explode.',
  OA6: 'DPO and MM-DPO reach the highest ACI (0.917).',
} as const;
export type ClaimId = keyof typeof paperClaims;

/** What the Omni-R1 paper reports: tables 2 and 4, and its claims in our words. */
import type { UniTask } from '../../world/omni-r1';

type Row = Record<UniTask | 'average', number>;
const row = (natural: number, structured: number, diagrammatic: number, vision: number, average: number): Row => ({
  natural,
  structured,
  diagrammatic,
  'vision-op': vision,
  average,
});

/** Rows of table 2, and of table 4 below them. */
export const R1_MODELS = {
  base: 'Anole (ours: base)',
  sft: 'Zebra-CoT (ours: SFT)',
  pesft: 'PeSFT (ours only)',
  m: 'Omni-R1-M',
  l: 'Omni-R1-L',
  zero_t: 'Omni-R1-Zero-T',
  zero_s: 'Omni-R1-Zero-S',
  zero_m: 'Omni-R1-Zero-M',
  zero_sft: 'Zero without PeRPO',
  zero_plain: 'Zero without perception reward',
} as const;
export type R1Model = keyof typeof R1_MODELS;

/** Zero's full method in table 4 is Zero-M. PeSFT alone is in no table. */
export const paperR1: Partial<Record<R1Model, Row>> = {
  base: row(0.18, 0.14, 0.055, 0.027, 0.081),
  sft: row(0.398, 0.13, 0.073, 0.077, 0.129),
  m: row(0.44, 0.135, 0.115, 0.093, 0.152),
  l: row(0.42, 0.175, 0.09, 0.09, 0.152),
  zero_t: row(0.45, 0.165, 0.095, 0.087, 0.154),
  zero_s: row(0.34, 0.145, 0.09, 0.097, 0.138),
  zero_m: row(0.41, 0.17, 0.12, 0.093, 0.159),
  zero_sft: row(0.39, 0.13, 0.075, 0.033, 0.113),
  zero_plain: row(0.33, 0.15, 0.085, 0.08, 0.13),
};

export const paperR1Claims = {
  OR1: 'PeRPO improves on PeSFT alone, most on Vision-Operational and Diagrammatic tasks.',
  OR2: 'The perception reward adds to PeRPO (0.159 with it, 0.130 without).',
  OR3: 'Omni-R1-Zero matches or exceeds Omni-R1 on average.',
  OR4: 'Without the perception alignment loss (lambda = 0) intermediate images degenerate.',
  OR5: 'An intermediate temperature tau discriminates; extreme values saturate the perception reward.',
  OR6: 'Gains from 10 to 30 PeRPO steps of Omni-R1-Zero concentrate on Vision-Operational and Diagrammatic tasks.',
} as const;

/** Stage 4, DPO: direct preference optimisation of a LoRA policy against the supervised model (losses/dpo.ts). */
import { dpo } from '../losses/dpo';
import type { DpoOptions } from '../losses/dpo';
import type { LoraAdapter } from '../nn/lora';
import type { TrainContext } from './context';
import { trainOnPairs } from './preference-loop';
import type { PreferenceOptions } from './preference';

export const trainDpo = (
  context: TrainContext,
  options: PreferenceOptions,
  loss: DpoOptions = {},
): Promise<LoraAdapter> =>
  trainOnPairs(context, 'dpo', options, (pair, reference) => dpo({ ...pair, reference }, loss), true);

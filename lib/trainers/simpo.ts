/** Stage 4, SimPO: preference optimisation by length-normalised log-probabilities, without a reference (losses/simpo.ts). */
import { simpo } from '../losses/simpo';
import type { SimpoOptions } from '../losses/simpo';
import type { LoraAdapter } from '../nn/lora';
import type { TrainContext } from './context';
import { trainOnPairs } from './preference-loop';
import type { PreferenceOptions } from './preference';

export const trainSimpo = (
  context: TrainContext,
  options: PreferenceOptions,
  loss: SimpoOptions = {},
): Promise<LoraAdapter> => trainOnPairs(context, 'simpo', options, (pair) => simpo(pair, loss), false);

/**
 * Stage 1 (NExT-GPT, "encoding-side alignment"): the input projector learns to stand in for what the language model can
 * read, from captions of media; encoder and language model are frozen.
 */
import { inputProjectorInit } from '../models/input-projector';
import type { InputProjectorConfig, InputProjectorParams } from '../models/input-projector';
import { Random } from '../nn/random';
import type { TrainContext } from './context';
import { trainOmni } from './omni';
import type { OmniOptions } from './omni';

export type Stage1Options = Pick<
  OmniOptions,
  'model' | 'base' | 'optimizer' | 'examples' | 'batch' | 'seed' | 'device' | 'evaluate'
> & { inputConfig: InputProjectorConfig };

export async function trainStage1(context: TrainContext, o: Stage1Options): Promise<InputProjectorParams> {
  const inputProjector = inputProjectorInit(new Random(o.seed, 'stage1').stream('init'), o.inputConfig);
  const parts = await trainOmni(context, 'stage1', { ...o, trained: { inputProjector }, frozen: {} });
  return parts.inputProjector!;
}

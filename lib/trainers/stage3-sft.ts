/**
 * Stage 3: instruction tuning of the whole (NExT-GPT, "modality-switching instruction tuning"). A LoRA adapter, the modules
 * that are named (embeddings and head), and, at a lower rate, all projectors are trained on conversations: cross-entropy on
 * the response, and alignment at its blocks of signal tokens. Encoder and decoders stay frozen.
 */
import { loraInit } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { pickModules } from '../nn/modules';
import type { SavedModules } from '../nn/modules';
import type { InputProjectorParams } from '../models/input-projector';
import type { OutputProjectorsParams } from '../models/omniagent';
import { Random } from '../nn/random';
import type { TrainContext } from './context';
import { trainOmni } from './omni';
import type { OmniOptions } from './omni';
import { copyTree } from '../io/params';

export type Stage3Options = Omit<OmniOptions, 'trained' | 'frozen' | 'rows' | 'lora'> & {
  lora: LoraConfig;
  modulesToSave: readonly string[];
  inputProjector: InputProjectorParams;
  outputProjectors: OutputProjectorsParams;
};

export interface Stage3Result {
  adapter: LoraAdapter;
  modules: SavedModules;
  inputProjector: InputProjectorParams;
  outputProjectors: OutputProjectorsParams;
}

export async function trainStage3(context: TrainContext, o: Stage3Options): Promise<Stage3Result> {
  const parts = await trainOmni(context, 'stage3', {
    ...o,
    mixedBatches: true,
    trained: {
      adapter: loraInit(new Random(o.seed, 'stage3').stream('init'), o.base, o.lora),
      modules: await copyTree(pickModules(o.base, o.modulesToSave)),
      // Copies: the step takes over what it trains.
      inputProjector: await copyTree(o.inputProjector),
      outputProjectors: await copyTree(o.outputProjectors),
    },
    frozen: {},
  });
  return parts as Stage3Result;
}

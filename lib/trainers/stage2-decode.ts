/**
 * Stage 2 (NExT-GPT, "decoding-side alignment"): the output projectors learn to give from the states at a caption's
 * signal tokens what the decoders' text encoders give for the caption; language model and decoders are frozen.
 *
 * Difference from NExT-GPT: the embeddings of the signal tokens, which are new to the language model, are trained too
 * (`signals`); frozen at their random start they would ask the caption nothing.
 */
import { outputProjectorsInit } from '../models/omniagent';
import type { OutputProjectorsConfig, OutputProjectorsParams } from '../models/omniagent';
import { pickModules } from '../nn/modules';
import type { SavedModules } from '../nn/modules';
import { Random } from '../nn/random';
import type { TrainContext } from './context';
import { trainOmni } from './omni';
import type { OmniOptions, TextTargets } from './omni';
import { copyTree } from '../io/params';

export type Stage2Options = Pick<
  OmniOptions,
  'model' | 'base' | 'optimizer' | 'examples' | 'batch' | 'seed' | 'device' | 'evaluate' | 'alignWeight' | 'diffusion'
> & {
  outputConfig: OutputProjectorsConfig;
  targets: TextTargets;
  /** Ids of the signal tokens: from, and up to. */
  signals: { from: number; to: number };
};

export interface Stage2Result {
  outputProjectors: OutputProjectorsParams;
  /** The embeddings with their new rows. */
  modules: SavedModules;
}

export async function trainStage2(context: TrainContext, o: Stage2Options): Promise<Stage2Result> {
  const outputProjectors = outputProjectorsInit(new Random(o.seed, 'stage2').stream('init'), o.outputConfig);
  const modules = await copyTree(pickModules(o.base, ['embed_tokens']));
  const parts = await trainOmni(context, 'stage2', {
    ...o,
    trained: { outputProjectors, modules },
    frozen: {},
    rows: o.signals,
  });
  return { outputProjectors: parts.outputProjectors!, modules: parts.modules! };
}

/**
 * Stage 2 (NExT-GPT, "decoding-side alignment"): the output projectors learn to give from the states at a caption's
 * signal tokens what the decoders' text encoders give for the caption; language model and decoders are frozen.
 *
 * Differences from NExT-GPT: 1. the embeddings of the signal tokens, which are new to the language model, are trained too
 * (`signals`); frozen at their random start they would ask the caption nothing. 2. With `lora` an adapter is trained as well:
 * a small language model's states at a new token hold nothing of the text before it, and no projector can find what is
 * not there. 3. Where the examples' masks say so, the caption is given and only the signals are learned to be written. 4. With
 * `reading` the captions' words are read from the projected states too (trainers/omni.ts). 5. Examples without blocks (documents) may
 * be among them: an adapter that learns captions alone forgets the language (cross-entropy of held-out documents .41 before, 3.2 after).
 */
import { outputProjectorsInit } from '../models/omniagent';
import type { OutputProjectorsConfig, OutputProjectorsParams } from '../models/omniagent';
import { linearInit } from '../nn/linear';
import type { LinearParams } from '../nn/linear';
import { loraInit } from '../nn/lora';
import type { LoraAdapter } from '../nn/lora';
import { pickModules } from '../nn/modules';
import type { SavedModules } from '../nn/modules';
import { Random } from '../nn/random';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import type { TrainContext } from './context';
import { trainOmni } from './omni';
import type { OmniOptions, TextTargets } from './omni';
import { copyTree } from '../io/params';

export type Stage2Options = Pick<
  OmniOptions,
  | 'model'
  | 'base'
  | 'optimizer'
  | 'examples'
  | 'batch'
  | 'seed'
  | 'device'
  | 'evaluate'
  | 'alignWeight'
  | 'projectorRate'
  | 'diffusion'
  | 'lora'
> & {
  outputConfig: OutputProjectorsConfig;
  targets: TextTargets;
  /** Ids of the signal tokens: from, and up to. */
  signals: { from: number; to: number };
  /** Reading the captions from what is projected: the loss's weight, and the sizes of the decoders' vocabularies. */
  reading?: { weight: number; vocabularies: Record<Modality, number> };
};

export interface Stage2Result {
  outputProjectors: OutputProjectorsParams;
  /** The embeddings with their new rows. */
  modules: SavedModules;
  /** With `lora`. */
  adapter?: LoraAdapter;
}

export async function trainStage2(context: TrainContext, o: Stage2Options): Promise<Stage2Result> {
  const rng = new Random(o.seed, 'stage2');
  const outputProjectors = outputProjectorsInit(rng.stream('init'), o.outputConfig);
  const adapter = o.lora && loraInit(rng.stream('adapter'), o.base, o.lora);
  const modules = await copyTree(pickModules(o.base, ['embed_tokens']));
  const { reading } = o;
  const captionReaders =
    reading &&
    (Object.fromEntries(
      MODALITIES.map((m) => [
        m,
        linearInit(rng.stream(`reader ${m}`), o.outputConfig[m].outWidth, reading.vocabularies[m]),
      ]),
    ) as Record<Modality, LinearParams>);
  const parts = await trainOmni(context, 'stage2', {
    ...o,
    readWeight: reading?.weight,
    trained: { outputProjectors, modules, adapter, captionReaders },
    frozen: {},
    rows: o.signals,
  });
  return { outputProjectors: parts.outputProjectors!, modules: parts.modules!, adapter: parts.adapter };
}

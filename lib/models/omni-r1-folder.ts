/**
 * Omni-R1 as a folder, in transformers' layout for Chameleon (as Anole's): config.json, model.safetensors with the image tokenizer
 * under `model.vqmodel`, tokenizer.json; `omnilab.json` holds what a ChameleonConfig has no place for (the image tokenizer's
 * decoder, the grid).
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { FormatError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import { fromHost, noNoise, toHost } from '../io/params';
import { readHostTensors, writeSafetensors } from '../io/safetensors';
import { Tokenizer } from '../io/tokenizer';
import { chameleonInit, fromChameleonJson, toChameleonJson } from './chameleon';
import type { LlamaParams } from './llama';
import type { OmniR1 } from './omni-r1';
import { imageTokenName, isImageToken, layoutOf } from './r1-layout';
import { vqganInit, vqganSchema } from './vqgan';
import type { VqganParams } from './vqgan';

const count = z.number().int().positive();
const ownSchema = z.strictObject({
  model_type: z.literal('omni-r1'),
  vqgan: vqganSchema,
  rows: count,
  columns: count,
});

/** `model.vqmodel` beside the language model's own names. */
type Whole = { lm_head?: LlamaParams['lm_head']; model: LlamaParams['model'] & { vqmodel: VqganParams } };
const whole = (params: LlamaParams, vqmodel: VqganParams): Whole => ({
  ...params,
  model: { ...params.model, vqmodel },
});

/** Writes the folder. */
export async function saveOmniR1(dir: string, model: OmniR1): Promise<void> {
  const { config, params, vqgan, tokenizer, layout } = model;
  const vocabulary: Record<string, number> = { '<image>': layout.placeholder };
  for (let id = 0; id < layout.vocabSize; id++)
    if (isImageToken(layout, id)) {
      const at = id - layout.imageStart;
      vocabulary[imageTokenName(layout.codes ? layout.codes[at] : at)] = id;
    }
  const { config: vq } = vqgan;
  const json = {
    ...toChameleonJson(config),
    bos_token_id: layout.bos,
    pad_token_id: layout.pad,
    eos_token_id: layout.eos,
    vocabulary_map: vocabulary,
    vq_config: {
      model_type: 'chameleon_vqgan',
      resolution: vq.resolution,
      in_channels: vq.inChannels,
      base_channels: vq.baseChannels,
      channel_multiplier: vq.channelMultiplier,
      num_res_blocks: vq.numResBlocks,
      attn_resolutions: vq.attnResolutions,
      attn_type: vq.midAttention ? 'vanilla' : 'none',
      latent_channels: vq.latentChannels,
      embed_dim: vq.embedDim,
      num_embeddings: vq.numEmbeddings,
    },
  };
  await writeSafetensors(path.join(dir, 'model.safetensors'), await toHost(whole(params, vqgan.params)), {
    format: 'pt',
  });
  await tokenizer.save(dir);
  await writeFileAtomic(path.join(dir, 'config.json'), JSON.stringify(json, null, 1) + '\n');
  const own: z.infer<typeof ownSchema> = {
    model_type: 'omni-r1',
    vqgan: vq,
    rows: layout.rows,
    columns: layout.columns,
  };
  await writeFileAtomic(path.join(dir, 'omnilab.json'), JSON.stringify(own, null, 1) + '\n');
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (error) {
    throw new FormatError(
      file,
      `expected a JSON file, got: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
      'give the folder of a saved Omni-R1 model',
      { cause: error },
    );
  }
}

/** Reads the folder. Throws FormatError for missing, damaged and foreign files. */
export async function loadOmniR1(dir: string): Promise<OmniR1> {
  const config = fromChameleonJson(path.join(dir, 'config.json'), await readJson(path.join(dir, 'config.json')));
  const file = path.join(dir, 'omnilab.json');
  const own = ownSchema.safeParse(await readJson(file));
  if (!own.success) {
    const [issue] = own.error.issues;
    throw new FormatError(file, `expected Omni-R1's sizes: ${issue.path.join('.')}: ${issue.message}`, 'save it again');
  }
  const { vqgan: vq, rows, columns } = own.data;
  const weights = path.join(dir, 'model.safetensors');
  const like = whole(chameleonInit(noNoise, config), vqganInit(noNoise, vq));
  const { model, lm_head } = fromHost(weights, like, (await readHostTensors(weights)).tensors);
  const { vqmodel, ...rest } = model;
  const tokenizer = Tokenizer.load(dir);
  return {
    config,
    params: { model: rest, ...(lm_head ? { lm_head } : {}) },
    vqgan: { config: vq, params: vqmodel },
    tokenizer,
    layout: layoutOf(tokenizer, { rows, columns }),
  };
}

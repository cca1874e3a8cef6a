/**
 * OmniAgent as a folder, in the layout of the card's checkpoints:
 *
 *   omniagent.json                   stage, sizes of the projectors
 *   backbone/                        LLaMA as transformers writes it; with a PEFT adapter beside it after stage 3
 *   input_projector.safetensors      after stage 1
 *   output_projectors.safetensors    after stage 2
 *   tokenizer/
 *   encoder/                         the joint encoder
 *   decoders/{image,audio,video}/    in diffusers' layout
 *
 * The card has .pt files for the projectors; safetensors hold no code.
 */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { FormatError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import { linkFolder } from '../io/link';
import { loadWeights, noNoise, saveParams } from '../io/params';
import { Tokenizer } from '../io/tokenizer';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import { loadDecoder } from './decoder-folder';
import type { Decoder } from './decoder';
import { inputProjectorInit, inputProjectorSchema } from './input-projector';
import type { InputProjectorParams } from './input-projector';
import { loadEncoder } from './joint-encoder';
import type { JointEncoder } from './joint-encoder';
import { llamaInit } from './llama';
import type { LlamaConfig, LlamaParams } from './llama';
import { fromLlamaJson, toLlamaJson } from './llama-config';
import { outputProjectorsInit } from './omniagent';
import type { OutputProjectorsParams } from './omniagent';
import { outputProjectorSchema } from './output-projector';
import { checkPeft, loadPeft, savePeft } from './peft-folder';
import type { Peft } from './peft-folder';

export const omniAgentSchema = z.strictObject({
  model_type: z.literal('omniagent'),
  stage: z.string(),
  inputProjector: inputProjectorSchema.nullable(),
  outputProjectors: z
    .strictObject({
      image: outputProjectorSchema,
      audio: outputProjectorSchema,
      video: outputProjectorSchema,
    })
    .nullable(),
  /** The encyclopaedia that its web_search knows; its language model has read prose on the same places. */
  encyclopaedia: z.strictObject({ seed: z.int().min(0), places: z.int().positive() }).optional(),
  /** Whether an adapter belongs to the language model; written by `saveOmniAgent`. */
  adapter: z.boolean().optional(),
});
export type OmniAgentConfig = z.infer<typeof omniAgentSchema>;

/** What a folder holds. Parts of later stages may be missing. */
export interface OmniAgentParts {
  config: OmniAgentConfig;
  llama: { config: LlamaConfig; base: LlamaParams; peft?: Peft };
  inputProjector?: InputProjectorParams;
  outputProjectors?: OutputProjectorsParams;
  tokenizer: Tokenizer;
}
/** Frozen parts, by the folders that they are in. */
export interface FrozenFolders {
  encoder?: string;
  decoders?: Partial<Record<Modality, string>>;
}

const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'];

const json = (value: unknown): string => JSON.stringify(value, null, 2) + '\n';

/** Writes the folder; frozen parts are linked from where they are. */
export async function saveOmniAgent(dir: string, parts: OmniAgentParts, frozen: FrozenFolders = {}): Promise<void> {
  const { config, llama, inputProjector, outputProjectors, tokenizer } = parts;
  await writeFileAtomic(path.join(dir, 'backbone/config.json'), json(toLlamaJson(llama.config)));
  await saveParams(path.join(dir, 'backbone/model.safetensors'), llama.base);
  if (llama.peft) await savePeft(path.join(dir, 'backbone'), llama.peft);
  // One that was there before belongs to another model.
  else for (const name of ADAPTER_FILES) await rm(path.join(dir, 'backbone', name), { force: true });
  if (inputProjector) await saveParams(path.join(dir, 'input_projector.safetensors'), inputProjector);
  if (outputProjectors) await saveParams(path.join(dir, 'output_projectors.safetensors'), outputProjectors);
  await tokenizer.save(path.join(dir, 'tokenizer'));
  if (frozen.encoder) await linkFolder(frozen.encoder, path.join(dir, 'encoder'));
  for (const [m, from] of Object.entries(frozen.decoders ?? {})) await linkFolder(from, path.join(dir, 'decoders', m));
  await writeFileAtomic(path.join(dir, 'omniagent.json'), json({ ...config, adapter: llama.peft !== undefined }));
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new FormatError(
      file,
      'expected a JSON file, found none that can be read',
      'name the folder of an OmniAgent checkpoint: it holds omniagent.json and backbone/',
      { cause: error },
    );
  }
}

/** The configuration of a folder. Throws FormatError. */
export async function readOmniAgentConfig(dir: string): Promise<OmniAgentConfig> {
  const file = path.join(dir, 'omniagent.json');
  const read = omniAgentSchema.safeParse(await readJson(file));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new FormatError(file, `${issue.path.join('.')}: ${issue.message}`, 'the file belongs to another kind of model');
}

/** Reads the language model, the projectors and the tokenizer. Throws FormatError. */
export async function loadOmniAgentParts(dir: string): Promise<OmniAgentParts> {
  const { adapter, ...config } = await readOmniAgentConfig(dir);
  const at = (name: string): string => path.join(dir, name);
  const llamaConfig = fromLlamaJson(at('backbone/config.json'), await readJson(at('backbone/config.json')));
  const base = await loadWeights(at('backbone/model.safetensors'), llamaInit(noNoise, llamaConfig));
  // Any of these says that there is an adapter: without it the model would be another, and nobody would know.
  const adapted = adapter || ADAPTER_FILES.some((name) => existsSync(at(`backbone/${name}`)));
  const peft = adapted ? await loadPeft(at('backbone')) : undefined;
  if (peft) checkPeft(at('backbone/adapter_model.safetensors'), base, peft);
  const tokenizer = Tokenizer.load(at('tokenizer'));
  if (tokenizer.vocabSize > llamaConfig.vocabSize)
    throw new FormatError(
      at('tokenizer'),
      `expected at most the ${llamaConfig.vocabSize} tokens of the language model, got ${tokenizer.vocabSize}`,
      'the tokenizer belongs to another model',
    );
  return {
    config,
    llama: { config: llamaConfig, base, ...(peft ? { peft } : {}) },
    ...(config.inputProjector
      ? {
          inputProjector: await loadWeights(
            at('input_projector.safetensors'),
            inputProjectorInit(noNoise, config.inputProjector),
          ),
        }
      : {}),
    ...(config.outputProjectors
      ? {
          outputProjectors: await loadWeights(
            at('output_projectors.safetensors'),
            outputProjectorsInit(noNoise, config.outputProjectors),
          ),
        }
      : {}),
    tokenizer,
  };
}

/** Reads the frozen parts that are in the folder. */
export async function loadFrozenParts(
  dir: string,
): Promise<{ encoder?: JointEncoder; decoders: Partial<Record<Modality, Decoder>> }> {
  const decoders: Partial<Record<Modality, Decoder>> = {};
  for (const m of MODALITIES) {
    const folder = path.join(dir, 'decoders', m);
    if (!existsSync(folder)) continue;
    const decoder = await loadDecoder(folder);
    if (decoder.modality !== m)
      throw new FormatError(folder, `expected a decoder of ${m}, got one of ${decoder.modality}`, 'restore the folder');
    decoders[m] = decoder;
  }
  const encoder = path.join(dir, 'encoder');
  return existsSync(encoder) ? { encoder: await loadEncoder(encoder), decoders } : { decoders };
}

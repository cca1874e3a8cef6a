/**
 * Decoders as folders in diffusers' layout: model_index.json, and a folder with configuration and weights for each part
 * (text_encoder, unet, vae, scheduler, tokenizer). A picture decoder is a StableDiffusionPipeline that diffusers loads;
 * `omnilab.json` adds what diffusers has no place for. Folders that diffusers saved load here too.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { FormatError } from '../errors';
import { fromFloat16 } from '../graph/dtype';
import type { HostTensor } from '../graph/dtype';
import { sameShape, showShape } from '../graph/shape';
import { tensor } from '../graph/tensor';
import { tensorsOf, treeMap } from '../graph/tree';
import { writeFileAtomic } from '../io/atomic';
import { checkFinite } from '../io/params';
import { readHostTensors, writeSafetensors } from '../io/safetensors';
import { Tokenizer } from '../io/tokenizer';
import { noiseScheduleSchema } from '../nn/noise-schedule';
import type { NoiseScheduleConfig } from '../nn/noise-schedule';
import type { Noise } from '../nn/init';
import { decoderSchema, isClipUnet, soundSchema } from './decoder';
import type { Decoder, DecoderConfig, DecoderParams } from './decoder';
import { clipUnetPart, parts, vocoderPart } from './decoder-parts';
import type { Part } from './decoder-parts';
import { fromReferenceConfig, toReferenceConfig } from './diffusers-config';
import { autoencoderFactor } from './vae';
import { vocoderSchema } from './vocoder';
import type { VocoderConfig, VocoderParams } from './vocoder';

/** The version whose files these are. */
const DIFFUSERS = '0.42.1';

const partNames = Object.keys(parts) as (keyof typeof parts)[];
const partOf = (name: keyof typeof parts, clips: boolean): Part =>
  name === 'unet' && clips ? clipUnetPart : parts[name];
const configKeys = { text_encoder: 'textEncoder', unet: 'unet', vae: 'vae' } as const;

const pipelineClasses: Record<Decoder['modality'], string> = {
  image: 'StableDiffusionPipeline',
  audio: 'OmniLabAudioPipeline',
  video: 'TextToVideoSDPipeline',
};

const json = (value: unknown): string => JSON.stringify(value, null, 2) + '\n';

/** Writes the folder; files that are there are replaced one by one. */
export async function saveDecoder(dir: string, { modality, config, params, tokenizer }: Decoder): Promise<void> {
  const write = (name: string, value: unknown): Promise<void> => writeFileAtomic(path.join(dir, name), json(value));
  const clips = isClipUnet(config.unet);
  for (const name of partNames) {
    const part = partOf(name, clips);
    const header = part.library === 'diffusers' ? { _class_name: part.className, _diffusers_version: DIFFUSERS } : {};
    const extra = name === 'vae' ? vaeBlocks(config.vae) : name === 'text_encoder' ? specialIds(tokenizer) : {};
    await write(`${name}/config.json`, {
      ...header,
      ...toReferenceConfig(config[configKeys[name]], part.implied),
      ...extra,
    });
    await writeWeights(path.join(dir, name, part.weights), params[name]);
  }
  const { sound } = config;
  if (sound) {
    const { source: _, ...vocoder } = sound.vocoder;
    await write('vocoder/config.json', toReferenceConfig(vocoder, vocoderPart.implied));
    await writeWeights(path.join(dir, 'vocoder', vocoderPart.weights), params.vocoder);
  }
  await write('scheduler/scheduler_config.json', {
    _class_name: 'DDIMScheduler',
    _diffusers_version: DIFFUSERS,
    ...toReferenceConfig(config.scheduler, {}),
  });
  await tokenizer.save(path.join(dir, 'tokenizer'));
  const { length, latentShape, sampling } = config;
  await write('omnilab.json', {
    modality,
    length,
    latentShape,
    sampling,
    ...(sound ? { sound: { mel: sound.mel, source: sound.vocoder.source } } : {}),
  });
  await write('model_index.json', {
    _class_name: pipelineClasses[modality],
    _diffusers_version: DIFFUSERS,
    ...Object.fromEntries(partNames.map((name) => [name, [parts[name].library, partOf(name, clips).className]])),
    ...(sound ? { vocoder: [vocoderPart.library, vocoderPart.className] } : {}),
    scheduler: ['diffusers', 'DDIMScheduler'],
    tokenizer: ['transformers', 'PreTrainedTokenizerFast'],
    ...(modality === 'image'
      ? { feature_extractor: [null, null], safety_checker: [null, null], requires_safety_checker: false }
      : {}),
  });
}

async function writeWeights(file: string, params: unknown): Promise<void> {
  const tensors: Record<string, HostTensor> = {};
  for (const { path: key, tensor: t } of tensorsOf(params))
    tensors[key] = { dtype: t.dtype, shape: t.shape, data: await t.data() };
  await writeSafetensors(file, tensors, { format: 'pt' });
}

const vaeBlocks = ({ blockOutChannels, patchSize }: DecoderConfig['vae']): object => ({
  // diffusers' class has no patches: it is not told of none.
  ...(patchSize === 1 ? { patch_size: undefined } : {}),
  down_block_types: blockOutChannels.map(() => 'DownEncoderBlock2D'),
  up_block_types: blockOutChannels.map(() => 'UpDecoderBlock2D'),
});

/** transformers wants ids that the vocabulary has. */
function specialIds(tokenizer: Tokenizer): object {
  const { config } = tokenizer as { config: Record<string, unknown> };
  const id = (key: string): number | null => (typeof config[key] === 'string' ? tokenizer.id(config[key]) : null);
  return { bos_token_id: id('bos_token'), eos_token_id: id('eos_token'), pad_token_id: id('pad_token') };
}

const omnilabSchema = decoderSchema.pick({ modality: true, length: true, latentShape: true, sampling: true }).extend({
  /** The vocoder's configuration is a file of its own; its source is nothing that transformers knows. */
  sound: soundSchema.pick({ mel: true }).extend({ source: vocoderSchema.shape.source }).optional(),
});

/** Reads such a folder, ours or diffusers'. Throws FormatError for what is missing, damaged or of another kind. */
export async function loadDecoder(dir: string): Promise<Decoder> {
  const index = await readJson(path.join(dir, 'model_index.json'));
  const clips = (index.unet as [string, string] | undefined)?.[1] === clipUnetPart.className;
  for (const name of partNames) {
    const found = index[name] as [string, string] | undefined;
    const { className } = partOf(name, clips);
    if (found?.[1] !== className)
      throw new FormatError(
        path.join(dir, 'model_index.json'),
        `expected ${name} of class ${className}, got ${found?.[1] ?? 'none'}`,
        'this kind of pipeline is not supported',
      );
  }
  const loaded = Object.fromEntries(
    await Promise.all(
      partNames.map(async (name) => [name, await loadPart(path.join(dir, name), partOf(name, clips))] as const),
    ),
  );
  const configs = Object.fromEntries(partNames.map((name) => [configKeys[name], loaded[name].config]));
  const { textEncoder, unet, vae } = configs as Pick<DecoderConfig, 'textEncoder' | 'unet' | 'vae'>;
  const own = path.join(dir, 'omnilab.json');
  const settings = await readOptionalJson(own);
  const stored = omnilabSchema.safeParse(settings);
  if (settings && !stored.success)
    throw new FormatError(own, stored.error.issues[0].message, 'restore the file, or save the decoder again');
  // What a sound is made of stands nowhere else.
  if (stored.success ? stored.data.modality === 'audio' && !stored.data.sound : index.vocoder)
    throw new FormatError(own, 'expected the settings of a decoder of sounds, found none', 'restore the file');
  const side = unet.sampleSize ?? Math.max(1, Math.floor((vae.sampleSize ?? 64) / autoencoderFactor(vae)));
  const { sound: spectrogram, ...found } = stored.data ?? {};
  const rest = stored.success
    ? (found as Omit<z.infer<typeof omnilabSchema>, 'sound'>)
    : {
        modality: clips ? ('video' as const) : ('image' as const),
        length: textEncoder.maxPositionEmbeddings,
        // ModelScope's pipeline makes 16 frames unless it is told otherwise.
        latentShape: clips ? [unet.inChannels, 16, side, side] : [unet.inChannels, side, side],
        // What diffusers' pipeline does unless it is told otherwise.
        sampling: { sampler: 'ddim' as const, steps: 50, guidanceScale: 7.5 },
      };
  const scheduler = await loadSchedule(path.join(dir, 'scheduler', 'scheduler_config.json'));
  const config: DecoderConfig = { ...rest, textEncoder, unet, vae, scheduler };
  const params = Object.fromEntries(partNames.map((name) => [name, loaded[name].params])) as DecoderParams;
  if (spectrogram) {
    const { mel, source } = spectrogram;
    const loadedVocoder = await loadPart(path.join(dir, 'vocoder'), vocoderPart, source ? { source } : {});
    config.sound = { mel, vocoder: loadedVocoder.config as VocoderConfig };
    params.vocoder = loadedVocoder.params as VocoderParams;
  }
  return { modality: rest.modality, config, params, tokenizer: Tokenizer.load(path.join(dir, 'tokenizer')) };
}

async function readJson(file: string): Promise<Record<string, unknown>> {
  const value = await readOptionalJson(file);
  if (!value) throw new FormatError(file, 'expected a file, found none that can be read', 'check the path');
  return value;
}

/** Undefined where there is no such file. */
async function readOptionalJson(file: string): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FormatError(file, 'expected a file, found none that can be read', 'check the path', { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(file, 'expected JSON, got a damaged file', 'restore or export it again', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError(
      file,
      `expected a JSON object, got ${Array.isArray(value) ? 'a list' : String(value)}`,
      'restore or export it again',
    );
  return value as Record<string, unknown>;
}

/** Weights are computed with in float32, in whatever type of float they are stored. */
function asFloat32(where: string, name: string, { dtype, shape, data }: HostTensor): HostTensor {
  if (dtype === 'float32') return { dtype, shape, data };
  if (dtype !== 'float16')
    throw new FormatError(where, `expected "${name}" as floats, got ${dtype}`, 'the file belongs to another model');
  return { dtype: 'float32', shape, data: Float32Array.from(data as Uint16Array, fromFloat16) };
}

const zeroNoise: Noise = { normals: (n) => new Float32Array(n), uniforms: (n) => new Float32Array(n) };

async function loadPart(dir: string, part: Part, besides: object = {}): Promise<{ config: unknown; params: unknown }> {
  const file = path.join(dir, 'config.json');
  const known = fromReferenceConfig(file, part.schema, await readJson(file), part.implied, part.ignored);
  const config = { ...known, ...besides };
  const weights = path.join(dir, part.weights);
  const { tensors } = await readHostTensors(weights);
  checkFinite(weights, tensors);
  const stored = new Map(Object.entries(tensors).map(([name, t]) => [part.rename(name), t]));
  const like = part.init(zeroNoise, config as never);
  const params = treeMap(like, (t, name) => {
    const value = stored.get(name);
    stored.delete(name);
    // Old attention weights are convolutions with kernel 1.
    const shape = value?.shape.length === 4 && t.rank === 2 ? value.shape.slice(0, 2) : value?.shape;
    if (!value || !shape || !sameShape(shape, t.shape))
      throw new FormatError(
        weights,
        `expected "${name}" as ${showShape(t.shape)}, got ${value ? showShape(value.shape) : 'nothing'}`,
        'the file belongs to another model or configuration',
      );
    return tensor(asFloat32(weights, name, value).data, { shape: t.shape, dtype: 'float32' });
  });
  const foreign = [...stored.keys()].find((name) => !name.endsWith('position_ids'));
  if (foreign)
    throw new FormatError(
      weights,
      `expected the tensors of this model, found "${foreign}"`,
      'the file belongs to another model or configuration',
    );
  return { config, params };
}

/** What diffusers' classes assume where a file is silent. */
const silent = { beta_start: 1e-4, beta_end: 0.02, beta_schedule: 'linear' };

async function loadSchedule(file: string): Promise<NoiseScheduleConfig> {
  const stored = await readJson(file);
  const clip = stored._class_name === 'DDIMScheduler';
  const known = Object.entries({ ...silent, clip_sample: clip, ...stored }).filter(
    // Settings of single samplers: the caller chooses the sampler, and its options.
    ([key]) =>
      key.startsWith('_') || key in toReferenceConfig(noiseScheduleSchema.parse({}), {}) || key === 'trained_betas',
  );
  return fromReferenceConfig(file, noiseScheduleSchema, Object.fromEntries(known), { trained_betas: [null] });
}

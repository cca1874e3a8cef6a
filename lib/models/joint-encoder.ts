/**
 * The joint encoder as the other parts use it: media and texts in, unit vectors and token states out. Saved as a folder:
 * config.json, model.safetensors (the names of ImageBind's state dict), tokenizer.json.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ArgumentError, FormatError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { writeFileAtomic } from '../io/atomic';
import type { Medium } from '../io/media';
import { loadParams, noNoise, saveParams } from '../io/params';
import { Tokenizer } from '../io/tokenizer';
import { jit } from '../runtime/jit';
import type { Compiled } from '../runtime/jit';
import { imageBindInit, jointEncode } from './imagebind';
import type { ImageBindParams, Joint, JointModality } from './imagebind';
import { imageBindSchema } from './imagebind-config';
import type { ImageBindConfig } from './imagebind-config';
import { fitPicture, framesFor, normalizePixels, padIds, pieceLength, spectrogramOf, textIds } from './joint-input';

export type JointEncoder = { config: ImageBindConfig; params: ImageBindParams; tokenizer: Tokenizer };

export interface Encoded {
  /** Unit vector in the joint space. */
  embedding: Float32Array;
  /** The trunk's last states [length, width], row by row, CLS first. */
  tokens: Float32Array;
  length: number;
}

export interface EncodeOptions {
  /** Rows a run; the last run is filled up, so that few shapes are compiled. Default 32; a single medium runs alone. */
  batchSize?: number;
  device?: string;
  /** Called after each run. */
  onProgress?: (done: number, total: number) => void;
}

type Encode = Compiled<[ImageBindParams, Tensor], Joint>;
/** Compiled once for an encoder, a modality and a device; gone with the encoder. */
const compiledFor = new WeakMap<ImageBindConfig, Map<string, Encode>>();

function compiled(config: ImageBindConfig, modality: JointModality, device: string | undefined): Encode {
  let list = compiledFor.get(config);
  if (!list) compiledFor.set(config, (list = new Map<string, Encode>()));
  const key = `${modality} ${device ?? ''}`;
  let found = list.get(key);
  if (!found) {
    const prepare = modality === 'text' ? same : modality === 'audio' ? spectrogramOf : normalizePixels;
    found = jit(
      (p: ImageBindParams, x: Tensor) => jointEncode(p, config, { [modality]: prepare(config, x) })[modality],
      {
        device,
        name: `encode ${modality}`,
      },
    );
    list.set(key, found);
  }
  return found;
}
const same = (_: ImageBindConfig, x: Tensor): Tensor => x;

/** Gives back what was compiled for an encoder; encoding again compiles again. */
export function releaseEncoder({ config }: JointEncoder): void {
  for (const encode of compiledFor.get(config)?.values() ?? []) encode.release();
  compiledFor.delete(config);
}

/** Encodes rows of one modality and shape. `batch` makes the tensor of some of them. */
async function encodeRows(
  { config, params }: JointEncoder,
  modality: JointModality,
  count: number,
  batch: (rows: readonly number[]) => Tensor,
  { batchSize = 32, device, onProgress }: EncodeOptions,
): Promise<Encoded[]> {
  const encode = compiled(config, modality, device);
  const size = count === 1 ? 1 : batchSize;
  const out: Encoded[] = [];
  for (let at = 0; at < count; at += size) {
    const rows = Array.from({ length: size }, (_, k) => Math.min(at + k, count - 1));
    const { embedding, tokens } = await encode(params, batch(rows));
    const [vectors, states] = [await embedding.data(), await tokens.data()] as [Float32Array, Float32Array];
    const [, length, width] = tokens.shape;
    for (let k = 0; k < size && at + k < count; k++)
      out.push({
        embedding: unit(vectors.slice(k * config.embedWidth, (k + 1) * config.embedWidth)),
        tokens: states.slice(k * length * width, (k + 1) * length * width),
        length,
      });
    embedding.dispose();
    tokens.dispose();
    onProgress?.(Math.min(at + size, count), count);
  }
  return out;
}

/** The mean of several clips' vectors is shorter than 1. */
function unit(v: Float32Array): Float32Array {
  const length = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  return v.map((x) => x / Math.max(length, 1e-12));
}

/** Rows as one float32 tensor [rows, ...shape]. */
function stackRows(rows: readonly Float32Array[], shape: readonly number[]): Tensor {
  const data = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => data.set(row, i * row.length));
  return tensor(data, { shape: [rows.length, ...shape] });
}

/** A medium's values in the encoder's sizes, with their shape: pictures fitted, frames chosen, sounds cut or padded with silence. */
function valuesOf(config: ImageBindConfig, medium: Medium): { values: Float32Array; shape: number[] } {
  const { imageSize } = config.vision;
  if (medium.modality === 'image')
    return { values: fitPicture(medium.picture, imageSize), shape: [3, imageSize, imageSize] };
  if (medium.modality === 'audio') {
    const { sampleRate, samples } = medium.sound;
    if (sampleRate !== config.audio.mel.sampleRate)
      throw new ArgumentError(
        'encodeMedia',
        `expected a sound of ${config.audio.mel.sampleRate} samples a second, got ${sampleRate}`,
        'read it at that rate (readAudio resamples)',
      );
    const values = new Float32Array(pieceLength(config));
    values.set(samples.subarray(0, values.length));
    return { values, shape: [values.length] };
  }
  const { clip } = medium;
  const frames = framesFor(config, clip.frames);
  const size = 3 * imageSize * imageSize;
  const values = new Float32Array(frames.length * size);
  const full = 3 * clip.width * clip.height;
  frames.forEach((f, i) => {
    const data = clip.data.subarray(f * full, (f + 1) * full);
    values.set(fitPicture({ width: clip.width, height: clip.height, data }, imageSize), i * size);
  });
  return { values, shape: [frames.length, 3, imageSize, imageSize] };
}

/** Media in the joint space, in the order given; modalities may be mixed. Throws ArgumentError for a sound of another rate. */
export async function encodeMedia(
  encoder: JointEncoder,
  media: readonly Medium[],
  options: EncodeOptions = {},
): Promise<Encoded[]> {
  const items = media.map((medium) => ({ modality: medium.modality, ...valuesOf(encoder.config, medium) }));
  const groups = new Map<string, number[]>();
  items.forEach(({ modality, shape }, i) => {
    const key = `${modality} ${shape.join()}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const out = new Array<Encoded>(media.length);
  for (const members of groups.values()) {
    const { modality, shape } = items[members[0]];
    const batch = (rows: readonly number[]): Tensor =>
      stackRows(
        rows.map((r) => items[members[r]].values),
        shape,
      );
    const found = await encodeRows(encoder, modality, members.length, batch, options);
    members.forEach((i, k) => (out[i] = found[k]));
  }
  return out;
}

/** Texts in the joint space. */
export function encodeTexts(
  encoder: JointEncoder,
  texts: readonly string[],
  options: EncodeOptions = {},
): Promise<Encoded[]> {
  const { config, tokenizer } = encoder;
  const ids = texts.map((t) => textIds(config, tokenizer, t));
  const batch = (rows: readonly number[]): Tensor =>
    padIds(
      rows.map((r) => ids[r]),
      config.text.contextLength,
    );
  return encodeRows(encoder, 'text', texts.length, batch, options);
}

/** Writes config.json, model.safetensors and the tokenizer into a folder; files that are there are replaced one by one. */
export async function saveEncoder(dir: string, { config, params, tokenizer }: JointEncoder): Promise<void> {
  await saveParams(path.join(dir, 'model.safetensors'), params);
  await tokenizer.save(dir);
  const content = { model_type: 'imagebind', ...config };
  await writeFileAtomic(path.join(dir, 'config.json'), JSON.stringify(content, null, 2) + '\n');
}

/** Reads such a folder. Throws FormatError for what is missing, damaged or of another kind. */
export async function loadEncoder(dir: string): Promise<JointEncoder> {
  const config = await loadConfig(path.join(dir, 'config.json'));
  const params = await loadParams(path.join(dir, 'model.safetensors'), imageBindInit(noNoise, config));
  return { config, params, tokenizer: Tokenizer.load(dir) };
}

async function loadConfig(file: string): Promise<ImageBindConfig> {
  let content: Record<string, unknown> | null;
  try {
    content = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown> | null;
  } catch (error) {
    throw new FormatError(file, 'expected a JSON file, found none that can be read', "name a joint encoder's folder", {
      cause: error,
    });
  }
  const { model_type: kind, ...rest } = content ?? {};
  const found = imageBindSchema.safeParse(rest);
  if (kind !== 'imagebind' || !found.success)
    throw new FormatError(
      file,
      found.success
        ? `expected model_type "imagebind", got ${JSON.stringify(kind)}`
        : `${found.error.issues[0].path.join('.') || 'configuration'}: ${found.error.issues[0].message}`,
      "name a joint encoder's folder",
    );
  return found.data;
}

/** Loading what earlier stages left: data, the backbone, the frozen parts, and models with their adapters merged. */
import { perplexities, sampleLosses } from '../../eval/perplexity';
import { ArgumentError } from '../../errors';
import { projectMedia } from '../../generate/omni';
import type { OmniModel } from '../../generate/omni';
import { loadParams, noNoise } from '../../io/params';
import { Tokenizer } from '../../io/tokenizer';
import { loadDecoder } from '../../models/decoder-folder';
import type { Decoder } from '../../models/decoder';
import { encodeMedia } from '../../models/joint-encoder';
import type { JointEncoder } from '../../models/joint-encoder';
import { llamaInit } from '../../models/llama';
import type { LlamaConfig, LlamaParams } from '../../models/llama';
import type { EncodedMedium } from '../../models/media-states';
import type { Run } from '../../pipeline/run-result';
import { vectorShape } from '../../trainers/batches';
import type { TokenExample } from '../../trainers/batches';
import type { OmniExample } from '../../trainers/omni-batch';
import { MODALITIES, renderMedium } from '../../world';
import type { Modality } from '../../world';
import { joinMedia, unpackExamples } from './examples';
import type { SceneMedium, StoredMedia } from './examples';

/** Examples whose media are numbers into `media`. */
export interface MediaExamples {
  examples: OmniExample[];
  media: SceneMedium[];
}

export const loadOmniExamples = async (data: Run, name: string): Promise<MediaExamples> =>
  joinMedia(
    unpackExamples(data.file(`${name}.safetensors`), await data.load(name)),
    await data.loadJson<StoredMedia>(`${name}_media`),
  );

export const loadTokenizer = (data: Run): Tokenizer => Tokenizer.load(data.file('tokenizer'));

export const loadBackbone = (run: Run, config: LlamaConfig): Promise<LlamaParams> =>
  loadParams(run.file('model.safetensors'), llamaInit(noNoise, config));

/** Folders of the frozen parts, in the runs that made them. */
export const encoderFolder = (run: Run): string => run.file('encoder');
export const decoderFolder = (run: Run): string => run.file('decoder');

export async function loadDecoders(parent: (name: string) => Run): Promise<Record<Modality, Decoder>> {
  const list: [Modality, Decoder][] = [];
  for (const m of MODALITIES) list.push([m, await loadDecoder(decoderFolder(parent(`omniagent/stage0_${m}`)))]);
  return Object.fromEntries(list) as Record<Modality, Decoder>;
}

/** Encoded media by number, and the most states that one of them has. */
export interface EncodedScenes {
  get: (medium: number) => EncodedMedium;
  length: number;
  /** Of the widest states. */
  width: number;
}

/** Renders and encodes media, as far as examples use them. */
export async function encodeScenes(
  encoder: JointEncoder,
  { examples, media }: MediaExamples,
  options: { device?: string; onProgress?: (done: number, total: number) => void } = {},
): Promise<EncodedScenes> {
  const used = [...new Set(examples.flatMap((e) => e.media.map((m) => m.medium)))].sort((a, b) => a - b);
  const encoded = new Map<number, EncodedMedium>();
  // In pieces, so that rendered media do not pile up.
  for (let at = 0; at < used.length; at += 512) {
    const piece = used.slice(at, at + 512);
    const found = await encodeMedia(
      encoder,
      piece.map((i) => renderMedium(media[i].modality, media[i].scene)),
      { device: options.device },
    );
    found.forEach((e, k) =>
      encoded.set(piece[k], { modality: media[piece[k]].modality, states: e.tokens, length: e.length }),
    );
    options.onProgress?.(Math.min(at + 512, used.length), used.length);
  }
  const get = (medium: number): EncodedMedium => {
    const found = encoded.get(medium);
    if (!found) throw new ArgumentError('encodeScenes', `medium ${medium} was not encoded`, 'encode its examples');
    return found;
  };
  const all = [...encoded.values()];
  return {
    get,
    length: Math.max(0, ...all.map((e) => e.length)),
    width: Math.max(0, ...all.map((e) => e.states.length / e.length)),
  };
}

/** Examples with the projector's vectors of their media: what language-model losses alone need. */
export async function fillExamples(
  model: Pick<OmniModel, 'input' | 'encoder'>,
  data: MediaExamples,
  device?: string,
): Promise<TokenExample[]> {
  const store = await encodeScenes(model.encoder!, data, { device });
  const used = [...new Set(data.examples.flatMap((e) => e.media.map((m) => m.medium)))];
  const vectors = await projectMedia(model.input!, used.map(store.get), device);
  const byMedium = new Map(used.map((medium, i) => [medium, vectors[i]]));
  return data.examples.map(({ ids, mask, media }) => ({
    ids,
    mask,
    vectors: media.map(({ at, medium }) => ({ at, values: byMedium.get(medium)! })),
  }));
}

/** Perplexities of a language model on the evaluation set, whose media `agent` turns into vectors. */
export async function measurePerplexities(
  data: Run,
  params: LlamaParams,
  config: LlamaConfig,
  agent: Pick<OmniModel, 'input' | 'encoder'>,
  device?: string,
): Promise<Record<string, number>> {
  const { categories } = await data.loadJson<{ categories: string[] }>('evaluation');
  const filled = await fillExamples(agent, await loadOmniExamples(data, 'evaluation'), device);
  const { slots, outWidth } = agent.input!.config;
  const losses = await sampleLosses(
    params,
    config,
    filled.map((e, i) => ({ ...e, category: categories[i] })),
    { vectors: vectorShape(filled, slots, outWidth), device },
  );
  return perplexities(losses);
}

/**
 * ImageBind (Girdhar et al. 2023, "ImageBind: one embedding space to bind them all"): a transformer trunk for pictures
 * and clips, one for sounds (log-mel spectrograms) and one for texts, with heads into one space of unit vectors. Names of
 * the parameters are those of the published state dict.
 *
 * Differences from facebookresearch/ImageBind:
 * 1. Depth, thermal and motion-sensor trunks are left out: OmniWorld has no such senses.
 * 2. Stochastic depth (0.1 in the audio trunk, in training only) is left out.
 * 3. Embeddings are returned before the logit scale is applied; `logitScale` gives it.
 * 4. The end of a text is where `eosId` first stands, not where the largest id does: the same for CLIP's vocabulary.
 * 5. Tables of positions are not interpolated to other sizes of pictures.
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { concat, oneHot, stopGradient, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { fanInUniform, normal } from '../nn/init';
import type { Noise } from '../nn/init';
import { embedding, embeddingInit, linear } from '../nn/linear';
import type { EmbeddingParams } from '../nn/linear';
import { layerNorm, layerNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import type { ImageBindConfig } from './imagebind-config';
import { NORM_EPSILON, patchify, trunk, trunkInit } from './imagebind-trunk';
import type { TrunkParams } from './imagebind-trunk';

type Projection = { weight: Tensor };
type Head = { '0': NormParams; '2': Projection };
type Scale = { '1': { log_logit_scale: Tensor } };
type Stem<P> = { cls_token: Tensor; pos_embedding_helper: { pos_embed: Tensor }; rgbt_stem: P };

export type ImageBindParams = {
  modality_preprocessors: {
    vision: Stem<{ proj: { '1': Projection } }>;
    audio: Stem<{ proj: Projection; norm_layer: NormParams }>;
    text: { token_embedding: EmbeddingParams; pos_embed: Tensor };
  };
  modality_trunks: { vision: TrunkParams; audio: TrunkParams; text: TrunkParams };
  modality_heads: { vision: Head; audio: Head; text: { proj: { '0': NormParams; '1': Projection } } };
  modality_postprocessors: { audio: Scale; text: Scale };
};

/** The number of patches of a spectrogram: along mel bands, along time. */
export const audioPatches = ({ audio: { mel, frames, kernel, stride } }: ImageBindConfig): [number, number] => [
  Math.floor((mel.mels - kernel[0]) / stride[0]) + 1,
  Math.floor((frames - kernel[1]) / stride[1]) + 1,
];
/** The number of patches of a picture, and of one clip of `frames` frames. */
export const visionPatches = ({ vision: v }: ImageBindConfig): { picture: number; clip: number } => {
  const picture = (Math.floor((v.imageSize - v.patch) / v.stride) + 1) ** 2;
  return { picture, clip: picture * (v.frames / v.tubelet) };
};

/** Initial values as the original's. Throws ArgumentError for sizes that do not divide. */
export function imageBindInit(rng: Noise, c: ImageBindConfig): ImageBindParams {
  const { vision, audio, text } = c;
  if ((vision.imageSize - vision.patch) % vision.stride || vision.frames % vision.tubelet)
    throw new ArgumentError(
      'imageBindInit',
      `expected patches that cover the picture and tubelets that divide the clip, got ${vision.patch} (stride ${vision.stride}) of ${vision.imageSize} and ${vision.tubelet} of ${vision.frames}`,
      'choose a stride that divides the rest of the picture, and a divisor of the frames',
    );
  const stem = <P>(width: number, patches: number, rgbt_stem: P): Stem<P> => ({
    cls_token: normal(rng, [1, 1, width], width ** -0.5),
    pos_embedding_helper: { pos_embed: normal(rng, [1, 1 + patches, width], width ** -0.5) },
    rgbt_stem,
  });
  const project = (width: number): Projection => ({ weight: fanInUniform(rng, [c.embedWidth, width]) });
  const head = (width: number): Head => ({ '0': layerNormInit(width), '2': project(width) });
  const scale = (value: number): Scale => ({ '1': { log_logit_scale: tensor(Math.log(value)) } });
  const [alongMel, alongTime] = audioPatches(c);
  return {
    modality_preprocessors: {
      vision: stem(vision.width, visionPatches(c).clip, {
        proj: { '1': { weight: fanInUniform(rng, [vision.width, 3, vision.tubelet, vision.patch, vision.patch]) } },
      }),
      audio: stem(audio.width, alongMel * alongTime, {
        proj: { weight: fanInUniform(rng, [audio.width, 1, ...audio.kernel]) },
        norm_layer: layerNormInit(audio.width),
      }),
      text: {
        token_embedding: embeddingInit(rng, text.vocabSize, text.width, 0.02),
        pos_embed: normal(rng, [1, text.contextLength, text.width], 0.01),
      },
    },
    modality_trunks: {
      vision: trunkInit(rng, vision, { normFirst: true }),
      audio: trunkInit(rng, audio, { biasKeys: true }),
      text: trunkInit(rng, text),
    },
    modality_heads: {
      vision: head(vision.width),
      audio: head(audio.width),
      text: { proj: { '0': layerNormInit(text.width), '1': project(text.width) } },
    },
    modality_postprocessors: { audio: scale(c.audio.logitScale), text: scale(c.text.logitScale) },
  };
}

export interface JointInputs {
  /** Normalised pixels [B, 3, H, W]. */
  image?: Tensor;
  /** Normalised pixels [B, F, 3, H, W]; F is `vision.frames`, or a multiple: several clips, whose embeddings are averaged. */
  video?: Tensor;
  /** Normalised log-mel spectrogram [B, 1, M, T], or of several pieces [B, S, 1, M, T], whose embeddings are averaged. */
  audio?: Tensor;
  /** int32 [B, L], each row with `text.eosId` in it. */
  text?: Tensor;
}
export interface Joint {
  /** [B, embedWidth]: of unit length (the mean of such for several clips, as in the original). */
  embedding: Tensor;
  /** [B, L, width of the trunk]: the trunk's last states under the head's norm; CLS first, clip after clip. A text has no CLS. */
  tokens: Tensor;
}

/** x / |x| along the last axis. */
const normalize = (x: Tensor): Tensor => x.div(x.square().sum(-1, true).sqrt().maximum(1e-12));

/** Patches with CLS before and positions added; a still picture takes the positions of the first frame. */
function withPositions(p: Stem<unknown>, patches: Tensor): Tensor {
  const [batch, length, width] = patches.shape;
  const table = p.pos_embedding_helper.pos_embed;
  if (length + 1 > table.shape[1])
    throw new ShapeError(
      'imageBind',
      `expected at most ${table.shape[1] - 1} patches, got ${length}`,
      'the input is larger than the configuration says',
    );
  const tokens = concat([p.cls_token.expand([batch, 1, width]), patches], 1);
  return tokens.add(table.slice(null, [0, length + 1]));
}

const withHead = (p: Head, states: Tensor): Joint => {
  const tokens = layerNorm(p['0'], states, NORM_EPSILON);
  return { tokens, embedding: normalize(linear(p['2'], tokens.slice(null, 0))) };
};

/** Of `parts` pieces a sample: embeddings averaged, tokens one piece after the other. */
function joinParts({ embedding, tokens }: Joint, parts: number): Joint {
  if (parts === 1) return { embedding, tokens };
  const batch = embedding.shape[0] / parts;
  return {
    embedding: embedding.reshape([batch, parts, -1]).mean(1),
    tokens: tokens.reshape([batch, parts * tokens.shape[1], tokens.shape[2]]),
  };
}

function encodeVision(p: ImageBindParams, c: ImageBindConfig, patches: Tensor): Joint {
  const states = trunk(p.modality_trunks.vision, c.vision, withPositions(p.modality_preprocessors.vision, patches));
  return withHead(p.modality_heads.vision, states);
}

function encodeImage(p: ImageBindParams, c: ImageBindConfig, x: Tensor): Joint {
  checkInput('image', x, [null, 3, c.vision.imageSize, c.vision.imageSize]);
  // The original repeats the picture as a clip that stands still; summing the kernel over time is the same.
  const weight = p.modality_preprocessors.vision.rgbt_stem.proj['1'].weight.sum(2, true);
  return encodeVision(p, c, patchify(weight, x.unsqueeze(2), [1, c.vision.stride, c.vision.stride]));
}

function encodeVideo(p: ImageBindParams, c: ImageBindConfig, x: Tensor): Joint {
  const { imageSize, frames } = c.vision;
  checkInput('video', x, [null, null, 3, imageSize, imageSize]);
  const [batch, count] = x.shape;
  if (count % frames || !count)
    throw new ShapeError(
      'imageBind',
      `expected a multiple of ${frames} frames, got ${count}`,
      'sample the clip evenly to that number',
    );
  const parts = count / frames;
  const clips = x.reshape([batch * parts, frames, 3, imageSize, imageSize]).transpose([0, 2, 1, 3, 4]);
  const patches = patchify(p.modality_preprocessors.vision.rgbt_stem.proj['1'].weight, clips, [
    c.vision.tubelet,
    c.vision.stride,
    c.vision.stride,
  ]);
  return joinParts(encodeVision(p, c, patches), parts);
}

function encodeAudio(p: ImageBindParams, c: ImageBindConfig, x: Tensor): Joint {
  const { mel, frames, stride } = c.audio;
  const pieces = x.rank === 5 ? x.reshape([x.shape[0] * x.shape[1], ...x.shape.slice(2)]) : x;
  checkInput('audio', pieces, [null, 1, mel.mels, frames]);
  const stem = p.modality_preprocessors.audio;
  const patches = layerNorm(stem.rgbt_stem.norm_layer, patchify(stem.rgbt_stem.proj.weight, pieces, stride));
  const states = trunk(p.modality_trunks.audio, c.audio, withPositions(stem, patches));
  return joinParts(withHead(p.modality_heads.audio, states), pieces.shape[0] / x.shape[0]);
}

function encodeText(p: ImageBindParams, c: ImageBindConfig, ids: Tensor): Joint {
  const { contextLength, eosId } = c.text;
  if (ids.rank !== 2 || ids.shape[1] > contextLength)
    throw new ShapeError(
      'imageBind',
      `expected ids [B, at most ${contextLength}], got ${showShape(ids.shape)}`,
      'cut the text, keeping its end token',
    );
  const { token_embedding, pos_embed } = p.modality_preprocessors.text;
  const length = ids.shape[1];
  const x = embedding(token_embedding, ids).add(pos_embed.slice(null, [0, length]));
  const states = trunk(p.modality_trunks.text, c.text, x, { causal: true });
  const tokens = layerNorm(p.modality_heads.text.proj['0'], states, NORM_EPSILON);
  // The state where the text ends is picked by a product, which has a cheap gradient.
  const end = oneHot(ids.equal(eosId).cast('int32').argMax(1), length).unsqueeze(1);
  const last = end.matMul(tokens).squeeze(1);
  return { tokens, embedding: normalize(linear(p.modality_heads.text.proj['1'], last)) };
}

function checkInput(name: string, x: Tensor, shape: readonly (number | null)[]): void {
  if (x.rank !== shape.length || shape.some((n, i) => n !== null && n !== x.shape[i]))
    throw new ShapeError(
      'imageBind',
      `expected ${name} [${shape.map((n) => n ?? 'any').join(', ')}], got ${showShape(x.shape)}`,
      'bring the input to the sizes of the configuration',
    );
}

const encoders = { image: encodeImage, audio: encodeAudio, video: encodeVideo, text: encodeText };
export type JointModality = keyof typeof encoders;

/** Each input that is given, in the joint space. Throws ShapeError. */
export function jointEncode<I extends JointInputs>(
  p: ImageBindParams,
  c: ImageBindConfig,
  inputs: I,
): { [K in keyof I & JointModality]: Joint } {
  const found = (Object.keys(encoders) as JointModality[]).flatMap((name) => {
    const x = inputs[name];
    return x ? [[name, encoders[name](p, c, x)]] : [];
  });
  return Object.fromEntries(found) as { [K in keyof I & JointModality]: Joint };
}

/** What similarities with a modality are multiplied by before a softmax: learned for texts, at most 100; fixed for sounds. */
export function logitScale(p: ImageBindParams, modality: 'audio' | 'text'): Tensor {
  const { log_logit_scale } = p.modality_postprocessors[modality]['1'];
  return (modality === 'audio' ? stopGradient(log_logit_scale) : log_logit_scale).exp().minimum(100);
}

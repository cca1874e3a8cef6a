/**
 * The text encoder of CLIP (Radford et al. 2021, section 2.4), which conditions Stable Diffusion: a transformer with
 * causal attention and normalisation before each block. Parameters carry the names of the published checkpoints
 * (`text_model.encoder.layers.0.self_attn.q_proj.weight`).
 */
import { z } from 'zod';
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { arange } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { attention, mergeHeads, splitHeads } from '../nn/attention';
import { embedding, embeddingInit, linear, linearInit } from '../nn/linear';
import type { EmbeddingParams, LinearParams } from '../nn/linear';
import { layerNorm, layerNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import type { Noise } from '../nn/init';

const count = z.number().int().positive();
/** transformers' CLIPTextConfig, in camel case. */
export const clipTextSchema = z.strictObject({
  vocabSize: count,
  hiddenSize: count,
  intermediateSize: count,
  numHiddenLayers: count,
  numAttentionHeads: count,
  maxPositionEmbeddings: count,
  /** quick_gelu: x sigmoid(1.702 x). */
  hiddenAct: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
  layerNormEps: z.number().positive().default(1e-5),
});
export type ClipTextConfig = z.infer<typeof clipTextSchema>;

/** Sizes from the tests' to Stable Diffusion 1.5's. `vocabSize` follows the tokenizer. */
export const clipTextSizes: Record<'nano' | 'small' | 'medium' | 'sd-1.5', ClipTextConfig> = {
  nano: size(512, 64, 128, 1, 2, 24),
  small: size(512, 96, 192, 2, 4, 24),
  medium: size(4096, 384, 1536, 6, 6, 77),
  'sd-1.5': size(49408, 768, 3072, 12, 12, 77),
};

function size(
  vocabSize: number,
  hiddenSize: number,
  intermediateSize: number,
  numHiddenLayers: number,
  numAttentionHeads: number,
  maxPositionEmbeddings: number,
): ClipTextConfig {
  return clipTextSchema.parse({
    vocabSize,
    hiddenSize,
    intermediateSize,
    numHiddenLayers,
    numAttentionHeads,
    maxPositionEmbeddings,
  });
}

export type ClipLayerParams = {
  layer_norm1: NormParams;
  self_attn: { q_proj: LinearParams; k_proj: LinearParams; v_proj: LinearParams; out_proj: LinearParams };
  layer_norm2: NormParams;
  mlp: { fc1: LinearParams; fc2: LinearParams };
};
export type ClipTextParams = {
  text_model: {
    embeddings: { token_embedding: EmbeddingParams; position_embedding: EmbeddingParams };
    encoder: { layers: ClipLayerParams[] };
    final_layer_norm: NormParams;
  };
};

/** Standard deviations as in CLIP's release: what writes to the residual stream shrinks with the number of layers. */
export function clipTextInit(rng: Noise, c: ClipTextConfig): ClipTextParams {
  const width = c.hiddenSize;
  if (width % c.numAttentionHeads)
    throw new ArgumentError(
      'clipTextInit',
      `expected heads that divide ${width}, got ${c.numAttentionHeads}`,
      'choose a divisor of hiddenSize',
    );
  const out = 1 / Math.sqrt(width);
  const inner = out / Math.sqrt(2 * c.numHiddenLayers);
  const project = (std: number): LinearParams => linearInit(rng, width, width, { std });
  return {
    text_model: {
      embeddings: {
        token_embedding: embeddingInit(rng, c.vocabSize, width),
        position_embedding: embeddingInit(rng, c.maxPositionEmbeddings, width),
      },
      encoder: {
        layers: Array.from({ length: c.numHiddenLayers }, () => ({
          layer_norm1: layerNormInit(width),
          self_attn: { q_proj: project(inner), k_proj: project(inner), v_proj: project(inner), out_proj: project(out) },
          layer_norm2: layerNormInit(width),
          mlp: {
            fc1: linearInit(rng, width, c.intermediateSize, { std: 1 / Math.sqrt(2 * width) }),
            fc2: linearInit(rng, c.intermediateSize, width, { std: inner }),
          },
        })),
      },
      final_layer_norm: layerNormInit(width),
    },
  };
}

/** The last hidden states, normalised: ids int32 [B, L] -> [B, L, hiddenSize]. Padding is not masked, as in SD. */
export function clipText(p: ClipTextParams, c: ClipTextConfig, ids: Tensor): Tensor {
  const [, length] = ids.shape;
  if (ids.rank !== 2 || length > c.maxPositionEmbeddings)
    throw new ShapeError(
      'clipText',
      `expected ids [B, at most ${c.maxPositionEmbeddings}], got ${showShape(ids.shape)}`,
      'cut the captions, or set maxPositionEmbeddings in the configuration',
    );
  const { embeddings, encoder, final_layer_norm } = p.text_model;
  let x = embedding(embeddings.token_embedding, ids).add(embedding(embeddings.position_embedding, arange(length)));
  for (const layer of encoder.layers) x = clipLayer(layer, c, x);
  return layerNorm(final_layer_norm, x, c.layerNormEps);
}

function clipLayer(p: ClipLayerParams, c: ClipTextConfig, x: Tensor): Tensor {
  const h = layerNorm(p.layer_norm1, x, c.layerNormEps);
  const heads = (q: LinearParams): Tensor => splitHeads(linear(q, h), c.numAttentionHeads);
  const { q_proj, k_proj, v_proj, out_proj } = p.self_attn;
  const mixed = attention(heads(q_proj), heads(k_proj), heads(v_proj), { causal: true });
  const y = x.add(linear(out_proj, mergeHeads(mixed)));
  const inner = linear(p.mlp.fc1, layerNorm(p.layer_norm2, y, c.layerNormEps));
  const active = c.hiddenAct === 'gelu' ? inner.gelu() : inner.mul(inner.mul(1.702).sigmoid());
  return y.add(linear(p.mlp.fc2, active));
}

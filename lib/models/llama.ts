/**
 * LLaMA (Touvron et al. 2023): a decoder-only transformer with RMSNorm before each block, rotary positions, SwiGLU and
 * grouped-query attention. Parameters are nested so that their paths are the names of the published checkpoints
 * (`model.layers.0.self_attn.q_proj.weight`).
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { arange } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { checkpoint } from '../graph/grad';
import { attention, mergeHeads, splitHeads } from '../nn/attention';
import { embedding, embeddingInit, linear, linearInit } from '../nn/linear';
import type { EmbeddingParams, LinearParams } from '../nn/linear';
import { swiglu, swigluInit } from '../nn/mlp';
import type { SwigluParams } from '../nn/mlp';
import { layerNorm, rmsNorm, rmsNormInit } from '../nn/norm';
import type { NormParams, RmsNormParams } from '../nn/norm';
import { rotate, ropeAngles } from '../nn/rope';
import type { RopeAngles } from '../nn/rope';
import type { Noise } from '../nn/init';

export interface LlamaConfig {
  vocabSize: number;
  width: number;
  layers: number;
  heads: number;
  /** Key and value heads; fewer than `heads` is grouped-query attention. */
  kvHeads: number;
  hidden: number;
  maxLength: number;
  ropeBase: number;
  normEpsilon: number;
  /** The output layer uses the embedding's weights. */
  tieEmbeddings: boolean;
  /** Recompute each block in the backward pass. */
  checkpointBlocks?: boolean;
}

const base = { ropeBase: 10000, normEpsilon: 1e-5, tieEmbeddings: false };
/** Sizes from the tests' to the paper's backbone. `vocabSize` follows the tokenizer. */
export const llamaSizes = {
  nano: { ...base, vocabSize: 512, width: 64, layers: 2, heads: 4, kvHeads: 4, hidden: 176, maxLength: 128 },
  '1m': { ...base, vocabSize: 2048, width: 128, layers: 4, heads: 4, kvHeads: 4, hidden: 352, maxLength: 256 },
  '4m': { ...base, vocabSize: 2048, width: 256, layers: 4, heads: 4, kvHeads: 4, hidden: 704, maxLength: 256 },
  '25m': { ...base, vocabSize: 4096, width: 512, layers: 7, heads: 8, kvHeads: 8, hidden: 1408, maxLength: 512 },
  '100m': { ...base, vocabSize: 16384, width: 768, layers: 12, heads: 12, kvHeads: 12, hidden: 2048, maxLength: 1024 },
  'vicuna-7b': {
    ...base,
    vocabSize: 32000,
    width: 4096,
    layers: 32,
    heads: 32,
    kvHeads: 32,
    hidden: 11008,
    maxLength: 4096,
  },
} satisfies Record<string, LlamaConfig>;

export type LlamaBlockParams = {
  input_layernorm: RmsNormParams;
  self_attn: {
    q_proj: LinearParams;
    k_proj: LinearParams;
    v_proj: LinearParams;
    o_proj: LinearParams;
    /** Query-key normalisation (Chameleon's): weight and bias [heads, D] each. LLaMA has none. */
    q_norm?: NormParams;
    k_norm?: NormParams;
  };
  post_attention_layernorm: RmsNormParams;
  mlp: SwigluParams;
};
export type LlamaParams = {
  model: { embed_tokens: EmbeddingParams; layers: LlamaBlockParams[]; norm: RmsNormParams };
  lm_head?: LinearParams;
};

/** The last names of the blocks' linear layers: what LoRA adapts and what 4 bits hold, at most. */
export const llamaLinears = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/** Keys and values of one layer, [B, kvHeads, maxLength, width / heads] each. */
export type LayerCache = { k: Tensor; v: Tensor };

/** Weights: normal, 0.02; the projections that write to the residual stream scaled by 1 / sqrt(2 layers) (GPT-2). */
export function llamaInit(rng: Noise, c: LlamaConfig): LlamaParams {
  if (c.width % (2 * c.heads) || c.heads % c.kvHeads)
    throw new ArgumentError(
      'llamaInit',
      `expected heads of even width that divide ${c.width}, and kvHeads that divide them, got ${c.heads} and ${c.kvHeads}`,
      'rotary positions turn pairs; each key head serves equally many query heads',
    );
  const std = 0.02;
  const outStd = std / Math.sqrt(2 * c.layers);
  const head = c.width / c.heads;
  const project = (outputs: number, s = std, inputs = c.width): LinearParams =>
    linearInit(rng, inputs, outputs, { bias: false, std: s });
  const params: LlamaParams = {
    model: {
      embed_tokens: embeddingInit(rng, c.vocabSize, c.width, std),
      layers: Array.from({ length: c.layers }, () => ({
        input_layernorm: rmsNormInit(c.width),
        self_attn: {
          q_proj: project(c.width),
          k_proj: project(c.kvHeads * head),
          v_proj: project(c.kvHeads * head),
          o_proj: project(c.width, outStd),
        },
        post_attention_layernorm: rmsNormInit(c.width),
        mlp: swigluInit(rng, c.width, c.hidden, std, outStd),
      })),
      norm: rmsNormInit(c.width),
    },
  };
  return c.tieEmbeddings ? params : { ...params, lm_head: project(c.vocabSize) };
}

export interface LlamaInputs {
  /** int32 [B, T]; or `embeddings` [B, T, width] instead. */
  ids?: Tensor;
  embeddings?: Tensor;
  /** int32 [B, T] or [T]; default 0, 1, 2, .... */
  positions?: Tensor;
  /** bool, broadcastable to [B, heads, T, T]: true where a query may look; the causal mask holds besides. */
  mask?: Tensor;
}

/** The last hidden states, normalised: [B, T, width]. */
export function llamaHidden(p: LlamaParams, c: LlamaConfig, inputs: LlamaInputs): Tensor {
  const { ids, embeddings, mask } = inputs;
  if (!ids === !embeddings)
    throw new ArgumentError(
      'llama',
      `expected ids or embeddings, got ${ids ? 'both' : 'neither'}`,
      'join embeddings of tokens and of other media with concat',
    );
  const x0 = embeddings ?? embedding(p.model.embed_tokens, ids!);
  const [, time] = x0.shape;
  if (x0.rank !== 3 || x0.shape[2] !== c.width)
    throw new ShapeError(
      'llama',
      `expected ids [B, T] or embeddings [B, T, ${c.width}], got ${showShape(x0.shape)} after embedding`,
      'check the batch',
    );
  if (time > c.maxLength)
    throw new ShapeError(
      'llama',
      `expected at most ${c.maxLength} tokens, got ${time}`,
      'cut the sequence, or set maxLength in the configuration',
    );
  const angles = ropeAngles(inputs.positions ?? arange(time), c.width / c.heads, c.ropeBase);
  let x = x0;
  for (const layer of p.model.layers) {
    const block = (h: Tensor): Tensor =>
      llamaBlock(layer, c, h, angles, (q, k, v) => attention(q, k, v, { causal: true, mask }));
    x = (c.checkpointBlocks ? checkpoint(block) : block)(x);
  }
  return rmsNorm(p.model.norm, x, c.normEpsilon);
}

/**
 * One block of x [B, T, width], or [B, width] for T = 1; `attend` gets the rotated queries and keys, and the values,
 * each [B, heads, T, D].
 */
export function llamaBlock(
  p: LlamaBlockParams,
  c: LlamaConfig,
  x: Tensor,
  angles: RopeAngles,
  attend: (q: Tensor, k: Tensor, v: Tensor) => Tensor,
): Tensor {
  const h = rmsNorm(p.input_layernorm, x, c.normEpsilon);
  const { q_norm, k_norm } = p.self_attn;
  const q = rotate(normHeads(q_norm, splitHeads(linear(p.self_attn.q_proj, h), c.heads)), angles);
  const k = rotate(normHeads(k_norm, splitHeads(linear(p.self_attn.k_proj, h), c.kvHeads)), angles);
  const v = splitHeads(linear(p.self_attn.v_proj, h), c.kvHeads);
  const y = x.add(linear(p.self_attn.o_proj, mergeHeads(attend(q, k, v)).reshape(x.shape)));
  return y.add(swiglu(p.mlp, rmsNorm(p.post_attention_layernorm, y, c.normEpsilon)));
}

/** x [B, heads, T, D], each head's vectors normalised on their own, where the model does that. */
const normHeads = (p: NormParams | undefined, x: Tensor): Tensor =>
  p ? layerNorm({ weight: p.weight.unsqueeze(1), bias: p.bias.unsqueeze(1) }, x) : x;

/** Hidden states to logits over the vocabulary: [..., width] -> [..., vocabSize]. */
export function llamaLogits(p: LlamaParams, hidden: Tensor): Tensor {
  return linear(p.lm_head ?? p.model.embed_tokens, hidden);
}

/** Token logits [B, T, vocabSize]. */
export const llama = (p: LlamaParams, c: LlamaConfig, inputs: LlamaInputs): Tensor =>
  llamaLogits(p, llamaHidden(p, c, inputs));

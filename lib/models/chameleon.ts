/**
 * Chameleon's language model (Chameleon Team 2024, section 2.3): LLaMA with query-key normalisation, each head's queries and keys
 * passed through a layer normalisation of their own before the rotary positions. Functions and generation are LLaMA's; the
 * normalisation is in the parameters (`self_attn.q_norm`, `self_attn.k_norm`). Parameter paths are the names of
 * transformers' ChameleonForConditionalGeneration (`model.layers.0.self_attn.q_norm.weight`), without its `model.vqmodel`, which
 * is vqgan.ts.
 *
 * Differences: 1. the reference sets the logits of image tokens to the least number in every forward pass; here that is a
 * generation mode (generate/interleaved.ts), since Omni-R1 generates images; 2. the 34B form (normalisation after the
 * blocks) is refused.
 */
import { z } from 'zod';
import { FormatError } from '../errors';
import { filled } from '../nn/init';
import type { Noise } from '../nn/init';
import type { NormParams } from '../nn/norm';
import { llamaInit } from './llama';
import type { LlamaConfig, LlamaParams } from './llama';

const base = { ropeBase: 10000, normEpsilon: 1e-5, tieEmbeddings: false };
/** Sizes from the tests' to Anole-7B's. `vocabSize` follows the token layout. */
export const chameleonSizes = {
  nano: { ...base, vocabSize: 512, width: 64, layers: 2, heads: 4, kvHeads: 4, hidden: 176, maxLength: 256 },
  '1m': { ...base, vocabSize: 1024, width: 128, layers: 3, heads: 4, kvHeads: 4, hidden: 352, maxLength: 320 },
  '4m': { ...base, vocabSize: 1024, width: 256, layers: 4, heads: 4, kvHeads: 4, hidden: 704, maxLength: 320 },
  '100m': { ...base, vocabSize: 4096, width: 768, layers: 12, heads: 12, kvHeads: 12, hidden: 2048, maxLength: 1024 },
  'anole-7b': {
    ...base,
    vocabSize: 65536,
    width: 4096,
    layers: 32,
    heads: 32,
    kvHeads: 32,
    hidden: 11008,
    maxLength: 4096,
  },
} satisfies Record<string, LlamaConfig>;

const headNorm = (heads: number, width: number): NormParams => ({
  weight: filled([heads, width], 1),
  bias: filled([heads, width], 0),
});

/** LLaMA's initial weights, and normalisations that begin as the identity's (weight 1, bias 0). */
export function chameleonInit(rng: Noise, c: LlamaConfig): LlamaParams {
  const params = llamaInit(rng, c);
  const width = c.width / c.heads;
  return {
    ...params,
    model: {
      ...params.model,
      layers: params.model.layers.map((layer) => ({
        ...layer,
        self_attn: { ...layer.self_attn, q_norm: headNorm(c.heads, width), k_norm: headNorm(c.kvHeads, width) },
      })),
    },
  };
}

const count = z.number().int().positive();
/** What of a transformers configuration is read; settings that would change the computation are refused. */
const referenceSchema = z.object({
  model_type: z.literal('chameleon'),
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.optional(),
  intermediate_size: count,
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().optional(),
  rope_parameters: z.object({ rope_theta: z.number().positive(), rope_type: z.literal('default') }).optional(),
  rope_scaling: z.null().optional(),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal('silu').default('silu'),
  attention_bias: z.literal(false).default(false),
  mlp_bias: z.literal(false).default(false),
  swin_norm: z.literal(false).default(false),
  model_parallel_size: z.literal(1).default(1),
});

/** As transformers' ChameleonConfig, without its vq_config. */
export const toChameleonJson = (c: LlamaConfig): Record<string, unknown> => ({
  architectures: ['ChameleonForConditionalGeneration'],
  model_type: 'chameleon',
  vocab_size: c.vocabSize,
  hidden_size: c.width,
  num_hidden_layers: c.layers,
  num_attention_heads: c.heads,
  num_key_value_heads: c.kvHeads,
  intermediate_size: c.hidden,
  max_position_embeddings: c.maxLength,
  rms_norm_eps: c.normEpsilon,
  rope_theta: c.ropeBase,
  tie_word_embeddings: c.tieEmbeddings,
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  swin_norm: false,
  model_parallel_size: 1,
  torch_dtype: 'float32',
});

/** From a config.json's content. Throws FormatError for another architecture, and for settings that are not supported. */
export function fromChameleonJson(where: string, value: unknown): LlamaConfig {
  const read = referenceSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new FormatError(
      where,
      `expected a Chameleon configuration: ${issue.path.join('.') || 'the file'}: ${issue.message}`,
      'supported is the 7B form: normalisation before the blocks, plain rotary positions, SiLU, layers without biases',
    );
  }
  const c = read.data;
  return {
    vocabSize: c.vocab_size,
    width: c.hidden_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    kvHeads: c.num_key_value_heads ?? c.num_attention_heads,
    hidden: c.intermediate_size,
    maxLength: c.max_position_embeddings,
    ropeBase: c.rope_parameters?.rope_theta ?? c.rope_theta ?? 10000,
    normEpsilon: c.rms_norm_eps,
    tieEmbeddings: c.tie_word_embeddings,
  };
}

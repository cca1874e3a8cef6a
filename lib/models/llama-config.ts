/** LLaMA configurations as transformers writes them (config.json), so that `backbone/` is a folder that it can load. */
import { FormatError } from '../errors';
import { z } from 'zod';
import type { LlamaConfig } from './llama';

const count = z.number().int().positive();

export const llamaSchema = z.strictObject({
  vocabSize: count,
  width: count,
  layers: count,
  heads: count,
  kvHeads: count,
  hidden: count,
  maxLength: count,
  ropeBase: z.number().positive(),
  normEpsilon: z.number().positive(),
  tieEmbeddings: z.boolean(),
  checkpointBlocks: z.boolean().optional(),
});

/** What of a transformers configuration is read; settings that would change the computation are refused. */
const referenceSchema = z.object({
  model_type: z.literal('llama'),
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
});

/** As transformers' LlamaConfig. */
export const toLlamaJson = (c: LlamaConfig): Record<string, unknown> => ({
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
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
  torch_dtype: 'float32',
});

/** From a config.json's content. Throws FormatError for another architecture, and for settings that are not supported. */
export function fromLlamaJson(where: string, value: unknown): LlamaConfig {
  const read = referenceSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new FormatError(
      where,
      `expected a LLaMA configuration: ${issue.path.join('.') || 'the file'}: ${issue.message}`,
      'supported are plain rotary positions, SiLU, and layers without biases',
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

/** The parts of a decoder's folder: class, files, configuration and names of weights of each, as the references have them. */
import type { z } from 'zod';
import type { Noise } from '../nn/init';
import type { DecoderParams } from './decoder';
import type { Implied } from './diffusers-config';
import { clipTextInit, clipTextSchema } from './text-encoder';
import { unetInit, unetSchema } from './unet';
import { unet3dInit, unet3dSchema } from './unet-3d';
import { autoencoderInit, autoencoderSchema } from './vae';
import { vocoderInit, vocoderSchema } from './vocoder';

/** A part with weights. */
export interface Part {
  library: 'diffusers' | 'transformers';
  className: string;
  weights: string;
  schema: z.ZodObject;
  init: (rng: Noise, config: never) => unknown;
  implied: Implied;
  /** Settings that change nothing in what is computed. */
  ignored: readonly string[];
  /** Names of weights in older files -> names here. */
  rename: (name: string) => string;
}

const same = (name: string): string => name;
const unetPart: Part = {
  library: 'diffusers',
  className: 'UNet2DConditionModel',
  weights: 'diffusion_pytorch_model.safetensors',
  schema: unetSchema,
  init: unetInit,
  implied: {
    act_fn: ['silu'],
    downsample_padding: [1],
    mid_block_type: ['UNetMidBlock2DCrossAttn'],
    mid_block_scale_factor: [1],
    resnet_time_scale_shift: ['default'],
    time_embedding_type: ['positional'],
    conv_in_kernel: [3],
    conv_out_kernel: [3],
  },
  ignored: [
    'dropout',
    'addition_embed_type_num_heads',
    'attention_type',
    'resnet_out_scale_factor',
    'upcast_attention',
  ],
  rename: same,
};

export const clipUnetPart: Part = {
  ...unetPart,
  className: 'UNet3DConditionModel',
  schema: unet3dSchema,
  init: unet3dInit,
  implied: { act_fn: ['silu'], downsample_padding: [1], mid_block_scale_factor: [1] },
  ignored: [],
};

/** Of sounds. */
export const vocoderPart: Part = {
  library: 'transformers',
  className: 'SpeechT5HifiGan',
  weights: 'model.safetensors',
  schema: vocoderSchema.omit({ source: true }),
  init: vocoderInit,
  implied: { model_type: ['speecht5_hifigan', 'hifigan'], architectures: [['SpeechT5HifiGan']] },
  ignored:
    'initializer_range dtype torch_dtype transformers_version return_dict chunk_size_feed_forward id2label label2id'.split(
      ' ',
    ),
  rename: same,
};

export const parts: Record<Exclude<keyof DecoderParams, 'vocoder'>, Part> = {
  text_encoder: {
    library: 'transformers',
    className: 'CLIPTextModel',
    weights: 'model.safetensors',
    schema: clipTextSchema,
    init: clipTextInit,
    implied: { model_type: ['clip_text_model'], architectures: [['CLIPTextModel']] },
    ignored:
      'attention_dropout bos_token_id eos_token_id pad_token_id dropout dtype torch_dtype initializer_factor initializer_range projection_dim transformers_version'.split(
        ' ',
      ),
    // Newer versions of transformers leave the prefix out.
    rename: (name) => (name.startsWith('text_model.') ? name : `text_model.${name}`),
  },
  unet: unetPart,
  vae: {
    library: 'diffusers',
    className: 'AutoencoderKL',
    weights: 'diffusion_pytorch_model.safetensors',
    schema: autoencoderSchema,
    init: autoencoderInit,
    implied: { act_fn: ['silu'] },
    ignored: ['force_upcast', 'down_block_types', 'up_block_types'],
    rename: (name) =>
      name.replace(/\.(query|key|value|proj_attn)\.(weight|bias)$/, (_, old: string, kind: string) => {
        const now = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' }[old];
        return `.${now}.${kind}`;
      }),
  },
};

/**
 * A decoder: what turns a caption's token states into a picture, a sound or a clip by latent diffusion. One type for all
 * three modalities: a text encoder, a denoiser, an autoencoder of the medium (or its spectrogram), a noise schedule.
 * Sampling is in generate/diffusion, files are in decoder-folder.ts.
 */
import { z } from 'zod';
import type { Tensor } from '../graph/tensor';
import type { Tokenizer } from '../io/tokenizer';
import { melSchema } from '../nn/mel';
import { noiseScheduleSchema } from '../nn/noise-schedule';
import type { Modality } from '../world/signals';
import { MODALITIES } from '../world/signals';
import { clipText, clipTextSchema } from './text-encoder';
import type { ClipTextParams } from './text-encoder';
import { unet, unetSchema } from './unet';
import type { UnetConfig, UnetParams } from './unet';
import { unet3d, unet3dSchema } from './unet-3d';
import type { Unet3dConfig, Unet3dParams } from './unet-3d';
import { autoencoderSchema } from './vae';
import type { AutoencoderParams } from './vae';
import { vocoderSchema } from './vocoder';
import type { VocoderParams } from './vocoder';

/** How media are sampled unless the caller says otherwise. */
export const samplingSchema = z.strictObject({
  sampler: z.enum(['ddim', 'dpm-solver++']),
  steps: z.number().int().positive(),
  guidanceScale: z.number().min(0),
});

/** What a decoder of sounds has besides. */
export const soundSchema = z.strictObject({
  /** Of the spectrograms that the autoencoder makes. */
  mel: melSchema,
  vocoder: vocoderSchema,
});
export type SoundConfig = z.infer<typeof soundSchema>;

export const decoderSchema = z.strictObject({
  modality: z.enum(MODALITIES),
  /** Tokens of a caption, padded: L. */
  length: z.number().int().positive(),
  /** Latents of one medium, without the batch: [channels, height, width], of clips [channels, frames, height, width]. */
  latentShape: z.array(z.number().int().positive()).min(3).max(4),
  textEncoder: clipTextSchema,
  unet: z.union([unetSchema, unet3dSchema]),
  vae: autoencoderSchema,
  /** Of sounds. */
  sound: soundSchema.optional(),
  scheduler: noiseScheduleSchema,
  sampling: samplingSchema,
});
export type DecoderConfig = z.infer<typeof decoderSchema>;

/** Named as the folders of a pipeline. */
export type DecoderParams = {
  text_encoder: ClipTextParams;
  unet: UnetParams | Unet3dParams;
  vae: AutoencoderParams;
  /** Of sounds. */
  vocoder?: VocoderParams;
};

export interface Decoder {
  modality: Modality;
  config: DecoderConfig;
  params: DecoderParams;
  tokenizer: Tokenizer;
}

/**
 * Token states of captions: ids int32 [B, L] -> [B, L, D]. They condition the denoiser, and are what output projectors are
 * aligned to.
 */
export const encodeCaptions = (
  decoder: { params: Pick<DecoderParams, 'text_encoder'>; config: Pick<DecoderConfig, 'textEncoder'> },
  ids: Tensor,
): Tensor => clipText(decoder.params.text_encoder, decoder.config.textEncoder, ids);

/** Whether a denoiser is one of clips: its blocks say so. */
export const isClipUnet = (config: UnetConfig | Unet3dConfig): config is Unet3dConfig =>
  config.downBlockTypes.some((type) => type.endsWith('3D'));

/** The denoiser's prediction for noisy latents [B, ...latentShape], time steps [B] and token states [B, L, D]. */
export function denoise(
  params: DecoderParams['unet'],
  config: DecoderConfig['unet'],
  x: { sample: Tensor; timesteps: Tensor; context: Tensor },
): Tensor {
  return isClipUnet(config) ? unet3d(params as Unet3dParams, config, x) : unet(params, config, x);
}

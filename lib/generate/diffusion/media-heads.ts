/** How latents become media, one row a modality. */
import { ArgumentError } from '../../errors';
import type { Tensor } from '../../graph/tensor';
import type { Medium } from '../../io/media';
import type { Decoder, DecoderConfig, DecoderParams } from '../../models/decoder';
import { decodeLatents } from '../../models/vae';
import { vocoder } from '../../models/vocoder';

/** What stands between latents and media. */
export type DecodingParams = Omit<DecoderParams, 'text_encoder' | 'unet'>;

/** `decode` is traced: a function of tensors, for a batch. */
export interface MediaHead {
  /** Latents [B, ...latentShape], as the denoiser has them -> what `toMedium` reads, [B, ...]. */
  decode(params: DecodingParams, config: DecoderConfig, latents: Tensor): Tensor;
  /** One medium from its values; `shape` is that of `decode` without the batch. */
  toMedium(config: DecoderConfig, values: Float32Array, shape: readonly number[]): Medium;
}

const image: MediaHead = {
  decode: (params, config, latents) =>
    decodeLatents(params.vae, config.vae, latents.div(config.vae.scalingFactor)).mul(0.5).add(0.5).clip(0, 1),
  toMedium: (_, data, [, height, width]) => ({ modality: 'image', picture: { width, height, data } }),
};

/** Frame by frame, by the autoencoder of pictures. */
const video: MediaHead = {
  decode: (params, config, latents) => {
    const [batch, channels, frames, height, width] = latents.shape;
    const pictures = latents.transpose([0, 2, 1, 3, 4]).reshape([batch * frames, channels, height, width]);
    const out = image.decode(params, config, pictures);
    return out.reshape([batch, frames, ...out.shape.slice(1)]);
  },
  // The clips of the world last one second.
  toMedium: (_, data, [frames, , height, width]) => ({
    modality: 'video',
    clip: { width, height, frames, fps: frames, data },
  }),
};

/** The autoencoder gives a log-mel spectrogram, the vocoder its waveform. */
const audio: MediaHead = {
  decode: (params, config, latents) => {
    const { sound, vae } = config;
    if (!sound || !params.vocoder)
      throw new ArgumentError('generateMedia', 'expected a sound decoder with a vocoder, got none', 'load it whole');
    const mel = decodeLatents(params.vae, vae, latents.div(vae.scalingFactor)).squeeze(1);
    return vocoder(params.vocoder, sound.vocoder, mel);
  },
  toMedium: (config, samples) => ({
    modality: 'audio',
    sound: { sampleRate: config.sound!.mel.sampleRate, samples },
  }),
};

const heads: Partial<Record<Decoder['modality'], MediaHead>> = { image, audio, video };

/** The row of a decoder's modality. Throws ArgumentError where there is none. */
export function mediaHead(where: string, modality: Decoder['modality']): MediaHead {
  const head = heads[modality];
  if (!head)
    throw new ArgumentError(
      where,
      `expected a decoder of ${Object.keys(heads).join(', ')}, got ${modality}`,
      'load a decoder of another modality',
    );
  return head;
}

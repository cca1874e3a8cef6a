/**
 * The published sizes of AudioLDM 2 (Liu et al. 2023; the checkpoint `cvssp/audioldm2`): autoencoder, denoiser, vocoder,
 * spectrogram and noise schedule, for sounds of 10.24 s. The configurations are those of the checkpoint's files.
 *
 * Differences between AudioLDM 2 and the sound decoder here:
 * 1. AudioLDM 2 conditions on two sequences: eight states that a GPT-2 generates after CLAP's and FLAN-T5's states of the text
 *    (768 wide), and FLAN-T5's states themselves (1024 wide). After each residual block it has three transformers: one of
 *    self-attention alone and one for each sequence. Here one text encoder's states are looked at by one transformer, as in
 *    Stable Diffusion; `crossAttentionDim` is that of the generated sequence.
 * 2. Its training pairs text with sounds that CLAP embeds; here the text encoder is trained with the denoiser.
 * 3. Its schedule is kept: 1000 steps, beta from 0.0015 to 0.0195, prediction of the noise.
 */
import { melConfigs } from '../nn/mel';
import { noiseSchedule } from '../nn/noise-schedule';
import type { NoiseScheduleConfig } from '../nn/noise-schedule';
import type { SoundConfig } from './decoder';
import { unetConfig } from './unet';
import type { UnetConfig } from './unet';
import { autoencoderSchema } from './vae';
import type { AutoencoderConfig } from './vae';
import { vocoderSizes } from './vocoder';

export const audioldm2: {
  vae: AutoencoderConfig;
  unet: UnetConfig;
  sound: SoundConfig;
  scheduler: NoiseScheduleConfig;
  latentShape: readonly [number, number, number];
} = {
  vae: autoencoderSchema.parse({
    inChannels: 1,
    outChannels: 1,
    latentChannels: 8,
    blockOutChannels: [128, 256, 512],
    layersPerBlock: 2,
    normNumGroups: 32,
    sampleSize: 1024,
  }),
  unet: unetConfig({
    inChannels: 8,
    outChannels: 8,
    downBlockTypes: ['DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
    upBlockTypes: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'],
    blockOutChannels: [128, 256, 384, 640],
    layersPerBlock: 2,
    crossAttentionDim: 768,
    attentionHeadDim: 8,
    sampleSize: 256,
  }),
  sound: { mel: melConfigs.audioldm2, vocoder: vocoderSizes.audioldm2 },
  scheduler: noiseSchedule({ betaStart: 0.0015, betaEnd: 0.0195, setAlphaToOne: false, stepsOffset: 1 }),
  latentShape: [8, 256, 16],
};

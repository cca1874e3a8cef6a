/** Sizes of the sound decoder's parts for each profile. The published ones are in models/audioldm2.ts. */
import { z } from 'zod';
import { ArgumentError } from '../../errors';
import { samplingSchema, soundSchema } from '../../models/decoder';
import { clipTextSchema, clipTextSizes } from '../../models/text-encoder';
import { unetConfig, unetSchema } from '../../models/unet';
import { autoencoderSchema } from '../../models/vae';
import { vocoderSizes } from '../../models/vocoder';
import { melConfigs } from '../../nn/mel';
import { noiseSchedule, noiseScheduleSchema } from '../../nn/noise-schedule';
import type { Profile } from '../../pipeline/profile';
import { optimizerSchema } from '../../trainers/optimizer';

const count = z.number().int().positive();

export const audioSchema = z.strictObject({
  /** Scenes for training, and held-out ones that are measured. */
  scenes: count,
  heldOut: count,
  /** Samples: seconds of a sound. */
  seconds: z.number().positive(),
  sound: soundSchema,
  vae: autoencoderSchema,
  /** Samples whose principal components the autoencoder begins with; 0: it begins at random. */
  principalSamples: z.number().int().min(0),
  /** How far the components' deviations are made equal: 0 not, 1 wholly. */
  equalize: z.number().min(0).max(1),
  klWeight: z.number().min(0),
  textEncoder: clipTextSchema,
  /** Size of the text encoder's states when training begins. */
  textGain: z.number().positive(),
  unet: unetSchema,
  scheduler: noiseScheduleSchema,
  sampling: samplingSchema,
  /** Tokens of a caption. */
  length: count,
  captionDropout: z.number().min(0).max(1),
  /** How far training's time steps are moved towards noise; 1: even. */
  timestepShift: z.number().positive(),
  /** Of the captions of a scene, how many are paraphrases instead of the canonical caption: one in so many. */
  paraphraseOneIn: count,
  emaDecay: z.number().min(0).lt(1),
  /** Sounds that the vocoder learns from, and frames of its segments. */
  vocoderSounds: count,
  segmentFrames: count,
  vocoder: optimizerSchema,
  autoencoder: optimizerSchema,
  diffusion: optimizerSchema,
});
export type AudioSizes = z.infer<typeof audioSchema>;

const optimizer = (c: z.input<typeof optimizerSchema>): z.infer<typeof optimizerSchema> => optimizerSchema.parse(c);

/**
 * 48 frames of 64 mels, so that a square of 16 is a cell of the world's grid: its three columns are 16 frames each, its three
 * registers 16 mels each (407 mel on HTK's scale, from half a step of pitch below the lowest note), and the last 16 mels are
 * partials alone. A sound is 48 hops of 168 samples, 8 ms more than a second.
 */
const mel = { ...melConfigs.omniworldFine, hop: 168, padding: 116, fMin: 231, fMax: 3250 };
const vocoder = {
  ...vocoderSizes.nano,
  upsampleRates: [7, 6, 4],
  upsampleKernelSizes: [13, 12, 8],
  source: { ...vocoderSizes.nano.source!, mel },
};

const laptop: AudioSizes = {
  scenes: 6000,
  heldOut: 64,
  seconds: (48 * 168) / 8000,
  sound: { mel, vocoder },
  vae: autoencoderSchema.parse({
    inChannels: 1,
    outChannels: 1,
    patchSize: 16,
    latentChannels: 32,
    blockOutChannels: [96],
    layersPerBlock: 1,
    normNumGroups: 8,
    midBlockAddAttention: false,
    useQuantConv: false,
    usePostQuantConv: false,
    sampleSize: 48,
  }),
  principalSamples: 400,
  equalize: 0.5,
  klWeight: 1e-5,
  textEncoder: { ...clipTextSizes.nano, numAttentionHeads: 4 },
  textGain: 2,
  // As for pictures: one resolution, all of whose blocks look at the caption.
  unet: unetConfig({
    inChannels: 32,
    outChannels: 32,
    blockOutChannels: [64],
    downBlockTypes: ['CrossAttnDownBlock2D'],
    upBlockTypes: ['CrossAttnUpBlock2D'],
    layersPerBlock: 1,
    crossAttentionDim: clipTextSizes.nano.hiddenSize,
    attentionHeadDim: 8,
    normNumGroups: 8,
    sampleSize: 3,
  }),
  scheduler: noiseSchedule({ predictionType: 'sample', timestepSpacing: 'trailing', rescaleBetasZeroSnr: true }),
  sampling: { sampler: 'dpm-solver++', steps: 10, guidanceScale: 1 },
  length: clipTextSizes.nano.maxPositionEmbeddings,
  captionDropout: 0.1,
  timestepShift: 2.5,
  paraphraseOneIn: 16,
  emaDecay: 0.99,
  vocoderSounds: 64,
  segmentFrames: 16,
  vocoder: optimizer({ learningRate: 5e-4, batchSize: 8, steps: 30, betas: [0.9, 0.99], checkpointEvery: 30 }),
  autoencoder: optimizer({ learningRate: 1e-3, batchSize: 16, steps: 150, warmupRatio: 0.1, checkpointEvery: 150 }),
  diffusion: optimizer({ learningRate: 2.5e-3, batchSize: 64, steps: 830, betas: [0.9, 0.99], checkpointEvery: 300 }),
};

const smoke: AudioSizes = {
  ...laptop,
  scenes: 256,
  heldOut: 16,
  vocoderSounds: 16,
  segmentFrames: 8,
  vocoder: { ...laptop.vocoder, batchSize: 4, steps: 10 },
  principalSamples: 200,
  autoencoder: { ...laptop.autoencoder, batchSize: 8, steps: 15 },
  diffusion: { ...laptop.diffusion, batchSize: 32, steps: 60 },
  sampling: { ...laptop.sampling, steps: 6 },
};

const gpu: AudioSizes = {
  ...laptop,
  scenes: 100_000,
  heldOut: 256,
  seconds: 1,
  sound: {
    mel: melConfigs.omniworldFine,
    vocoder: {
      ...vocoderSizes.nano,
      upsampleInitialChannel: 256,
      resblockKernelSizes: [3, 7, 11],
      resblockDilationSizes: [
        [1, 3, 5],
        [1, 3, 5],
        [1, 3, 5],
      ],
    },
  },
  vae: autoencoderSchema.parse({
    inChannels: 1,
    outChannels: 1,
    latentChannels: 8,
    blockOutChannels: [64, 128, 256],
    layersPerBlock: 2,
    normNumGroups: 32,
    sampleSize: 64,
  }),
  principalSamples: 0,
  klWeight: 1e-4,
  textEncoder: { ...clipTextSizes.medium, maxPositionEmbeddings: 77 },
  unet: unetConfig({
    inChannels: 8,
    outChannels: 8,
    blockOutChannels: [128, 256, 256],
    crossAttentionDim: clipTextSizes.medium.hiddenSize,
    attentionHeadDim: 4,
    sampleSize: 16,
  }),
  scheduler: noiseSchedule({ predictionType: 'v_prediction', timestepSpacing: 'trailing', rescaleBetasZeroSnr: true }),
  sampling: { sampler: 'dpm-solver++', steps: 25, guidanceScale: 3 },
  length: 77,
  emaDecay: 0.9995,
  vocoderSounds: 20_000,
  segmentFrames: 32,
  vocoder: optimizer({ learningRate: 5e-4, batchSize: 32, steps: 20_000, betas: [0.8, 0.99], checkpointEvery: 2000 }),
  autoencoder: optimizer({ learningRate: 5e-4, batchSize: 32, steps: 20_000, checkpointEvery: 2000 }),
  diffusion: optimizer({ learningRate: 2e-4, batchSize: 128, steps: 40_000, checkpointEvery: 2000 }),
};

const sizes: Record<Exclude<Profile, 'paper'>, AudioSizes> = { smoke, laptop, gpu };

/** The sizes of a profile. Throws ArgumentError for `paper`. */
export function audioSizes(profile: Profile): AudioSizes {
  if (profile === 'paper')
    throw new ArgumentError(
      'profile paper',
      "expected smoke, laptop or gpu: the paper's sound decoder is AudioLDM 2, whose weights cannot be loaded yet",
      'use --profile gpu, the largest that is trained from scratch',
    );
  return sizes[profile];
}

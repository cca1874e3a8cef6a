/** Sizes of the picture decoder's parts for each profile. Stable Diffusion 1.5's are in the models' size tables. */
import { z } from 'zod';
import { ArgumentError } from '../../errors';
import { samplingSchema } from '../../models/decoder';
import { clipTextSchema, clipTextSizes } from '../../models/text-encoder';
import { unetConfig, unetSchema } from '../../models/unet';
import { autoencoderSchema } from '../../models/vae';
import { noiseSchedule, noiseScheduleSchema } from '../../nn/noise-schedule';
import type { Profile } from '../../pipeline/profile';
import { optimizerSchema } from '../../trainers/optimizer';

const count = z.number().int().positive();

export const imageSchema = z.strictObject({
  /** Scenes for training, and held-out ones that are measured. */
  scenes: count,
  heldOut: count,
  /** Height and width in pixels. */
  side: count,
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
  autoencoder: optimizerSchema,
  diffusion: optimizerSchema,
});
export type ImageSizes = z.infer<typeof imageSchema>;

const optimizer = (c: z.input<typeof optimizerSchema>): z.infer<typeof optimizerSchema> =>
  optimizerSchema.parse({ betas: [0.9, 0.99], warmupRatio: 0.05, ...c });

const laptop: ImageSizes = {
  scenes: 6000,
  heldOut: 64,
  // Three squares of 16 pixels a side: one for each cell of the world's grid.
  side: 48,
  vae: autoencoderSchema.parse({
    inChannels: 3,
    outChannels: 3,
    patchSize: 16,
    latentChannels: 24,
    blockOutChannels: [64],
    layersPerBlock: 1,
    normNumGroups: 4,
    midBlockAddAttention: false,
    useQuantConv: false,
    usePostQuantConv: false,
    sampleSize: 48,
  }),
  principalSamples: 500,
  equalize: 0.5,
  klWeight: 1e-5,
  textEncoder: { ...clipTextSizes.nano, numAttentionHeads: 4 },
  textGain: 2,
  // One resolution, all of whose blocks look at the caption: with a second one below, places were not learned in this time.
  unet: unetConfig({
    inChannels: 24,
    outChannels: 24,
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
  // The components are nearly all that can be had: at 5e-4 these steps doubled the error.
  autoencoder: optimizer({ learningRate: 2e-5, batchSize: 32, steps: 20, warmupRatio: 0.1, checkpointEvery: 20 }),
  diffusion: optimizer({ learningRate: 2.5e-3, batchSize: 64, steps: 610, checkpointEvery: 200 }),
};

const smoke: ImageSizes = {
  ...laptop,
  scenes: 600,
  heldOut: 16,
  sampling: { ...laptop.sampling, steps: 6 },
  principalSamples: 100,
  autoencoder: { ...laptop.autoencoder, batchSize: 16, steps: 5 },
  diffusion: { ...laptop.diffusion, batchSize: 32, steps: 60 },
};

const gpu: ImageSizes = {
  ...laptop,
  scenes: 200_000,
  heldOut: 500,
  side: 32,
  vae: autoencoderSchema.parse({
    inChannels: 3,
    outChannels: 3,
    latentChannels: 8,
    blockOutChannels: [64, 128, 256],
    layersPerBlock: 2,
    normNumGroups: 32,
    sampleSize: 32,
  }),
  principalSamples: 0,
  textEncoder: { ...clipTextSizes.medium, maxPositionEmbeddings: 77 },
  unet: unetConfig({
    inChannels: 8,
    outChannels: 8,
    blockOutChannels: [128, 256],
    crossAttentionDim: clipTextSizes.medium.hiddenSize,
    attentionHeadDim: 4,
    sampleSize: 8,
    downBlockTypes: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
    upBlockTypes: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  }),
  scheduler: noiseSchedule({ predictionType: 'v_prediction', timestepSpacing: 'trailing', rescaleBetasZeroSnr: true }),
  sampling: { sampler: 'dpm-solver++', steps: 25, guidanceScale: 3 },
  length: 77,
  emaDecay: 0.9995,
  autoencoder: optimizer({ learningRate: 5e-4, batchSize: 64, steps: 20_000, checkpointEvery: 2000 }),
  diffusion: optimizer({ learningRate: 3e-4, batchSize: 256, steps: 40_000, checkpointEvery: 2000 }),
};

const sizes: Record<Exclude<Profile, 'paper'>, ImageSizes> = { smoke, laptop, gpu };

/** The sizes of a profile. Throws ArgumentError for `paper`. */
export function imageSizes(profile: Profile): ImageSizes {
  if (profile === 'paper')
    throw new ArgumentError(
      'profile paper',
      "expected smoke, laptop or gpu: the paper's picture decoder is Stable Diffusion 1.5, whose weights cannot be loaded yet",
      'use --profile gpu, the largest that is trained from scratch',
    );
  return sizes[profile];
}

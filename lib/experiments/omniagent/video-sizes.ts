/**
 * Sizes of the clip decoder's training for each profile. Its parts have the sizes of the picture decoder that it is made from;
 * ModelScope's are in models/unet-3d.ts.
 */
import { z } from 'zod';
import { ArgumentError } from '../../errors';
import { samplingSchema } from '../../models/decoder';
import type { Profile } from '../../pipeline/profile';
import { optimizerSchema } from '../../trainers/optimizer';

const count = z.number().int().positive();

export const videoSchema = z.strictObject({
  /** Scenes for training: all as pictures, the first of them as clips too. */
  scenes: count,
  clips: count,
  /** Scenes that are measured afterwards. */
  heldOut: count,
  frames: count,
  /** Height and width in pixels. */
  side: count,
  /** Whether frames know their numbers. */
  framePositions: z.boolean(),
  sampling: samplingSchema,
  captionDropout: z.number().min(0).max(1),
  /** How far training's time steps are moved towards noise; 1: even. */
  timestepShift: z.number().positive(),
  /** Of the captions of a scene, how many are paraphrases instead of the canonical caption: one in so many. */
  paraphraseOneIn: count,
  /** The two parts of training: pictures, then clips. */
  pictures: optimizerSchema,
  diffusion: optimizerSchema,
});
export type VideoSizes = z.infer<typeof videoSchema>;

const optimizer = (c: z.input<typeof optimizerSchema>): z.infer<typeof optimizerSchema> =>
  optimizerSchema.parse({ betas: [0.9, 0.99], warmupRatio: 0.05, ...c });

const laptop: VideoSizes = {
  scenes: 3000,
  clips: 1200,
  heldOut: 48,
  frames: 8,
  side: 48,
  framePositions: true,
  sampling: { sampler: 'ddim', steps: 10, guidanceScale: 1 },
  captionDropout: 0.1,
  timestepShift: 2.5,
  paraphraseOneIn: 16,
  pictures: optimizer({ learningRate: 1.5e-3, batchSize: 64, steps: 80, checkpointEvery: 80 }),
  diffusion: optimizer({ learningRate: 2e-3, batchSize: 16, steps: 225, checkpointEvery: 80 }),
};

const smoke: VideoSizes = {
  ...laptop,
  scenes: 200,
  clips: 64,
  heldOut: 8,
  sampling: { ...laptop.sampling, steps: 4 },
  pictures: { ...laptop.pictures, batchSize: 32, steps: 10 },
  diffusion: { ...laptop.diffusion, batchSize: 4, steps: 10 },
};

const gpu: VideoSizes = {
  ...laptop,
  scenes: 100_000,
  clips: 50_000,
  heldOut: 256,
  side: 32,
  sampling: { sampler: 'ddim', steps: 25, guidanceScale: 3 },
  pictures: optimizer({ learningRate: 1e-4, batchSize: 256, steps: 10_000, checkpointEvery: 2000 }),
  diffusion: optimizer({ learningRate: 2e-4, batchSize: 32, steps: 50_000, checkpointEvery: 2000 }),
};

/** The sizes of a profile. Throws ArgumentError for `paper`. */
export function videoSizes(profile: Profile): VideoSizes {
  if (profile === 'paper')
    throw new ArgumentError(
      'profile paper',
      "expected smoke, laptop or gpu: the paper's clip decoder is ModelScope, whose weights cannot be loaded yet",
      'use --profile gpu, the largest that is trained from scratch',
    );
  return { smoke, laptop, gpu }[profile];
}

/**
 * Sizes of the reward-based methods: one set a profile, the same for all three, so that none has a larger budget. The
 * optimiser's batchSize counts prompts, its steps batches of responses. Steps and prompts make three epochs, as the card has them.
 */
import type { z } from 'zod';
import { ArgumentError } from '../../errors';
import type { Profile } from '../../pipeline/profile';
import { samplingSchema } from '../../trainers/grpo-config';
import type { SamplingSizes } from '../../trainers/grpo-config';
import { optimizerSchema } from '../../trainers/optimizer';

export interface RlSizes {
  optimizer: z.infer<typeof optimizerSchema>;
  sampling: SamplingSizes;
  /** Prompts to train on, and held-out ones. */
  prompts: number;
  heldOut: number;
}

const sizesOf = (
  optimizer: z.input<typeof optimizerSchema>,
  sampling: z.input<typeof samplingSchema>,
  prompts: number,
  heldOut: number,
): RlSizes => ({
  optimizer: optimizerSchema.parse({ schedule: 'constant', ...optimizer }),
  sampling: samplingSchema.parse(sampling),
  prompts,
  heldOut,
});

const sizes: Record<Exclude<Profile, 'paper'>, RlSizes> = {
  smoke: sizesOf(
    { learningRate: 5e-4, batchSize: 3, steps: 6, checkpointEvery: 3 },
    { generations: 4, maxNewTokens: 48, maxLength: 160 },
    6,
    12,
  ),
  laptop: sizesOf(
    { learningRate: 2e-4, batchSize: 4, steps: 24, warmupRatio: 0.1, checkpointEvery: 6 },
    // 192 predictions: one shape for nearly every batch.
    { generations: 6, maxNewTokens: 96, maxLength: 193 },
    32,
    48,
  ),
  gpu: sizesOf(
    { learningRate: 1e-5, batchSize: 32, steps: 600, warmupRatio: 0.05, checkpointEvery: 25 },
    { generations: 16, maxNewTokens: 160, maxLength: 448 },
    6400,
    300,
  ),
};

/** The sizes of a profile. Throws ArgumentError. */
export function rlSizes(profile: Profile): RlSizes {
  if (profile === 'paper')
    throw new ArgumentError(
      'profile paper',
      "expected smoke, laptop or gpu: the paper's backbone is Vicuna-7B, whose weights cannot be loaded yet",
      'use --profile gpu, the largest that is trained from scratch',
    );
  return sizes[profile];
}

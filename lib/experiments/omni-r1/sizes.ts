/** What the profiles change in Omni-R1's experiments: amounts of data, sizes of models, steps. */
import { z } from 'zod';
import { ArgumentError } from '../../errors';
import { chameleonSizes } from '../../models/chameleon';
import { llamaSchema } from '../../models/llama-config';
import type { vqganSchema } from '../../models/vqgan';
import { vqganSizes } from '../../models/vqgan';
import type { Profile } from '../../pipeline/profile';
import { optimizerSchema } from '../../trainers/optimizer';

const count = z.number().int().positive();
export const r1WorldSchema = z.strictObject({
  /** Samples whose pictures the image tokenizer learns from, and how many of these pictures it begins with. */
  pictures: count,
  startPictures: count,
  heldOutPictures: count,
  /** Trajectories for supervised training, descriptions for the base model, text-only chains for Zero. */
  trajectories: count,
  descriptions: count,
  chains: count,
  /** Of the vocabulary, without its image tokens. */
  words: count,
  /** The part of the benchmark's 800 samples that is answered. */
  benchShare: z.number().positive().max(1),
});

export const r1ModelSchema = llamaSchema.omit({ vocabSize: true });
const optimizer = (c: z.input<typeof optimizerSchema>): z.infer<typeof optimizerSchema> => optimizerSchema.parse(c);

export const perpoSizesSchema = z.strictObject({
  optimizer: optimizerSchema,
  /** Responses a prompt. */
  group: count,
  /** Rounds of drawing until enough groups differ in their rewards. */
  rounds: count,
  maxNewTokens: count,
});

interface Sizes {
  world: z.infer<typeof r1WorldSchema>;
  vqgan: z.infer<typeof vqganSchema>;
  tokenizer: z.infer<typeof optimizerSchema>;
  model: z.infer<typeof r1ModelSchema>;
  /** Tokens from an image to the next, for heads that look back by so many (models/chameleon-copying.ts). */
  imageDistance: number;
  /** Weight of text tokens in supervised training, of the base and of Zero, and in PeSFT, where pictures are what is drawn worst. */
  textWeight: number;
  sftTextWeight: number;
  base: z.infer<typeof optimizerSchema>;
  sft: z.infer<typeof optimizerSchema>;
  zero: z.infer<typeof optimizerSchema>;
  perpo: z.infer<typeof perpoSizesSchema>;
  /** Steps of PeRPO that are kept: Omni-R1-M and -L (30 and 60 in the paper), Zero-T, -S and -M (10, 20, 30). */
  perpoSteps: { m: number; l: number };
  zeroSteps: { t: number; s: number; m: number };
}

const sized = ({ vocabSize: _, ...rest }: z.infer<typeof llamaSchema>): z.infer<typeof r1ModelSchema> => rest;
/** Of the laptop world's trajectories in the laptop's vocabulary (world/omni-r1/trace.ts); a test holds it. */
export const IMAGE_DISTANCE = 85;
const adam = { betas: [0.9, 0.95] as [number, number], weightDecay: 0.1 };
/** Learns in half the steps what AdamW does (LOG.md). */
const muon = { ...adam, method: 'muon' as const };

const smoke: Sizes = {
  world: {
    pictures: 240,
    startPictures: 256,
    heldOutPictures: 64,
    trajectories: 640,
    descriptions: 320,
    chains: 96,
    words: 640,
    benchShare: 0.05,
  },
  vqgan: { ...vqganSizes.laptop, baseChannels: 64, latentChannels: 32, embedDim: 32, numEmbeddings: 256 },
  tokenizer: optimizer({ learningRate: 3e-4, batchSize: 8, steps: 10, checkpointEvery: 10 }),
  model: { ...sized(chameleonSizes['1m']), width: 96, layers: 2, heads: 2, kvHeads: 2, hidden: 256 },
  imageDistance: IMAGE_DISTANCE,
  textWeight: 4,
  sftTextWeight: 4,
  base: optimizer({ learningRate: 3e-3, batchSize: 8, steps: 20, checkpointEvery: 20, ...adam }),
  sft: optimizer({ learningRate: 3e-3, batchSize: 8, steps: 40, checkpointEvery: 20, ...adam }),
  zero: optimizer({ learningRate: 1e-3, batchSize: 8, steps: 10, checkpointEvery: 10, ...adam }),
  perpo: {
    optimizer: optimizer({ learningRate: 1e-4, batchSize: 2, steps: 4, schedule: 'constant', checkpointEvery: 2 }),
    group: 4,
    rounds: 2,
    maxNewTokens: 110,
  },
  perpoSteps: { m: 2, l: 4 },
  zeroSteps: { t: 1, s: 2, m: 3 },
};

const laptop: Sizes = {
  world: {
    pictures: 800,
    startPictures: 640,
    heldOutPictures: 256,
    trajectories: 11200,
    descriptions: 15200,
    chains: 480,
    words: 640,
    benchShare: 0.25,
  },
  vqgan: vqganSizes.laptop,
  tokenizer: optimizer({ learningRate: 3e-4, batchSize: 16, steps: 120, checkpointEvery: 20 }),
  model: { ...sized(chameleonSizes['4m']), width: 128, layers: 4, heads: 4, kvHeads: 4, hidden: 352 },
  imageDistance: IMAGE_DISTANCE,
  textWeight: 4,
  sftTextWeight: 2,
  base: optimizer({ ...muon, learningRate: 1.5e-3, batchSize: 8, steps: 1900, checkpointEvery: 100 }),
  sft: optimizer({ ...muon, learningRate: 1.5e-3, batchSize: 8, steps: 1400, checkpointEvery: 100 }),
  zero: optimizer({ ...muon, learningRate: 2e-3, batchSize: 8, steps: 300, checkpointEvery: 50 }),
  perpo: {
    optimizer: optimizer({
      learningRate: 5e-5,
      batchSize: 4,
      steps: 60,
      schedule: 'constant',
      warmupRatio: 0.08,
      weightDecay: 0.1,
      checkpointEvery: 10,
    }),
    group: 8,
    rounds: 3,
    maxNewTokens: 190,
  },
  perpoSteps: { m: 30, l: 60 },
  zeroSteps: { t: 10, s: 20, m: 30 },
};

const gpu: Sizes = {
  world: {
    pictures: 20000,
    startPictures: 4096,
    heldOutPictures: 1024,
    trajectories: 182000,
    descriptions: 200000,
    chains: 791,
    words: 1024,
    benchShare: 1,
  },
  vqgan: { ...vqganSizes.laptop, baseChannels: 256, latentChannels: 96, embedDim: 96, numEmbeddings: 1024 },
  tokenizer: optimizer({ learningRate: 3e-4, batchSize: 64, steps: 5000, checkpointEvery: 500 }),
  model: sized(chameleonSizes['100m']),
  imageDistance: IMAGE_DISTANCE,
  textWeight: 1,
  sftTextWeight: 1,
  base: optimizer({ learningRate: 6e-4, batchSize: 64, steps: 10000, checkpointEvery: 500, ...adam }),
  sft: optimizer({ learningRate: 3e-4, batchSize: 64, steps: 8000, checkpointEvery: 500, ...adam }),
  zero: optimizer({ learningRate: 1e-4, batchSize: 16, steps: 200, checkpointEvery: 50, ...adam }),
  perpo: {
    optimizer: optimizer({
      learningRate: 1e-6,
      batchSize: 64,
      steps: 60,
      schedule: 'constant',
      warmupRatio: 0.08,
      weightDecay: 0.1,
      checkpointEvery: 5,
    }),
    group: 16,
    rounds: 3,
    maxNewTokens: 400,
  },
  perpoSteps: { m: 30, l: 60 },
  zeroSteps: { t: 10, s: 20, m: 30 },
};

/** The sizes of a profile. */
export function r1Sizes(profile: Profile): Sizes {
  if (profile === 'paper')
    throw new ArgumentError(
      'profile paper',
      "expected smoke, laptop or gpu: the paper's model is Anole-7B, whose weights are not here",
      'use --profile gpu, the largest that is trained from scratch',
    );
  return { smoke, laptop, gpu }[profile];
}

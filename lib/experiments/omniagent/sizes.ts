/** What the profiles change: sizes of the world, the model and the training. Everything else is the same code. */
import { z } from 'zod';
import { ArgumentError } from '../../errors';
import { llamaSizes } from '../../models/llama';
import type { Profile } from '../../pipeline/profile';
import { optimizerSchema } from '../../trainers/optimizer';

export const worldSchema = z.strictObject({
  /** Places in the encyclopaedia. */
  places: z.number().int().min(3),
  documents: z.number().int().positive(),
  instructions: z.number().int().positive(),
  preferences: z.number().int().positive(),
  /** Preference pairs of the validation split. */
  heldOutPairs: z.number().int().positive(),
  vocabulary: z.number().int().positive(),
});
export type WorldSizes = z.infer<typeof worldSchema>;

export const modelSchema = z.strictObject({
  vocabSize: z.number().int().positive(),
  width: z.number().int().positive(),
  layers: z.number().int().positive(),
  heads: z.number().int().positive(),
  kvHeads: z.number().int().positive(),
  hidden: z.number().int().positive(),
  maxLength: z.number().int().positive(),
  ropeBase: z.number().positive(),
  normEpsilon: z.number().positive(),
  tieEmbeddings: z.boolean(),
  checkpointBlocks: z.boolean().optional(),
});

export const loraSchema = z.strictObject({
  rank: z.number().int().positive(),
  alpha: z.number().positive(),
  targets: z.array(z.string()).min(1),
  /** Modules that are trained whole. */
  modulesToSave: z.array(z.string()).default([]),
});

const optimizer = (c: z.input<typeof optimizerSchema>): z.infer<typeof optimizerSchema> => optimizerSchema.parse(c);

/** All linear layers of the blocks, as the card's adapter (r = 64 at full scale). */
const targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/** The signal tokens are new to the backbone, so supervised tuning learns embeddings and head whole. */
const modulesToSave = ['embed_tokens', 'lm_head'];

interface Sizes {
  world: WorldSizes;
  model: z.infer<typeof modelSchema>;
  time: number;
  pretrain: z.infer<typeof optimizerSchema>;
  sft: z.infer<typeof optimizerSchema>;
  sftLora: z.infer<typeof loraSchema>;
  preference: z.infer<typeof optimizerSchema>;
  preferenceLora: z.infer<typeof loraSchema>;
}

const smoke: Sizes = {
  world: { places: 30, documents: 5000, instructions: 2400, preferences: 960, heldOutPairs: 96, vocabulary: 1024 },
  model: { ...llamaSizes['1m'], layers: 2, vocabSize: 1024, maxLength: 448 },
  time: 128,
  pretrain: optimizer({
    learningRate: 3e-3,
    batchSize: 8,
    steps: 300,
    weightDecay: 0.1,
    betas: [0.9, 0.95],
    checkpointEvery: 50,
  }),
  sft: optimizer({ learningRate: 4e-3, batchSize: 8, steps: 200, checkpointEvery: 50 }),
  sftLora: { rank: 16, alpha: 32, targets, modulesToSave },
  preference: optimizer({ learningRate: 5e-4, batchSize: 8, steps: 60, warmupRatio: 0.1, checkpointEvery: 20 }),
  preferenceLora: { rank: 16, alpha: 32, targets, modulesToSave: [] },
};

const laptop: Sizes = {
  world: { places: 60, documents: 40000, instructions: 18000, preferences: 12000, heldOutPairs: 480, vocabulary: 1536 },
  model: { ...llamaSizes['4m'], vocabSize: 1536, maxLength: 448 },
  time: 128,
  pretrain: optimizer({
    learningRate: 2e-3,
    batchSize: 8,
    steps: 2000,
    weightDecay: 0.1,
    betas: [0.9, 0.95],
    checkpointEvery: 200,
  }),
  sft: optimizer({ learningRate: 2e-3, batchSize: 8, steps: 800, checkpointEvery: 100 }),
  sftLora: { rank: 32, alpha: 64, targets, modulesToSave },
  preference: optimizer({ learningRate: 2e-4, batchSize: 8, steps: 200, warmupRatio: 0.1, checkpointEvery: 50 }),
  preferenceLora: { rank: 32, alpha: 64, targets, modulesToSave: [] },
};

const gpu: Sizes = {
  world: {
    places: 180,
    documents: 400000,
    instructions: 120000,
    preferences: 64400,
    heldOutPairs: 1920,
    vocabulary: 4096,
  },
  model: { ...llamaSizes['100m'], vocabSize: 4096 },
  time: 256,
  pretrain: optimizer({
    learningRate: 6e-4,
    batchSize: 64,
    steps: 20000,
    weightDecay: 0.1,
    betas: [0.9, 0.95],
    checkpointEvery: 500,
  }),
  sft: optimizer({ learningRate: 2e-4, batchSize: 32, steps: 8000, checkpointEvery: 500 }),
  sftLora: { rank: 64, alpha: 128, targets, modulesToSave },
  preference: optimizer({ learningRate: 5e-6, batchSize: 32, steps: 6000, warmupRatio: 0.1, checkpointEvery: 500 }),
  preferenceLora: { rank: 64, alpha: 128, targets, modulesToSave: [] },
};

export const sizes: Record<Exclude<Profile, 'paper'>, Sizes> = { smoke, laptop, gpu };

/** The sizes of a profile. */
export function profileSizes(profile: Profile): Sizes {
  if (profile === 'paper')
    throw new ArgumentError(
      'profile paper',
      "expected smoke, laptop or gpu: the paper's backbone is Vicuna-7B, whose weights cannot be loaded yet",
      'use --profile gpu, the largest that is trained from scratch',
    );
  return sizes[profile];
}

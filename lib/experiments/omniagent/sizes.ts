/** What the profiles change: sizes of the world, the model and the training. Everything else is the same code. */
import { z } from 'zod';
import { ArgumentError } from '../../errors';
import { llamaSizes } from '../../models/llama';
import { llamaSchema } from '../../models/llama-config';
import { inputProjectorSchema } from '../../models/input-projector';
import { outputProjectorSchema } from '../../models/output-projector';
import type { Profile } from '../../pipeline/profile';
import { optimizerSchema } from '../../trainers/optimizer';

export const worldSchema = z.strictObject({
  /** Places in the encyclopaedia. */
  places: z.number().int().min(3),
  documents: z.number().int().positive(),
  /** Captions for each of stages 1 and 2. */
  captions: z.number().int().positive(),
  instructions: z.number().int().positive(),
  preferences: z.number().int().positive(),
  /** Preference pairs of the validation split. */
  heldOutPairs: z.number().int().positive(),
  vocabulary: z.number().int().positive(),
  /** Slot tokens of an input medium. */
  slots: z.number().int().positive(),
});
export type WorldSizes = z.infer<typeof worldSchema>;

export const modelSchema = llamaSchema;

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

/** Of a projector; what it joins gives the rest of its configuration. */
export const inputSizesSchema = inputProjectorSchema.pick({ width: true, heads: true, hidden: true, layers: true });
export const outputSizesSchema = outputProjectorSchema.pick({
  width: true,
  heads: true,
  hidden: true,
  encoderLayers: true,
  decoderLayers: true,
  unfold: true,
});

interface Sizes {
  world: WorldSizes;
  model: z.infer<typeof modelSchema>;
  pretrain: z.infer<typeof optimizerSchema>;
  inputProjector: z.infer<typeof inputSizesSchema>;
  outputProjector: z.infer<typeof outputSizesSchema>;
  stage1: z.infer<typeof optimizerSchema>;
  stage2: z.infer<typeof optimizerSchema>;
  sft: z.infer<typeof optimizerSchema>;
  sftLora: z.infer<typeof loraSchema>;
  /** Stage 3's share of the learning rate for the projectors. */
  sftProjectorRate: number;
  preference: z.infer<typeof optimizerSchema>;
  preferenceLora: z.infer<typeof loraSchema>;
}

const smoke: Sizes = {
  world: {
    places: 30,
    documents: 2400,
    captions: 1200,
    instructions: 1200,
    preferences: 480,
    heldOutPairs: 32,
    vocabulary: 1024,
    slots: 8,
  },
  model: { ...llamaSizes['1m'], layers: 3, vocabSize: 1024, maxLength: 448 },
  pretrain: optimizer({
    learningRate: 1.5e-3,
    batchSize: 8,
    steps: 200,
    weightDecay: 0.1,
    betas: [0.9, 0.95],
    checkpointEvery: 50,
  }),
  inputProjector: { width: 64, heads: 4, hidden: 256, layers: 2 },
  outputProjector: { width: 64, heads: 4, hidden: 256, encoderLayers: 1, decoderLayers: 1, unfold: 4 },
  stage1: optimizer({ learningRate: 3e-3, batchSize: 16, steps: 60, checkpointEvery: 50 }),
  stage2: optimizer({ learningRate: 1.5e-3, batchSize: 8, steps: 60, checkpointEvery: 50 }),
  sft: optimizer({ learningRate: 2e-3, batchSize: 8, steps: 100, checkpointEvery: 50 }),
  sftLora: { rank: 16, alpha: 32, targets, modulesToSave },
  sftProjectorRate: 0.5,
  preference: optimizer({ learningRate: 5e-4, batchSize: 8, steps: 16, warmupRatio: 0.1, checkpointEvery: 8 }),
  preferenceLora: { rank: 16, alpha: 32, targets, modulesToSave: [] },
};

const laptop: Sizes = {
  world: {
    places: 60,
    documents: 15200,
    captions: 11200,
    instructions: 12000,
    preferences: 2400,
    heldOutPairs: 480,
    vocabulary: 1536,
    slots: 16,
  },
  // Two heads of 64, which can copy.
  model: { ...llamaSizes['1m'], layers: 3, heads: 2, kvHeads: 2, vocabSize: 1536, maxLength: 448 },
  pretrain: optimizer({
    method: 'muon',
    learningRate: 3e-3,
    batchSize: 16,
    steps: 950,
    weightDecay: 0.1,
    betas: [0.9, 0.95],
    checkpointEvery: 200,
  }),
  inputProjector: { width: 128, heads: 4, hidden: 512, layers: 3 },
  outputProjector: { width: 128, heads: 4, hidden: 512, encoderLayers: 1, decoderLayers: 2, unfold: 4 },
  stage1: optimizer({ method: 'muon', learningRate: 2e-3, batchSize: 16, steps: 670, checkpointEvery: 100 }),
  stage2: optimizer({ method: 'muon', learningRate: 1e-3, batchSize: 12, steps: 580, checkpointEvery: 100 }),
  sft: optimizer({ method: 'muon', learningRate: 1.5e-3, batchSize: 10, steps: 1400, checkpointEvery: 100 }),
  sftLora: { rank: 64, alpha: 128, targets, modulesToSave },
  sftProjectorRate: 0.25,
  preference: optimizer({ learningRate: 1e-4, batchSize: 8, steps: 60, warmupRatio: 0.1, checkpointEvery: 20 }),
  preferenceLora: { rank: 32, alpha: 64, targets, modulesToSave: [] },
};

const gpu: Sizes = {
  world: {
    places: 180,
    documents: 240000,
    captions: 200000,
    instructions: 120000,
    preferences: 64400,
    heldOutPairs: 1920,
    vocabulary: 4096,
    slots: 8,
  },
  model: { ...llamaSizes['100m'], vocabSize: 4096 },
  pretrain: optimizer({
    learningRate: 6e-4,
    batchSize: 64,
    steps: 20000,
    weightDecay: 0.1,
    betas: [0.9, 0.95],
    checkpointEvery: 500,
  }),
  inputProjector: { width: 384, heads: 6, hidden: 1536, layers: 6 },
  outputProjector: { width: 512, heads: 4, hidden: 2048, encoderLayers: 4, decoderLayers: 4 },
  stage1: optimizer({ learningRate: 1e-3, batchSize: 64, steps: 3000, checkpointEvery: 500 }),
  stage2: optimizer({ learningRate: 2e-4, batchSize: 64, steps: 3000, checkpointEvery: 500 }),
  sft: optimizer({ learningRate: 2e-4, batchSize: 32, steps: 8000, checkpointEvery: 500 }),
  sftLora: { rank: 64, alpha: 128, targets, modulesToSave },
  sftProjectorRate: 0.5,
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

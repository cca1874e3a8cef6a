/**
 * What the reward-based methods share, and where they differ: one recipe (grpo.ts), three presets.
 *
 * | preset | advantages | loss | besides |
 * |---|---|---|---|
 * | grpo | of responses, (r - mean) / (std + 1e-4) | clip .2; KL k3, beta .04; mean over responses of means over tokens | DeepSeekMath's own (section 4.1); it names neither the clip's width (PPO's .2) nor the std (unbiased, as in TRL) |
 * | grpoPlusPlus | of tokens: returns-to-go of outcome and process rewards, normalised over the group's tokens | dual clip 3; KL k3, beta .04; entropy bonus .003; mean over tokens | the card names token-level advantages, dual clip and entropy bonus; the values are ours |
 * | onlineGrpo | as grpo | as grpo | groups without variance are replaced from a buffer; the temperature follows the entropy |
 */
import { z } from 'zod';
import { aggregations } from '../losses/aggregate';
import { klEstimators } from '../losses/kl';

const policySchema = z
  .strictObject({
    clipLow: z.number().min(0).max(1).default(0.2),
    clipHigh: z.number().min(0).optional(),
    dualClip: z.number().gt(1).optional(),
    delta: z.number().gt(1).optional(),
    ratio: z.enum(['token', 'sequence']).default('token'),
    maxLogRatio: z.number().positive().optional(),
    kl: z
      .strictObject({
        beta: z.number().min(0),
        estimator: z.enum(klEstimators).default('k3'),
        limited: z.boolean().default(false),
      })
      .default({ beta: 0.04, estimator: 'k3', limited: false }),
    entropyCoefficient: z.number().min(0).default(0),
    aggregation: z
      .strictObject({
        mode: z.enum(aggregations),
        length: z.number().positive().optional(),
        countEmpty: z.boolean().optional(),
      })
      .default({ mode: 'seq-mean-token-mean' }),
  })
  // As policyLoss wants it; found here, it is found before the stages that a run builds on are made.
  .refine(({ clipLow, clipHigh = clipLow, delta = Infinity }) => delta > 1 + clipHigh, {
    path: ['delta'],
    error: 'expected a number above 1 + clipHigh',
  });

const standardization = {
  epsilon: z.number().min(0).default(1e-4),
  correction: z.union([z.literal(0), z.literal(1)]).default(1),
};

/** The method: all but sizes and the optimiser. */
export const grpoMethodSchema = z.strictObject({
  advantages: z.discriminatedUnion('of', [
    z.strictObject({
      of: z.literal('responses'),
      scale: z.enum(['group', 'batch', 'none']).default('group'),
      ...standardization,
    }),
    z.strictObject({ of: z.literal('tokens'), gamma: z.number().gt(0).max(1).default(1), ...standardization }),
  ]),
  policy: policySchema,
  /** Size of the rewards at signal tokens. They take part where advantages are of tokens. */
  processReward: z.number().min(0).default(0),
  /** DAPO's soft punishment of long responses: the last `buffer` tokens of those that a response may have. */
  overlong: z.strictObject({ buffer: z.int().positive(), penalty: z.number().min(0).default(1) }).optional(),
  /** Groups that the buffer holds. */
  replay: z.strictObject({ capacity: z.int().positive() }).optional(),
  /**
   * After each step T <- clip(T exp(rate (target - H)), min, max), H the mean entropy (nats) of the distributions that
   * tokens were drawn from. Target 'first': the entropy of the first step, that of the model that training starts from.
   */
  dynamicTemperature: z
    .strictObject({
      rate: z.number().positive(),
      target: z.union([z.literal('first'), z.number().positive()]),
      min: z.number().positive(),
      max: z.number().positive(),
    })
    .refine(({ min, max }) => min <= max, { path: ['max'], error: 'expected a number of at least min' })
    .optional(),
});
export type GrpoMethod = z.infer<typeof grpoMethodSchema>;

/** Sizes of sampling. */
export const samplingSchema = z.strictObject({
  /** Responses to a prompt. A step takes as many prompts as the optimiser's batchSize says. */
  generations: z.int().min(2),
  /** Updates on the responses of a step (mu in DeepSeekMath's algorithm 1). */
  iterations: z.int().positive().default(1),
  temperature: z.number().positive().default(1),
  /** Tokens of one turn, and of prompt and response together. */
  maxNewTokens: z.int().positive(),
  maxLength: z.int().positive(),
});
export type SamplingSizes = z.infer<typeof samplingSchema>;

const method = (m: z.input<typeof grpoMethodSchema>): GrpoMethod => grpoMethodSchema.parse(m);

export const grpoPresets = {
  grpo: method({ advantages: { of: 'responses' }, policy: {} }),
  grpoPlusPlus: method({
    advantages: { of: 'tokens' },
    policy: { dualClip: 3, entropyCoefficient: 0.003, aggregation: { mode: 'token-mean' } },
    processReward: 0.05,
  }),
  onlineGrpo: method({
    advantages: { of: 'responses' },
    policy: {},
    replay: { capacity: 32 },
    dynamicTemperature: { rate: 0.1, target: 'first', min: 0.7, max: 1.3 },
  }),
} as const;
export type GrpoPreset = keyof typeof grpoPresets;

/**
 * The evaluation of one method (config `method`) on the 300 held-out samples; the seed is that of the method's training. What is
 * generated is greedy, so a seed changes nothing but the policy (and the noise that media are decoded from). Media take the most time:
 * they are decoded for the first `mediaSeeds` seeds only.
 *
 * Leaves samples.json (each sample's losses and judgements, for intervals and tables), answers.json (what was said), samples/ (media).
 * docs/evaluation.md defines every figure.
 */
import { z } from 'zod';
import { loadOmniModel } from '../../generate/omni-load';
import { releaseMediaPrograms } from '../../generate/diffusion';
import { releaseEncoder } from '../../models/joint-encoder';
import { loadPeft, mergePeft } from '../../models/peft-folder';
import { defineExperiment } from '../../pipeline/experiment';
import type { ParentRef } from '../../pipeline/experiment';
import { ANSWER_LIMITS, answersSchema, answerSizes, evaluate } from './evaluate';
import { METHOD_NAMES, METHODS } from './methods';
import { saveSamples } from './samples';

const count = z.number().int().min(0);
export const evaluationSchema = z.strictObject({
  method: z.enum(METHOD_NAMES),
  /** Values that replace those of the method's own configuration. */
  training: z.record(z.string(), z.unknown()),
  ...answersSchema.shape,
  /** How many seeds decode any media. */
  mediaSeeds: count,
  maxNewTokens: count.positive(),
  maxBatch: count.positive(),
});
export type EvaluationConfig = z.infer<typeof evaluationSchema>;

/** Fewer than after stage 3: seven methods with three seeds are answered. */
const sizes: typeof answerSizes = {
  ...answerSizes,
  laptop: { answers: 20, media: { image: 16, audio: 16, video: 6 } },
};

const base: ParentRef[] = [
  { name: 'omniagent/data', seed: 0 },
  { name: 'omniagent/stage3_sft', seed: 0 },
];

export const evaluation = defineExperiment({
  name: 'omniagent/evaluation',
  description: "one method's perplexities, indices, answers and media on the 300 samples",
  module: __filename,
  parents: ({ method, training }) =>
    method === 'sft' ? base : [...base, { name: METHODS[method].experiment, config: training }],
  schema: evaluationSchema,
  config: (profile) => ({
    method: 'sft' as const,
    training: {},
    ...sizes[profile === 'paper' ? 'gpu' : profile],
    mediaSeeds: 1,
    ...ANSWER_LIMITS,
  }),
  async run(ctx) {
    const { method, media, mediaSeeds, answers, maxNewTokens, maxBatch } = ctx.config;
    const { device, seed } = ctx;
    const agent = await loadOmniModel(ctx.parent('omniagent/stage3_sft').dir);
    const supervised = agent.llama.params;
    if (method !== 'sft')
      agent.llama = {
        ...agent.llama,
        params: await mergePeft(supervised, await loadPeft(ctx.parent(METHODS[method].experiment).dir)),
      };
    const found = await evaluate(ctx.parent('omniagent/data'), agent, supervised, {
      answers,
      maxNewTokens,
      maxBatch,
      media: seed < mediaSeeds ? media : { image: 0, audio: 0, video: 0 },
      seed,
      device,
      message: (text) => ctx.message(text),
    });
    await ctx.saveJson('samples', found.samples);
    await ctx.saveJson(
      'answers',
      found.answers.map(({ sample, answer }) => ({ id: sample.record.id, prompt: sample.prompt, turns: answer.turns })),
    );
    if (found.media.length) await saveSamples(ctx.dir, 'media', found.media);
    if (agent.encoder) releaseEncoder(agent.encoder);
    releaseMediaPrograms();
    return found.metrics;
  },
});

/**
 * PeRPO on a supervised model, and what its variants share: Omni-R1-M and -L (on PeSFT), Zero-T, -S and -M (on Zero), without the
 * perception reward, other values of tau.
 */
import path from 'node:path';
import { z } from 'zod';
import { readResponse, gradedText } from '../../eval/omni-r1';
import { FormatError } from '../../errors';
import { writeFileAtomic } from '../../io/atomic';
import { copyTree } from '../../io/params';
import { codebookOf, pictureCoder } from '../../models/omni-r1';
import type { OmniR1 } from '../../models/omni-r1';
import { loadOmniR1, saveOmniR1 } from '../../models/omni-r1-folder';
import { r1Prompt } from '../../models/r1-template';
import { defineExperiment } from '../../pipeline/experiment';
import type { Context } from '../../pipeline/context';
import type { Metrics } from '../../pipeline/manifest';
import { computeScore } from '../../rewards';
import type { ScoreOptions } from '../../rewards';
import { trainPerpo } from '../../trainers/perpo';
import type { PerpoJudge } from '../../trainers/perpo';
import type { PerpoPrompt, ScoredRollout } from '../../trainers/perpo-rollout';
import { parseActions, problemImage, questionText, r1Sample } from '../../world/omni-r1';
import { evaluateR1 } from './load';
import { perpoSizesSchema, r1Sizes } from './sizes';
import type { Profile } from '../../pipeline/profile';

export const perpoSchema = perpoSizesSchema.extend({
  /** Weight of the perception reward; 0: answer and format alone. */
  imageWeight: z.number().min(0).max(1),
  tau: z.number().positive(),
  aggregation: z.enum(['mean', 'min', 'median', 'max']),
  temperature: z.number().positive(),
  topP: z.number().positive().max(1),
  minibatches: z.number().int().positive(),
  clipLow: z.number(),
  clipHigh: z.number(),
  klCoefficient: z.number().min(0),
  entropyCoefficient: z.number().min(0),
  mode: z.enum(['plain', 'templated']),
  prompts: z.number().int().positive(),
  /** Steps after which the model is kept and evaluated, by name. */
  kept: z.record(z.string(), z.number().int().positive()),
  benchShare: z.number(),
});
export type PerpoConfig = z.infer<typeof perpoSchema>;

/** The paper's settings (table 6) at the profile's sizes; the weights and tau are the released code's. */
export function perpoConfig(profile: Profile, mode: PerpoConfig['mode'], kept: Record<string, number>): PerpoConfig {
  const { perpo, world } = r1Sizes(profile);
  const steps = Math.max(...Object.values(kept));
  return {
    ...perpo,
    optimizer: { ...perpo.optimizer, steps },
    imageWeight: 0.05,
    tau: 3,
    aggregation: 'mean',
    temperature: 1,
    topP: 0.95,
    minibatches: 1,
    clipLow: 0.2,
    clipHigh: 0.28,
    klCoefficient: 0.003,
    entropyCoefficient: 0.001,
    mode,
    // As many as can be asked for.
    prompts: Math.min(2048, world.trajectories, steps * perpo.optimizer.batchSize * perpo.rounds),
    kept,
    benchShare: world.benchShare,
  };
}

/** What the rewards of a model's rollouts are computed by. */
export async function scoreOptions(
  model: OmniR1,
  c: Pick<PerpoConfig, 'tau' | 'aggregation' | 'imageWeight'>,
): Promise<ScoreOptions> {
  const { layout } = model;
  return {
    imageWeight: c.imageWeight,
    perception: {
      codebook: { data: await codebookOf(model), width: model.vqgan.config.embedDim },
      tokenOffset: layout.imageStart,
      beginImage: layout.boi,
      endImage: layout.eoi,
      grid: [layout.rows, layout.columns],
      tau: c.tau,
      aggregation: c.aggregation,
    },
  };
}

function judgeFor(model: OmniR1, options: ScoreOptions): PerpoJudge {
  return {
    read: (tokens) => {
      const { text, images } = readResponse(model, tokens);
      return { text, images: images.length };
    },
    score: (text, prompt, tokens) => computeScore(gradedText(text), prompt.answer, { responseIds: tokens }, options),
    actionError: (text) => {
      try {
        parseActions(text);
        return false;
      } catch (error) {
        if (error instanceof FormatError) return true;
        throw error;
      }
    },
  };
}

/** Trains from the parent's model; keeps and evaluates it at the steps that are named. */
export async function runPerpo(ctx: Context<PerpoConfig>, parent: string): Promise<Metrics> {
  const { config: c, seed, device } = ctx;
  const start = await loadOmniR1(ctx.parent(parent).dir);
  const coder = pictureCoder(start, { device });
  // Prompts that supervised training has not seen: of the validation split.
  const samples = Array.from({ length: c.prompts }, (_, i) => r1Sample(seed, 'validation', i));
  const pictures = await coder.encode(samples.map((s) => s.image));
  coder.release();
  const prompts = samples.map((s, i): PerpoPrompt => {
    const row = { Question: questionText(s), 'Final Answer': s.answer, [problemImage(1)]: pictures[i] };
    return { id: s.id, ids: r1Prompt(start.tokenizer, start.layout, row, c)!, answer: s.answer };
  });
  const names = Object.entries(c.kept);
  const rollouts: object[] = [];
  const note = (step: number, list: readonly ScoredRollout[]): void => {
    for (const r of list.slice(0, c.group))
      rollouts.push({ step, id: r.prompt.id, text: r.text, answer: r.prompt.answer, tokens: r.tokens, ...r.score });
  };
  await trainPerpo(ctx, {
    model: start.config,
    layout: start.layout,
    params: await copyTree(start.params),
    reference: start.params,
    prompts,
    judge: judgeFor(start, await scoreOptions(start, c)),
    optimizer: c.optimizer,
    group: c.group,
    rounds: c.rounds,
    minibatches: c.minibatches,
    temperature: c.temperature,
    topP: c.topP,
    maxNewTokens: c.maxNewTokens,
    policy: {
      clipLow: c.clipLow,
      clipHigh: c.clipHigh,
      ...(c.klCoefficient ? { kl: { beta: c.klCoefficient, estimator: 'k1' as const } } : {}),
      entropyCoefficient: c.entropyCoefficient,
      aggregation: { mode: 'seq-mean-token-mean' },
    },
    delta: 1e-6,
    onRollouts: note,
    keep: {
      at: names.map(([, step]) => step),
      save: async (step, params) => {
        for (const [name] of names.filter(([, at]) => at === step))
          await saveOmniR1(path.join(ctx.dir, name), { ...start, params: await copyTree(params) });
      },
    },
    seed,
    device,
  });
  // After an interruption the list begins at the step that was resumed.
  await writeFileAtomic(path.join(ctx.dir, 'rollouts.jsonl'), rollouts.map((r) => JSON.stringify(r) + '\n').join(''));
  const out: Metrics = {};
  for (const [name] of names) {
    const model = await loadOmniR1(path.join(ctx.dir, name));
    const { metrics } = await evaluateR1(ctx, model, { share: c.benchShare, mode: c.mode, name: `answers-${name}` });
    for (const [key, value] of Object.entries(metrics)) out[`${name}/${key}`] = value;
  }
  return out;
}

export const perpo = defineExperiment({
  name: 'omni-r1/perpo',
  description: 'reinforcement learning with the perception reward, on PeSFT',
  module: __filename,
  parents: ['omni-r1/pesft'],
  schema: perpoSchema,
  config: (profile) => perpoConfig(profile, 'plain', r1Sizes(profile).perpoSteps),
  run: (ctx) => runPerpo(ctx, 'omni-r1/pesft'),
});

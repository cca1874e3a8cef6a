/**
 * PeSFT on interleaved trajectories: Omni-R1's supervised stage. With lambda 0 it is plain supervised fine-tuning, in the place of the
 * paper's "Anole + Zebra-CoT".
 */
import { z } from 'zod';
import { copyTree } from '../../io/params';
import { codebookOf } from '../../models/omni-r1';
import { loadOmniR1, saveOmniR1 } from '../../models/omni-r1-folder';
import { r1Example } from '../../models/r1-template';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainPesft } from '../../trainers/pesft';
import { evaluateR1, loadRows } from './load';
import { r1Sizes } from './sizes';

export const pesftSchema = z.strictObject({
  optimizer: optimizerSchema,
  lambda: z.number().min(0),
  textWeight: z.number().positive(),
  projection: z.enum(['trained', 'fixed']),
  scale: z.enum(['dimension', 'none']),
  mode: z.enum(['plain', 'templated']),
  /** Trajectories, from the first. */
  trajectories: z.number().int().positive(),
  benchShare: z.number(),
});

export const pesft = defineExperiment({
  name: 'omni-r1/pesft',
  description: 'supervised fine-tuning with perception alignment',
  module: __filename,
  parents: ['omni-r1/vqgan', 'omni-r1/data', 'omni-r1/base'],
  schema: pesftSchema,
  config: (profile) => {
    const { sft: optimizer, sftTextWeight: textWeight, world } = r1Sizes(profile);
    return {
      optimizer,
      lambda: 1,
      textWeight,
      projection: 'trained' as const,
      scale: 'dimension' as const,
      mode: 'plain' as const,
      trajectories: world.trajectories,
      benchShare: world.benchShare,
    };
  },
  async run(ctx) {
    const { config: c, seed, device } = ctx;
    const base = await loadOmniR1(ctx.parent('omni-r1/base').dir);
    const { config, layout, tokenizer } = base;
    const rows = (await loadRows(ctx.parent('omni-r1/data'), 'train')).slice(0, c.trajectories);
    const examples = rows.flatMap((row, i) => {
      const options = { mode: c.mode, plainIncludeRationale: true, maxLength: config.maxLength };
      return r1Example(tokenizer, layout, row, i, options) ?? [];
    });
    const { model: params, projection } = await trainPesft(ctx, {
      model: config,
      layout,
      params: await copyTree(base.params),
      codebook: await codebookOf(base),
      optimizer: c.optimizer,
      lambda: c.lambda,
      textWeight: c.textWeight,
      projection: c.projection,
      scale: c.scale,
      examples,
      seed,
      device,
    });
    const model = { ...base, params };
    await saveOmniR1(ctx.dir, model);
    await ctx.save('perception', {
      weight: { dtype: 'float32', shape: projection.weight.shape, data: await projection.weight.data() },
      bias: { dtype: 'float32', shape: projection.bias!.shape, data: await projection.bias!.data() },
    });
    const { metrics } = await evaluateR1(ctx, model, { share: c.benchShare, mode: c.mode });
    return { dropped: rows.length - examples.length, ...metrics };
  },
});

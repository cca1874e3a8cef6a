/**
 * The base model, in the place of Anole-7B: pictures to descriptions and descriptions to pictures, from scratch; no questions, no
 * reasoning.
 */
import { z } from 'zod';
import { countElements } from '../../graph/tree';
import { chameleonInit } from '../../models/chameleon';
import { imageLookBacks, withLookBack } from '../../models/chameleon-copying';
import { codebookOf } from '../../models/omni-r1';
import { saveOmniR1 } from '../../models/omni-r1-folder';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainPesft } from '../../trainers/pesft';
import { evaluateR1, loadPacked, loadVocabulary, loadVqgan } from './load';
import { r1ModelSchema, r1Sizes } from './sizes';

export const base = defineExperiment({
  name: 'omni-r1/base',
  description: 'the unified model, pre-trained on pictures and descriptions',
  module: __filename,
  parents: ['omni-r1/vqgan', 'omni-r1/data'],
  schema: z.strictObject({
    model: r1ModelSchema,
    optimizer: optimizerSchema,
    textWeight: z.number().positive(),
    /** Tokens from an image to the next, for heads that begin by looking back (models/chameleon-copying.ts); 0: heads as drawn. */
    imageDistance: z.number().int().min(0),
    benchShare: z.number(),
  }),
  config: (profile) => {
    const { model, base: optimizer, textWeight, imageDistance, world } = r1Sizes(profile);
    return { model, optimizer, textWeight, imageDistance, benchShare: world.benchShare };
  },
  async run(ctx) {
    const { seed, device } = ctx;
    const vqgan = await loadVqgan(ctx.parent('omni-r1/vqgan'));
    const data = ctx.parent('omni-r1/data');
    const { tokenizer, layout } = loadVocabulary(data, vqgan);
    const config = { ...ctx.config.model, vocabSize: layout.vocabSize };
    const drawn = chameleonInit(new Random(seed, 'omni-r1 base'), config);
    const distance = ctx.config.imageDistance;
    const start = distance ? withLookBack(drawn, config, imageLookBacks(config, layout.columns, distance)) : drawn;
    const { model: params } = await trainPesft(ctx, {
      model: config,
      layout,
      params: start,
      codebook: await codebookOf({ vqgan, layout }),
      optimizer: ctx.config.optimizer,
      lambda: 0,
      textWeight: ctx.config.textWeight,
      projection: 'fixed',
      scale: 'dimension',
      examples: await loadPacked(data, 'descriptions'),
      seed,
      device,
    });
    const model = { config, params, vqgan, tokenizer, layout };
    await saveOmniR1(ctx.dir, model);
    const { metrics } = await evaluateR1(ctx, model, { share: ctx.config.benchShare, mode: 'plain' });
    return { parameters: countElements(params), ...metrics };
  },
});

/**
 * The base model, in the place of Anole-7B: pictures to descriptions and descriptions to pictures, from scratch; no questions, no
 * reasoning.
 */
import { z } from 'zod';
import { countElements } from '../../graph/tree';
import { chameleonInit } from '../../models/chameleon';
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
  schema: z.strictObject({ model: r1ModelSchema, optimizer: optimizerSchema, benchShare: z.number() }),
  config: (profile) => {
    const { model, base: optimizer, world } = r1Sizes(profile);
    return { model, optimizer, benchShare: world.benchShare };
  },
  async run(ctx) {
    const { seed, device } = ctx;
    const vqgan = await loadVqgan(ctx.parent('omni-r1/vqgan'));
    const data = ctx.parent('omni-r1/data');
    const { tokenizer, layout } = loadVocabulary(data, vqgan);
    const config = { ...ctx.config.model, vocabSize: layout.vocabSize };
    const { model: params } = await trainPesft(ctx, {
      model: config,
      layout,
      params: chameleonInit(new Random(seed, 'omni-r1 base'), config),
      codebook: await codebookOf({ vqgan, layout }),
      optimizer: ctx.config.optimizer,
      lambda: 0,
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

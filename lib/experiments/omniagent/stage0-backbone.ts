/** Stage 0: the language model that the paper downloads (Vicuna-7B), here pre-trained on OmniWorld's corpus: mostly
 * conversations in text alone (world/text-answers.ts), of which it learns the assistant's turns. */
import { z } from 'zod';
import { countElements } from '../../graph/tree';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { pretrain } from '../../trainers/pretrain';
import { toHost } from '../../io/params';
import { unpackExamples } from './examples';
import { modelSchema, profileSizes } from './sizes';

export const backbone = defineExperiment({
  name: 'omniagent/stage0_backbone',
  description: 'the language model, pre-trained on the corpus',
  module: __filename,
  parents: ['omniagent/data'],
  schema: z.strictObject({
    model: modelSchema,
    optimizer: optimizerSchema,
    /** Begin with heads that copy (models/llama-copying.ts). */
    copyingHeads: z.boolean(),
  }),
  config: (profile) => {
    const { model, pretrain: optimizer } = profileSizes(profile);
    // A corpus of minutes is too short for them to form.
    return { model, optimizer, copyingHeads: profile !== 'gpu' };
  },
  async run(ctx) {
    const data = ctx.parent('omniagent/data');
    const [corpus, validation] = await Promise.all(
      ['corpus', 'corpus_validation'].map(async (name) => unpackExamples(name, await data.load(name))),
    );
    const params = await pretrain(ctx, { ...ctx.config, corpus, validation, seed: ctx.seed, device: ctx.device });
    await ctx.save('model', await toHost(params), { format: 'pt' });
    await ctx.saveJson('config', ctx.config.model);
    return { parameters: countElements(params) };
  },
});

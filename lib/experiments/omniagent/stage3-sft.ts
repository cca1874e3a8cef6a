/** Stage 3: supervised fine-tuning (a LoRA adapter, embeddings and head) on the instructions, in text form (see world/README.md). */
import { z } from 'zod';
import { perplexities, sampleLosses } from '../../eval/perplexity';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { sft } from '../../trainers/sft';
import { loadBackbone, loadEvaluation, loadExamples, mergeTuned, saveAdapter } from './load';
import { loraSchema, modelSchema, profileSizes } from './sizes';

export const stage3 = defineExperiment({
  name: 'omniagent/stage3_sft',
  description: 'LoRA fine-tuning on instructions',
  module: __filename,
  parents: ['omniagent/data', 'omniagent/stage0_backbone'],
  schema: z.strictObject({ model: modelSchema, lora: loraSchema, optimizer: optimizerSchema }),
  config: (profile) => {
    const { model, sft: optimizer, sftLora: lora } = profileSizes(profile);
    return { model, lora, optimizer };
  },
  async run(ctx) {
    const { model, lora } = ctx.config;
    const data = ctx.parent('omniagent/data');
    const base = await loadBackbone(ctx.parent('omniagent/stage0_backbone'), model);
    const evaluation = await loadEvaluation(data);
    const before = perplexities(await sampleLosses(base, model, evaluation, { device: ctx.device }));
    const examples = await loadExamples(data, 'instructions');
    const { modulesToSave } = lora;
    const tuned = await sft(ctx, { ...ctx.config, modulesToSave, base, examples, seed: ctx.seed, device: ctx.device });
    await saveAdapter(ctx, tuned, lora);
    ctx.message('evaluating on the 300 samples');
    const merged = await mergeTuned(base, tuned, lora);
    const after = perplexities(await sampleLosses(merged, model, evaluation, { device: ctx.device }));
    return { ...after, 'backbone/ppl': before.ppl };
  },
});

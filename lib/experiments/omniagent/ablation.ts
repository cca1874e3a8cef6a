/**
 * The ablation that the card names, stage by stage: perplexities on the 300 samples of what each stage left. After stage 0 the input
 * projector has its first random values, so that media tell the model nothing; stage 1 trains it; stage 2 trains the embeddings of the
 * signal tokens (and the output projectors, which have no part in a perplexity); stage 3 tunes all. Stage 4 is in table 1.
 *
 * Metrics: `<figure>/<stage>`, the figures being those of eval/perplexity.ts.
 */
import { z } from 'zod';
import { perplexities, sampleLosses } from '../../eval/perplexity';
import { loadOmniModel } from '../../generate/omni-load';
import type { OmniModel } from '../../generate/omni';
import { inputProjectorInit } from '../../models/input-projector';
import { releaseEncoder } from '../../models/joint-encoder';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import { evaluationExamples } from './adapter-losses';

/** The stages in order; stage 0 is stage 1's model with a projector that was not trained. */
export const STAGES = ['stage0', 'stage1', 'stage2', 'stage3'] as const;

const FOLDERS = {
  stage0: 'omniagent/stage1_encode',
  stage1: 'omniagent/stage1_encode',
  stage2: 'omniagent/stage2_decode',
  stage3: 'omniagent/stage3_sft',
} as const;

export const ablation = defineExperiment({
  name: 'omniagent/ablation',
  description: 'perplexities after each of stages 0 to 3',
  module: __filename,
  parents: ['omniagent/data', 'omniagent/stage1_encode', 'omniagent/stage2_decode', 'omniagent/stage3_sft'],
  schema: z.strictObject({}),
  config: () => ({}),
  async run(ctx) {
    const { device, seed } = ctx;
    const data = ctx.parent('omniagent/data');
    const metrics: Record<string, number> = {};
    for (const [i, stage] of STAGES.entries()) {
      // Stage 2 leaves the parts that it trained; the encoder is stage 1's throughout.
      const agent: OmniModel = await loadOmniModel(ctx.parent(FOLDERS[stage]).dir);
      const first = await loadOmniModel(ctx.parent(FOLDERS.stage1).dir);
      const encoder = agent.encoder ?? first.encoder;
      const input = agent.input ?? first.input!;
      const reader = {
        encoder,
        input:
          stage === 'stage0'
            ? { ...input, params: inputProjectorInit(new Random(seed, 'ablation'), input.config) }
            : input,
      };
      const { examples, vectors } = await evaluationExamples(data, reader, device);
      const { params, config } = agent.llama;
      const found = perplexities(await sampleLosses(params, config, examples, { vectors, device }));
      for (const [name, value] of Object.entries(found)) metrics[`${name}/${stage}`] = value;
      for (const model of [agent, first]) if (model.encoder) releaseEncoder(model.encoder);
      ctx.progress(i + 1, STAGES.length);
    }
    return metrics;
  },
});

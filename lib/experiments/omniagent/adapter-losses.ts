/** Perplexities on the 300 samples of adapters that stage 4 left. */
import { perplexities, sampleLosses } from '../../eval/perplexity';
import type { LabelledExample, SampleLoss } from '../../eval/perplexity';
import { loadOmniModel } from '../../generate/omni-load';
import type { OmniModel } from '../../generate/omni';
import { releaseEncoder } from '../../models/joint-encoder';
import type { LlamaConfig, LlamaParams } from '../../models/llama';
import { loadPeft, mergePeft } from '../../models/peft-folder';
import type { Run } from '../../pipeline/run-result';
import { vectorShape } from '../../trainers/batches';
import type { VectorShape } from '../../trainers/batches';
import { fillExamples, loadOmniExamples } from './load';

/** The evaluation samples with the vectors that a model's projector gives to their media. */
export async function evaluationExamples(
  data: Run,
  agent: Pick<OmniModel, 'input' | 'encoder'>,
  device?: string,
): Promise<{ examples: LabelledExample[]; vectors?: VectorShape }> {
  const { categories } = await data.loadJson<{ categories: string[] }>('evaluation');
  const filled = await fillExamples(agent, await loadOmniExamples(data, 'evaluation'), device);
  const { slots, outWidth } = agent.input!.config;
  return {
    examples: filled.map((e, i) => ({ ...e, category: categories[i] })),
    vectors: vectorShape(filled, slots, outWidth),
  };
}

/** Loads the supervised model once, and gives the perplexities of any adapter on it. */
export async function adapterPerplexities(
  data: Run,
  stage3: Run,
  device?: string,
): Promise<(adapter: Run) => Promise<Record<string, number>>> {
  const agent = await loadOmniModel(stage3.dir);
  const { params, config } = agent.llama;
  const { examples, vectors } = await evaluationExamples(data, agent, device);
  if (agent.encoder) releaseEncoder(agent.encoder);
  const losses = (p: LlamaParams, c: LlamaConfig): Promise<SampleLoss[]> =>
    sampleLosses(p, c, examples, { vectors, device });
  return async (adapter) => perplexities(await losses(await mergePeft(params, await loadPeft(adapter.dir)), config));
}

/**
 * What the reward-based experiments of stage 4 share: the supervised model as base and reference, prompts of OmniWorld (a family
 * of their own, so that no instruction of stage 3 comes again), the recipe, the checkpoint in the card's layout.
 *
 * Leaves adapter_model.safetensors (the policy's adapter on the supervised model), the whole agent with the policy as its
 * backbone, and completions.jsonl: every response that was drawn, and those to held-out prompts before and after.
 */
import { z } from 'zod';
import { promptOf } from '../../eval/answer-samples';
import { encodeConversations } from '../../generate/omni';
import type { OmniModel } from '../../generate/omni';
import { loadOmniModel } from '../../generate/omni-load';
import { linkFolder } from '../../io/link';
import { readOmniAgentConfig, saveOmniAgent } from '../../models/omniagent-folder';
import { mergePeft, savePeft } from '../../models/peft-folder';
import { releaseEncoder } from '../../models/joint-encoder';
import type { Context } from '../../pipeline/context';
import type { ExperimentSpec, ParentRef } from '../../pipeline/experiment';
import { defineExperiment } from '../../pipeline/experiment';
import type { Metrics } from '../../pipeline/manifest';
import { vectorShape } from '../../trainers/batches';
import { completionLog } from '../../trainers/completion-log';
import { trainGrpo } from '../../trainers/grpo';
import { grpoMethodSchema, grpoPresets, samplingSchema } from '../../trainers/grpo-config';
import type { GrpoPreset } from '../../trainers/grpo-config';
import { exampleOf } from '../../trainers/grpo-rows';
import { omniEnvironment } from '../../trainers/omni-environment';
import type { OmniTask } from '../../trainers/omni-environment';
import { optimizerSchema } from '../../trainers/optimizer';
import { instructions, makeEncyclopaedia } from '../../world';
import type { Encyclopaedia, Split } from '../../world';
import { rlSizes } from './rl-sizes';
import { loraSchema, modelSchema, profileSizes } from './sizes';

export const rlSchema = z.strictObject({
  model: modelSchema,
  lora: loraSchema,
  optimizer: optimizerSchema,
  sampling: samplingSchema,
  method: grpoMethodSchema,
  prompts: z.int().positive(),
  heldOut: z.int().positive(),
});
export type RlConfig = z.infer<typeof rlSchema>;

/** Stages 0 to 3 are made once, with seed 0; the seeds vary the adapter's start, the order of the prompts, and what is drawn. */
const parents: ParentRef[] = [{ name: 'omniagent/stage3_sft', seed: 0 }];

/** The name of the sets of prompts in OmniWorld. */
const PURPOSE = 'rl';

/** Prompts of a split as tasks, their media as vectors. */
async function loadTasks(
  agent: OmniModel,
  book: Encyclopaedia,
  split: Split,
  count: number,
  device?: string,
): Promise<OmniTask[]> {
  const samples = [...instructions(book, split, count, 0, PURPOSE)];
  const prompts = await encodeConversations(agent, samples.map(promptOf), device);
  return samples.map(({ record, prompt, oracle }, i) => {
    const given = prompts[i];
    const { ids, media = [] } = 'ids' in given ? given : { ids: given };
    return {
      id: record.id,
      category: record.category,
      ids,
      media: media.map(({ at, embeddings }) => ({ at, embeddings: embeddings as Float32Array })),
      text: prompt.map((m) => m.content).join('\n'),
      oracle,
    };
  });
}

async function runRl(ctx: Context<RlConfig>): Promise<Metrics> {
  const { model, lora, optimizer, sampling, method } = ctx.config;
  const { device, seed } = ctx;
  const { dir } = ctx.parent('omniagent/stage3_sft');
  const agent = await loadOmniModel(dir);
  const config = await readOmniAgentConfig(dir);
  const base = agent.llama.params;
  const book = makeEncyclopaedia(config.encyclopaedia!.seed, config.encyclopaedia!.places);
  const tasks = await loadTasks(agent, book, 'train', ctx.config.prompts, device);
  const heldOut = await loadTasks(agent, book, 'validation', ctx.config.heldOut, device);
  const { slots, outWidth } = agent.input!.config;
  const vectors = vectorShape(
    tasks.map((task) => exampleOf(task, { tokens: [], own: [] })),
    slots,
    outWidth,
  );
  const last: { metrics: Metrics } = { metrics: {} };
  const adapter = await trainGrpo(
    {
      ...ctx,
      log: (step, metrics) => {
        ctx.log(step, metrics);
        last.metrics = metrics;
      },
    },
    {
      model,
      base,
      lora,
      optimizer,
      sampling,
      method,
      environment: omniEnvironment({
        book,
        tokenizer: agent.tokenizer,
        tasks,
        heldOut,
        processReward: method.processReward,
      }),
      vectors,
      seed,
      device,
      onCompletions: completionLog(`${ctx.dir}/completions.jsonl`),
    },
  );
  const peft = { adapter, modules: {}, lora };
  await savePeft(ctx.dir, peft);
  await saveOmniAgent(
    ctx.dir,
    {
      config: { ...config, stage: ctx.name.replace(/^.*\//, '') },
      llama: { config: model, base: await mergePeft(base, peft) },
      inputProjector: agent.input!.params,
      outputProjectors: agent.output!.params,
      tokenizer: agent.tokenizer,
    },
    { encoder: `${dir}/encoder` },
  );
  await linkFolder(`${dir}/decoders`, `${ctx.dir}/decoders`);
  releaseEncoder(agent.encoder!);
  return Object.fromEntries(Object.entries(last.metrics).filter(([name]) => name.startsWith('eval_')));
}

/** One of the methods as an experiment. */
export const rlExperiment = (
  preset: GrpoPreset,
  { name, description, module }: Pick<ExperimentSpec<RlConfig>, 'name' | 'description' | 'module'>,
): ExperimentSpec<RlConfig> =>
  defineExperiment({
    name,
    description,
    module,
    parents,
    schema: rlSchema,
    config: (profile) => {
      const { model, preferenceLora: lora } = profileSizes(profile);
      return { model, lora, method: grpoPresets[preset], ...rlSizes(profile) };
    },
    run: runRl,
  });

/** What the stage 4 experiments on preference pairs share: the supervised model as base, the pairs, the evaluation. */
import { z } from 'zod';
import { loadOmniModel } from '../../generate/omni-load';
import { mergePeft, savePeft } from '../../models/peft-folder';
import type { LoraAdapter } from '../../nn/lora';
import type { Context } from '../../pipeline/context';
import type { ParentRef } from '../../pipeline/experiment';
import type { Metrics } from '../../pipeline/manifest';
import type { Profile } from '../../pipeline/profile';
import type { TrainContext } from '../../trainers/context';
import { vectorShape } from '../../trainers/batches';
import { optimizerSchema } from '../../trainers/optimizer';
import type { PreferenceOptions } from '../../trainers/preference';
import { loadPairs, measurePerplexities } from './load';
import { loraSchema, modelSchema, profileSizes } from './sizes';

export const preferenceSchema = z.strictObject({ model: modelSchema, lora: loraSchema, optimizer: optimizerSchema });
export type PreferenceConfig = z.infer<typeof preferenceSchema>;

/** Stages 0 to 3 are made once, with seed 0; the seeds of stage 4 vary the adapter's start and the order of the pairs. */
export const preferenceParents: ParentRef[] = ['omniagent/data', 'omniagent/stage3_sft'].map((name) => ({
  name,
  seed: 0,
}));

export function preferenceConfig(profile: Profile): PreferenceConfig {
  const { model, preference: optimizer, preferenceLora: lora } = profileSizes(profile);
  return { model, lora, optimizer };
}

export async function runPreference(
  ctx: Context<PreferenceConfig>,
  train: (context: TrainContext, options: PreferenceOptions) => Promise<LoraAdapter>,
): Promise<Metrics> {
  const { model, lora } = ctx.config;
  const { device } = ctx;
  const data = ctx.parent('omniagent/data');
  const { dir } = ctx.parent('omniagent/stage3_sft');
  // The projectors and the encoder stay as stage 3 left them, so media are vectors once and for all.
  const agent = await loadOmniModel(dir);
  const base = agent.llama.params;
  const pairs = await loadPairs(data, 'preferences', agent, device);
  const heldOut = await loadPairs(data, 'preferences_validation', agent, device);
  const { slots, outWidth } = agent.input!.config;
  const vectors = vectorShape(
    pairs.map((p) => p.chosen),
    slots,
    outWidth,
  );
  const adapter = await train(ctx, { ...ctx.config, base, pairs, heldOut, vectors, seed: ctx.seed, device });
  const peft = { adapter, modules: {}, lora };
  await savePeft(ctx.dir, peft);
  ctx.message('evaluating on the 300 samples');
  return measurePerplexities(data, await mergePeft(base, peft), model, agent, device);
}

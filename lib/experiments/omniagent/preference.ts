/** What the stage 4 experiments on preference pairs share: the supervised model as base, the pairs, the evaluation. */
import { z } from 'zod';
import { perplexities, sampleLosses } from '../../eval/perplexity';
import type { LoraAdapter } from '../../nn/lora';
import type { Context } from '../../pipeline/context';
import type { ParentRef } from '../../pipeline/experiment';
import type { Metrics } from '../../pipeline/manifest';
import type { Profile } from '../../pipeline/profile';
import type { TrainContext } from '../../trainers/context';
import { optimizerSchema } from '../../trainers/optimizer';
import type { PreferenceOptions } from '../../trainers/preference';
import { loadBackbone, loadEvaluation, loadPairs, mergeAdapter, mergeTuned, saveAdapter } from './load';
import { loraSchema, modelSchema, profileSizes } from './sizes';

export const preferenceSchema = z.strictObject({ model: modelSchema, lora: loraSchema, optimizer: optimizerSchema });
export type PreferenceConfig = z.infer<typeof preferenceSchema>;

/** Stages 0 to 3 are made once, with seed 0; the seeds of stage 4 vary the adapter's start and the order of the pairs. */
export const preferenceParents: ParentRef[] = [
  'omniagent/data',
  'omniagent/stage0_backbone',
  'omniagent/stage3_sft',
].map((name) => ({ name, seed: 0 }));

export function preferenceConfig(profile: Profile): PreferenceConfig {
  const { model, preference: optimizer, preferenceLora: lora } = profileSizes(profile);
  return { model, lora, optimizer };
}

export async function runPreference(
  ctx: Context<PreferenceConfig>,
  train: (context: TrainContext, options: PreferenceOptions) => Promise<LoraAdapter>,
): Promise<Metrics> {
  const { model, lora } = ctx.config;
  const data = ctx.parent('omniagent/data');
  const backbone = await loadBackbone(ctx.parent('omniagent/stage0_backbone'), model);
  const base = await mergeAdapter(backbone, ctx.parent('omniagent/stage3_sft'));
  const [pairs, heldOut] = [await loadPairs(data, 'preferences'), await loadPairs(data, 'preferences_validation')];
  const adapter = await train(ctx, { ...ctx.config, base, pairs, heldOut, seed: ctx.seed, device: ctx.device });
  const tuned = { adapter, modules: {} };
  await saveAdapter(ctx, tuned, lora);
  ctx.message('evaluating on the 300 samples');
  const policy = await mergeTuned(base, tuned, lora);
  return perplexities(await sampleLosses(policy, model, await loadEvaluation(data), { device: ctx.device }));
}

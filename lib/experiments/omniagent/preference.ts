/** What the stage 4 experiments on preference pairs share: the supervised model as base, the pairs, the evaluation. */
import path from 'node:path';
import { z } from 'zod';
import { loadOmniModel } from '../../generate/omni-load';
import type { OmniModel } from '../../generate/omni';
import { mergePeft, savePeft } from '../../models/peft-folder';
import type { LoraAdapter } from '../../nn/lora';
import type { Context } from '../../pipeline/context';
import type { ParentRef } from '../../pipeline/experiment';
import type { Metrics } from '../../pipeline/manifest';
import { runsDir } from '../../pipeline/paths';
import type { Profile } from '../../pipeline/profile';
import type { Run } from '../../pipeline/run-result';
import type { TrainContext } from '../../trainers/context';
import { vectorShape } from '../../trainers/batches';
import type { PairOptions } from '../../trainers/preference-loop';
import { optimizerSchema } from '../../trainers/optimizer';
import type { PreferenceOptions, PreferencePair } from '../../trainers/preference';
import { measurePerplexities } from './load';
import { loadPairs } from './pairs';
import type { PairSet } from './pairs';
import { loraSchema, modelSchema, profileSizes } from './sizes';

export const preferenceSchema = z.strictObject({
  model: modelSchema,
  lora: loraSchema,
  optimizer: optimizerSchema,
  /** Held-out pairs that are measured, from the first. */
  heldOut: z.number().int().positive(),
  /** How often each pair is seen; with the optimiser's steps this gives the number of pairs. */
  epochs: z.number().int().positive(),
});
export type PreferenceConfig = z.infer<typeof preferenceSchema>;

/** Stages 0 to 3 are made once, with seed 0; the seeds of stage 4 vary the adapter's start and the order of the pairs. */
export const preferenceParents: ParentRef[] = ['omniagent/data', 'omniagent/stage3_sft'].map((name) => ({
  name,
  seed: 0,
}));

/** Three epochs are the card's. */
export function preferenceConfig(profile: Profile): PreferenceConfig {
  const { model, world, preference: optimizer, preferenceLora: lora } = profileSizes(profile);
  return { model, lora, optimizer, heldOut: Math.min(96, world.heldOutPairs), epochs: 3 };
}

/** Pairs that a configuration trains on. */
export const pairCount = ({ optimizer, epochs }: Pick<PreferenceConfig, 'optimizer' | 'epochs'>): number =>
  Math.max(1, Math.floor((optimizer.steps * optimizer.batchSize) / epochs));

type LoadPairs<P> = (
  data: Run,
  name: PairSet,
  model: OmniModel,
  options: { count?: number; device?: string },
) => Promise<P[]>;

/** Trains an adapter on pairs that `load` gives, saves it, and measures perplexities. */
export async function runOnPairs<P extends PreferencePair>(
  ctx: Context<PreferenceConfig>,
  load: LoadPairs<P>,
  train: (context: TrainContext, options: PairOptions<P>) => Promise<LoraAdapter>,
): Promise<Metrics> {
  const { model, lora, optimizer } = ctx.config;
  const { device } = ctx;
  const data = ctx.parent('omniagent/data');
  const { dir } = ctx.parent('omniagent/stage3_sft');
  // The projectors and the encoder stay as stage 3 left them, so media are vectors once and for all.
  const agent = await loadOmniModel(dir);
  const base = agent.llama.params;
  const pairs = await load(data, 'preferences', agent, { count: pairCount(ctx.config), device });
  const heldOut = await load(data, 'preferences_validation', agent, { count: ctx.config.heldOut, device });
  const { slots, outWidth } = agent.input!.config;
  const vectors = vectorShape(
    [...pairs, ...heldOut].map((p) => p.chosen),
    slots,
    outWidth,
  );
  const cacheDir = path.join(runsDir(), 'cache', 'reference');
  const adapter = await train(ctx, { model, lora, optimizer, base, pairs, heldOut, vectors, cacheDir, seed: ctx.seed, device }); // prettier-ignore
  const peft = { adapter, modules: {}, lora };
  await savePeft(ctx.dir, peft);
  ctx.message('perplexities of the 300 samples');
  return measurePerplexities(data, await mergePeft(base, peft), model, agent, device);
}

export const runPreference = (
  ctx: Context<PreferenceConfig>,
  train: (context: TrainContext, options: PreferenceOptions) => Promise<LoraAdapter>,
): Promise<Metrics> => runOnPairs(ctx, loadPairs, train);

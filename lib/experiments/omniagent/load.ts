/** Loading what earlier stages left: data, the backbone, and models with their adapters merged. */
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import { evaluate } from '../../graph/tensor';
import { tensorsOf } from '../../graph/tree';
import type { LabelledExample } from '../../eval/perplexity';
import { llamaInit } from '../../models/llama';
import type { LlamaConfig, LlamaParams } from '../../models/llama';
import { fromPeftNames, mergeLora, toPeftNames } from '../../nn/lora';
import type { LoraConfig } from '../../nn/lora';
import { replaceModules } from '../../nn/modules';
import type { Context } from '../../pipeline/context';
import type { Run } from '../../pipeline/run-result';
import type { Tuned } from '../../trainers/sft';
import { fromHost, toHost } from '../../trainers/state';
import type { PreferencePair } from '../../trainers/preference';
import { unpackExamples } from './examples';

const noNoise = { normals: (n: number) => new Float32Array(n), uniforms: (n: number) => new Float32Array(n) };

export const loadExamples = async (data: Run, name: string) =>
  unpackExamples(data.file(`${name}.safetensors`), await data.load(name));

export async function loadPairs(data: Run, name: string): Promise<PreferencePair[]> {
  const [chosen, rejected] = [await loadExamples(data, `${name}_chosen`), await loadExamples(data, `${name}_rejected`)];
  return chosen.map((c, i) => ({ chosen: c, rejected: rejected[i] }));
}

export async function loadEvaluation(data: Run): Promise<LabelledExample[]> {
  const { categories } = await data.loadJson<{ categories: string[] }>('evaluation');
  return (await loadExamples(data, 'evaluation')).map((e, i) => ({ ...e, category: categories[i] }));
}

export async function loadBackbone(run: Run, config: LlamaConfig): Promise<LlamaParams> {
  return fromHost(run.file('model.safetensors'), llamaInit(noNoise, config), await run.load('model'));
}

/** PEFT's layout: adapter_model.safetensors beside adapter_config.json. */
export async function saveAdapter(ctx: Context<unknown>, { adapter, modules }: Tuned, lora: LoraConfig): Promise<void> {
  const names = Object.keys(modules).map((path) => path.split('.').at(-2)!);
  const prefixed = Object.fromEntries(Object.entries(modules).map(([path, t]) => [PREFIX + path, t]));
  await ctx.save('adapter_model', await toHost({ ...toPeftNames(adapter), ...prefixed }), { format: 'pt' });
  await ctx.saveJson('adapter_config', {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: 0,
    target_modules: lora.targets,
    modules_to_save: names.length ? names : null,
    bias: 'none',
    fan_in_fan_out: false,
  });
}

const PREFIX = 'base_model.model.';

/** The model with an adapter merged into its weights, and its modules replaced, as concrete values. */
export const mergeTuned = (params: LlamaParams, { adapter, modules }: Tuned, lora: LoraConfig): Promise<LlamaParams> =>
  realize(mergeLora(replaceModules(params, modules), adapter, lora));

/** The model with the adapter of a run merged. */
export async function mergeAdapter(params: LlamaParams, run: Run): Promise<LlamaParams> {
  const updates: Record<string, Tensor> = {};
  const modules: Record<string, Tensor> = {};
  for (const [name, t] of Object.entries(await run.load('adapter_model'))) {
    const value = tensor(t.data, { shape: t.shape, dtype: t.dtype });
    if (/\.lora_[AB]\.weight$/.test(name)) updates[name] = value;
    else modules[name.slice(PREFIX.length)] = value;
  }
  const config = await run.loadJson<{ r: number; lora_alpha: number; target_modules: string[] }>('adapter_config');
  const lora = { rank: config.r, alpha: config.lora_alpha, targets: config.target_modules };
  return mergeTuned(params, { adapter: fromPeftNames(updates), modules }, lora);
}

/** Parameters given as expressions, computed. */
async function realize<P>(params: P): Promise<P> {
  await evaluate(...tensorsOf(params).map((t) => t.tensor));
  return params;
}

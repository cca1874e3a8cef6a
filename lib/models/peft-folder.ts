/** LoRA adapters in PEFT's layout: adapter_model.safetensors beside adapter_config.json. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { FormatError, OmniError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { evaluate, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';
import { writeFileAtomic } from '../io/atomic';
import { checkFinite, toHost } from '../io/params';
import { readHostTensors, writeSafetensors } from '../io/safetensors';
import { fromPeftNames, mergeLora, toPeftNames } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { replaceModules } from '../nn/modules';
import type { SavedModules } from '../nn/modules';
import type { LlamaParams } from './llama';

/** An adapter, and the modules that were trained whole beside it. */
export interface Peft {
  adapter: LoraAdapter;
  modules: SavedModules;
  lora: LoraConfig;
  /** Whether it may leave out layers of the names that it targets: its configuration chooses some. */
  partial?: boolean;
}

const PREFIX = 'base_model.model.';
const nothing = z
  .record(z.string(), z.unknown())
  .nullish()
  .refine((r) => !r || !Object.keys(r).length, { error: 'expected none: all layers have one rank and one alpha here' });
const off = (what: string) =>
  z
    .boolean()
    .nullish()
    .refine((on) => !on, { error: `expected false: ${what}` });
/** Further fields of PEFT's do not change what the adapter computes. */
const configSchema = z.object({
  peft_type: z.literal('LORA'),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  /** A string is an expression that names layers, or "all-linear": the layers are then those in the file. */
  target_modules: z.union([z.array(z.string()), z.string()]),
  modules_to_save: z.array(z.string()).nullish(),
  /** Which of the layers of a name are targeted, if not all. */
  layers_to_transform: z.unknown().optional(),
  exclude_modules: z.unknown().optional(),
  use_rslora: z.boolean().nullish(),
  rank_pattern: nothing,
  alpha_pattern: nothing,
  use_dora: off('DoRA is not implemented'),
  fan_in_fan_out: off('the weights of layers are [out, in] here'),
});

/** Writes both files into a folder. */
export async function savePeft(dir: string, { adapter, modules, lora, partial }: Peft): Promise<void> {
  const names = Object.keys(modules).map((name) => name.split('.').at(-2)!);
  const prefixed = Object.fromEntries(Object.entries(modules).map(([name, t]) => [PREFIX + name, t]));
  await writeSafetensors(
    path.join(dir, 'adapter_model.safetensors'),
    await toHost({ ...toPeftNames(adapter), ...prefixed }),
    { format: 'pt' },
  );
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: 0,
    // One of some layers names each of them: their last names alone would mean all.
    target_modules: partial ? Object.keys(adapter) : lora.targets,
    modules_to_save: names.length ? names : null,
    bias: 'none',
    fan_in_fan_out: false,
  };
  await writeFileAtomic(path.join(dir, 'adapter_config.json'), JSON.stringify(config, null, 2) + '\n');
}

/** Reads them. Rank-stabilized adapters (rsLoRA, scaled by alpha / sqrt(r)) get the alpha that gives their scale. Throws FormatError. */
export async function loadPeft(dir: string): Promise<Peft> {
  const file = path.join(dir, 'adapter_config.json');
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new FormatError(file, 'expected a JSON file, found none that can be read', "name an adapter's folder", {
      cause: error,
    });
  }
  const read = configSchema.safeParse(content);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new FormatError(file, `${issue.path.join('.')}: ${issue.message}`, 'only LoRA adapters can be loaded');
  }
  const updates: Record<string, Tensor> = {};
  const modules: SavedModules = {};
  const weights = path.join(dir, 'adapter_model.safetensors');
  const { tensors } = await readHostTensors(weights);
  checkFinite(weights, tensors);
  for (const [name, t] of Object.entries(tensors)) {
    const value = tensor(t.data, { shape: t.shape, dtype: t.dtype });
    if (/\.lora_[AB]\.weight$/.test(name)) updates[name] = value;
    else modules[name.slice(PREFIX.length)] = value;
  }
  const { r, lora_alpha, target_modules, modules_to_save: saved, use_rslora } = read.data;
  const adapter = pairsOf(weights, updates);
  const targets = typeof target_modules === 'string' ? lastNames(Object.keys(adapter)) : target_modules;
  const alpha = use_rslora ? lora_alpha * Math.sqrt(r) : lora_alpha;
  // A name may have several parts, and a module several tensors.
  const missing = saved?.find((name) => !Object.keys(modules).some((path) => `.${path}`.includes(`.${name}.`)));
  if (missing !== undefined)
    throw new FormatError(weights, `expected the module ${missing} in it, found none`, 'the file is not whole');
  const { layers_to_transform: some, exclude_modules: not } = read.data;
  const partial = typeof target_modules === 'string' || (some ?? null) !== null || (not ?? null) !== null;
  return { adapter, modules, lora: { rank: r, alpha, targets }, ...(partial ? { partial } : {}) };
}

/** The updates by layer. Throws FormatError where half of one is missing. */
function pairsOf(file: string, updates: Record<string, Tensor>): LoraAdapter {
  try {
    return fromPeftNames(updates);
  } catch (error) {
    if (!(error instanceof OmniError)) throw error;
    throw new FormatError(file, error.what, error.help, { cause: error });
  }
}

const lastNames = (paths: readonly string[]): string[] => [...new Set(paths.map((name) => name.split('.').at(-1)!))];

/**
 * Checks that an adapter is whole and fits the model: an update for each layer that it targets (unless it is of some of
 * them only), and everything of the model's types and shapes. Throws FormatError naming what does not fit.
 */
export function checkPeft(where: string, params: LlamaParams, { adapter, modules, lora, partial }: Peft): void {
  const fail = (name: string, expected: string, got: string): never => {
    throw new FormatError(
      where,
      `expected "${name}" ${expected}, got ${got}`,
      'the adapter is not whole, or belongs to another model',
    );
  };
  const left = new Set([...Object.keys(adapter), ...Object.keys(modules)]);
  for (const { path: name, tensor: t } of tensorsOf(params)) {
    const show = ({ dtype, shape }: Tensor): string => `${dtype} ${showShape(shape)}`;
    const fits = (given: Tensor | undefined, what: string, shape: readonly number[]): void => {
      if (given?.dtype !== 'float32' || !sameShape(given.shape, shape))
        fail(what, `as float32 ${showShape(shape)}`, given ? show(given) : 'nothing');
    };
    if (left.delete(name)) fits(modules[name], name, t.shape);
    const layer = name.replace(/\.weight$/, '');
    // PEFT's rule: the layer's path, or the end of it.
    const targeted = lora.targets.some((target) => layer === target || layer.endsWith(`.${target}`));
    const due = !partial && name.endsWith('.weight') && targeted;
    if (!left.delete(layer) && !due) continue;
    const update = (adapter as Record<string, LoraAdapter[string] | undefined>)[layer];
    fits(update?.A, `${layer}.lora_A`, [lora.rank, t.shape[1]]);
    fits(update?.B, `${layer}.lora_B`, [t.shape[0], lora.rank]);
  }
  for (const name of left) fail(name, 'to be a layer of the model', 'a name that it lacks');
}

/** The model with modules replaced and the adapter merged into its weights, as concrete values. */
export async function mergePeft(params: LlamaParams, { adapter, modules, lora }: Peft): Promise<LlamaParams> {
  const merged = mergeLora(replaceModules(params, modules), adapter, lora);
  await evaluate(...tensorsOf(merged).map((t) => t.tensor));
  return merged;
}

/**
 * LoRA (Hu et al. 2021): low-rank updates of chosen linear layers. The adapter is a tree of its own beside the frozen
 * parameters, so that only it is differentiated and stored, and the reference policy is the same model without it.
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';
import { filled, uniform } from './init';
import type { Noise } from './init';
import type { Linear4BitParams, LinearParams } from './linear';
import { is4Bit } from './linear-4bit';
import type { Weight4Bit } from './linear-4bit';

export interface LoraConfig {
  rank: number;
  alpha: number;
  /** Last names of the layers' paths, as in PEFT: q_proj, v_proj, .... */
  targets: readonly string[];
}

/** For each layer's path ("model.layers.0.self_attn.q_proj") its A [rank, in] and B [out, rank]. */
export type LoraAdapter = { [path: string]: { A: Tensor; B: Tensor } };

/**
 * The paths of the linear layers whose last name is a target, and their weights' shapes [out, in]. Throws when a target
 * matches none.
 */
export function loraTargets(
  params: unknown,
  targets: readonly string[],
): { path: string; shape: readonly [number, number] }[] {
  const layers = tensorsOf(params).flatMap(({ path, tensor: { rank, dtype, shape } }) => {
    const [, layer, codes] = /^(.*)\.weight(\.codes)?$/.exec(path) ?? [];
    if (layer === undefined || rank !== 2 || (codes !== undefined) !== (dtype === 'uint8')) return [];
    return [{ path: layer, shape: [shape[0], codes ? 2 * shape[1] : shape[1]] as const }];
  });
  const lastName = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
  for (const target of targets)
    if (!layers.some(({ path }) => lastName(path) === target))
      throw new ArgumentError(
        'lora',
        `expected targets among ${[...new Set(layers.map(({ path }) => lastName(path)))].join(', ')}, got "${target}"`,
        'name the layers as the model does',
      );
  return layers.filter(({ path }) => targets.includes(lastName(path)));
}

/**
 * A: uniform as Kaiming's rule with a = sqrt(5) gives (PEFT's default); B: zeros, so that training starts at the
 * model.
 */
export function loraInit(rng: Noise, params: unknown, config: LoraConfig): LoraAdapter {
  if (!Number.isInteger(config.rank) || config.rank < 1)
    throw new ArgumentError('lora', `expected a rank of at least 1, got ${config.rank}`, 'choose for example 8');
  if (!(config.alpha > 0 && Number.isFinite(config.alpha)))
    throw new ArgumentError('lora', `expected alpha > 0, got ${config.alpha}`, 'choose for example twice the rank');
  return Object.fromEntries(
    loraTargets(params, config.targets).map(({ path, shape: [outputs, inputs] }) => {
      return [
        path,
        { A: uniform(rng, [config.rank, inputs], 1 / Math.sqrt(inputs)), B: filled([outputs, config.rank], 0) },
      ];
    }),
  );
}

/** The parameters with each adapted layer carrying its update; use it inside the traced function. */
export function withLora<P>(params: P, adapter: LoraAdapter, config: LoraConfig): P {
  return rebuild(params, adapter, (layer, { A, B }) => ({
    ...layer,
    lora: { A, B, scale: config.alpha / config.rank },
  }));
}

/** The parameters with the updates added to the weights: W + scale B A. */
export function mergeLora<P>(params: P, adapter: LoraAdapter, config: LoraConfig): P {
  return rebuild(params, adapter, (layer, { A, B }) => ({
    ...layer,
    weight: whole(layer.weight).add(B.matMul(A).mul(config.alpha / config.rank)),
  }));
}

/** Parameters whose layers carry their updates (`withLora`), with these added to the weights, those of 4 bits excepted. */
export function foldLora<P>(params: P): P {
  const visit = (node: unknown): unknown => {
    if (node instanceof Tensor || typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return node.map(visit);
    const { lora, ...layer } = node as LinearParams | Linear4BitParams;
    if (lora && !is4Bit(layer.weight))
      return { ...layer, weight: layer.weight.add(lora.B.matMul(lora.A).mul(lora.scale)) };
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, visit(v)]));
  };
  return visit(params) as P;
}

/** The inverse of mergeLora, up to rounding. */
export function unmergeLora<P>(params: P, adapter: LoraAdapter, config: LoraConfig): P {
  return rebuild(params, adapter, (layer, { A, B }) => ({
    ...layer,
    weight: whole(layer.weight).sub(B.matMul(A).mul(config.alpha / config.rank)),
  }));
}

function rebuild<P>(
  params: P,
  adapter: LoraAdapter,
  change: (layer: LinearParams | Linear4BitParams, update: { A: Tensor; B: Tensor }) => LinearParams | Linear4BitParams,
): P {
  const left = new Set(Object.keys(adapter));
  const visit = (node: unknown, path: string): unknown => {
    const update = adapter[path];
    if (update) {
      left.delete(path);
      checkFit(path, node as LinearParams | Linear4BitParams, update);
      return change(node as LinearParams | Linear4BitParams, update);
    }
    if (node instanceof Tensor || typeof node !== 'object' || node === null) return node;
    const join = (k: string | number): string => (path ? `${path}.${k}` : String(k));
    if (Array.isArray(node)) return node.map((item, i) => visit(item, join(i)));
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, visit(v, join(k))]));
  };
  const out = visit(params, '') as P;
  if (left.size)
    throw new ArgumentError(
      'lora',
      `expected an adapter of this model, found no layer ${[...left][0]}`,
      'load the adapter beside the model that it was trained on',
    );
  return out;
}

/** A weight to which an update can be added. */
function whole(weight: Tensor | Weight4Bit): Tensor {
  if (is4Bit(weight))
    throw new ArgumentError(
      'lora',
      'expected float32 weights to add an update to, got weights of 4 bits',
      'keep the adapter beside them (withLora), or dequantise them first',
    );
  return weight;
}

/** [out, in] of a layer's weight. */
const shapeOf = (weight: Tensor | Weight4Bit | undefined): readonly number[] =>
  weight && is4Bit(weight) ? [weight.codes.shape[0], 2 * weight.codes.shape[1]] : (weight?.shape ?? []);

function checkFit(path: string, layer: LinearParams | Linear4BitParams, { A, B }: { A: Tensor; B: Tensor }): void {
  const [outputs, inputs] = shapeOf(layer.weight);
  const fits = A.rank === 2 && B.rank === 2 && A.shape[1] === inputs && B.shape[0] === outputs;
  if (!fits || A.shape[0] !== B.shape[1])
    throw new ShapeError(
      'lora',
      `expected A [rank, ${inputs}] and B [${outputs}, rank] for ${path}, got ${showShape(A.shape)} and ${showShape(B.shape)}`,
      'load the adapter beside the model that it was trained on',
    );
}

/** Names and values as PEFT stores them: base_model.model.<path>.lora_A.weight and lora_B.weight. */
export function toPeftNames(adapter: LoraAdapter): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(adapter).flatMap(([path, { A, B }]) => [
      [`base_model.model.${path}.lora_A.weight`, A],
      [`base_model.model.${path}.lora_B.weight`, B],
    ]),
  );
}

/** The inverse of toPeftNames. Throws on names that are not PEFT's. */
export function fromPeftNames(tensors: Record<string, Tensor>): LoraAdapter {
  const adapter: LoraAdapter = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const match = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name);
    if (!match)
      throw new ArgumentError(
        'lora',
        `expected names like base_model.model.<layer>.lora_A.weight, got "${name}"`,
        'pass the tensors of a PEFT adapter_model.safetensors',
      );
    const part = (adapter[match[1]] ??= {} as { A: Tensor; B: Tensor });
    part[match[2] as 'A' | 'B'] = tensor;
  }
  for (const [path, { A, B }] of Object.entries(adapter))
    if (!A || !B)
      throw new ArgumentError(
        'lora',
        `expected lora_A and lora_B for ${path}, found one of them`,
        'the file is incomplete',
      );
  return adapter;
}

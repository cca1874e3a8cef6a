/**
 * A program: the nodes that a set of outputs needs, in order, ready for an engine. Building one drops dead code, merges
 * equal computations (but never a recomputation with its original), simplifies (rewrite.ts) and replaces whatever has no
 * elements by constants, so that the engines never meet an empty operand.
 */
import { ArgumentError } from '../errors';
import { fromNumbers } from './dtype';
import { topologicalOrder } from './grad';
import type { OpName, TensorType } from './ops';
import { rewrite } from './rewrite';
import { sizeOf } from './shape';
import { constant, Node, Tensor } from './tensor';

export interface Program {
  /** Placeholders in the order in which values are fed. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** All nodes but inputs, each after its operands. */
  readonly nodes: readonly Node[];
}

const filledWith = (t: TensorType, value: number): Tensor =>
  constant({
    dtype: t.dtype,
    shape: t.shape,
    data: fromNumbers('constant', t.dtype, new Array<number>(sizeOf(t.shape)).fill(value)),
  });

/** Sums over nothing. */
const SUMS: OpName[] = ['reduceSum', 'matMul', 'conv', 'convTranspose'];
/** Operations that return their first operand when the second or third has no elements. */
const UPDATES: OpName[] = ['scatterAdd', 'scatterElements'];

const keyOf = (t: Tensor): string => `${t.node.id}:${t.index}`;

function describe(node: Pick<Node, 'op' | 'params' | 'copy' | 'types'>, inputs: readonly Tensor[]): string | null {
  if (node.op === 'input' || node.op === 'customGradient') return null;
  const params =
    node.op === 'constant' ? constantKey(node as unknown as Node<'constant'>) : JSON.stringify(node.params);
  return params === null ? null : `${node.op}|${node.copy}|${params}|${inputs.map(keyOf).join(',')}`;
}

/** Only small constants are compared. */
function constantKey(node: Node<'constant'>): string | null {
  const { dtype, shape } = node.types[0];
  const { data } = node.params;
  return data.length <= 64
    ? `${dtype}[${shape.join()}]${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')}`
    : null;
}

/**
 * Builds the program that computes `outputs` from `inputs`. Placeholders that are not among `inputs` must be concrete;
 * they are reported through `capture`, which returns the input that stands for them.
 */
export function buildProgram(
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  capture: (t: Tensor) => Tensor,
): Program {
  const map = new Map<string, Tensor>();
  const merged = new Map<string, Node>();
  const nodes: Node[] = [];
  const allInputs = [...inputs];
  for (const t of inputs) map.set(keyOf(t), t);
  // A tensor that already has values is a leaf, however it was once computed.
  const concrete = (t: Tensor): boolean => t.storage !== null && !map.has(keyOf(t));
  const leaves = new Map<string, Tensor>();
  const stop = (t: Tensor): boolean => {
    if (map.has(keyOf(t))) return true;
    if (concrete(t)) {
      leaves.set(keyOf(t), t);
      return true;
    }
    return false;
  };
  const order = topologicalOrder(outputs, stop);
  for (const t of leaves.values()) {
    const standIn = capture(t);
    map.set(keyOf(t), standIn);
    if (standIn.node.op === 'input') allInputs.push(standIn);
    else nodes.push(standIn.node);
  }

  for (const node of order) {
    if (node.op === 'input')
      throw new ArgumentError(
        'jit',
        'expected every tensor to be an argument or to have values, found a placeholder of another trace',
        'return tensors from the traced function instead of storing them outside; inside it there are no values to read with .data() or .item()',
      );
    const x = node.inputs.map((t) => map.get(keyOf(t))!);
    // Identities: what they return is their first operand.
    if (node.op === 'stopGradient' || node.op === 'customGradient') {
      map.set(`${node.id}:0`, x[0]);
      continue;
    }
    const empty = node.types.every((t) => sizeOf(t.shape) === 0);
    const noTerms = SUMS.includes(node.op) && x.some((t) => t.size === 0);
    if (node.op !== 'constant' && (empty || noTerms)) {
      node.types.forEach((t, i) => {
        const zero = filledWith(t, 0);
        nodes.push(zero.node);
        map.set(`${node.id}:${i}`, zero);
      });
      continue;
    }
    if (UPDATES.includes(node.op) && x[1].size === 0) {
      map.set(`${node.id}:0`, x[0]);
      continue;
    }
    const some = node.op === 'concat' ? x.filter((t) => t.size > 0) : x;
    if (node.op === 'concat' && some.length === 1) {
      map.set(`${node.id}:0`, some[0]);
      continue;
    }
    // A product over nothing is one; padding nothing gives the padding.
    if ((node.op === 'reduceProd' || node.op === 'pad') && x[0].size === 0) {
      const value = node.op === 'pad' ? (node as unknown as Node<'pad'>).params.value : 1;
      const filled = filledWith(node.types[0], value);
      nodes.push(filled.node);
      map.set(`${node.id}:0`, filled);
      continue;
    }
    const simpler = rewrite(node, some);
    if (simpler instanceof Tensor) {
      map.set(`${node.id}:0`, simpler);
      continue;
    }
    const { op, params, inputs: operands } = simpler ?? { op: node.op, params: node.params, inputs: some };
    const key = describe({ ...node, op, params }, operands);
    let result = key === null ? undefined : merged.get(key);
    if (!result) {
      const same = operands.length === node.inputs.length && operands.every((t, i) => t === node.inputs[i]);
      result = same && !simpler ? node : new Node<OpName>(op, params, operands, node.types, node.copy);
      nodes.push(result);
      if (key !== null) merged.set(key, result);
    }
    const final = result;
    node.types.forEach((_, i) => map.set(`${node.id}:${i}`, new Tensor(final, i)));
  }
  // After the merges some nodes may have become dead.
  const results = outputs.map((t) => map.get(keyOf(t))!);
  const alive = new Set(topologicalOrder(results));
  return { inputs: allInputs, outputs: results, nodes: nodes.filter((n) => alive.has(n)) };
}

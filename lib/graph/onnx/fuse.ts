/**
 * Groups of nodes that the CPU's provider runs faster as one operator. On small tensors a node costs more than its work.
 *
 *   slices of one tensor that part an axis among them: Split
 *   a sum of squares whose squares nothing else uses: ReduceSumSquare
 *   a product of matrices that only a sum with a row uses (a linear layer): Gemm
 */
import type { Program } from '../program';
import { isOp } from '../tensor';
import type { Node, Tensor } from '../tensor';
import type { AttributeValue } from './rules';

/** One operator in place of several nodes; it is written where the first of them stands. */
export interface Fused {
  opType: string;
  inputs: readonly Tensor[];
  /** A further operand: int64 constants. */
  ints?: readonly number[];
  attributes: Record<string, AttributeValue>;
  /** Whose results it gives, in order. */
  nodes: readonly Node[];
}

/** For each node that is written otherwise: the operator, or null where an operator of another node makes it superfluous. */
export function fuse({ nodes, outputs }: Program): Map<Node, Fused | null> {
  const found = new Map<Node, Fused | null>();
  for (const [first, group] of partitions(nodes)) {
    for (const node of group.nodes) found.set(node, null);
    found.set(first, group);
  }
  const uses = new Map<Node, number>();
  for (const t of [...outputs, ...nodes.flatMap((n) => n.inputs)]) uses.set(t.node, (uses.get(t.node) ?? 0) + 1);
  for (const node of nodes) {
    const pair = node.types[0].dtype === 'float32' ? (squareSum(node) ?? linearLayer(node)) : null;
    if (!pair || uses.get(pair.inner) !== 1) continue;
    found.set(pair.inner, null);
    found.set(node, { attributes: {}, ...pair.operator, nodes: [node] });
  }
  return found;
}

const keyOf = (t: Tensor): string => `${t.node.id}:${t.index}`;

interface Cut {
  node: Node;
  axis: number;
  from: number;
  to: number;
}

/** The one axis that a slice cuts, without steps. */
function cutOf(node: Node): Cut | null {
  if (!isOp(node, 'slice')) return null;
  const { starts, ends, steps } = node.params;
  const { shape } = node.inputs[0];
  const axes = shape.flatMap((size, i) => (starts[i] !== 0 || ends[i] !== size ? [i] : []));
  if (axes.length !== 1 || steps.some((s) => s !== 1)) return null;
  return { node, axis: axes[0], from: starts[axes[0]], to: ends[axes[0]] };
}

/** Slices that part an axis of a tensor among them, by the one that comes first. */
function partitions(nodes: readonly Node[]): Map<Node, Fused> {
  const cuts = new Map<string, Cut[]>();
  for (const node of nodes) {
    const cut = cutOf(node);
    if (!cut) continue;
    const key = `${keyOf(node.inputs[0])} ${cut.axis}`;
    const list = cuts.get(key);
    if (list) list.push(cut);
    else cuts.set(key, [cut]);
  }
  const whole = new Map<Node, Fused>();
  for (const list of cuts.values()) {
    const inOrder = [...list].sort((a, b) => a.from - b.from);
    const [{ node, axis }] = list;
    const end = inOrder.reduce((at, { from, to }) => (at === from ? to : NaN), 0);
    if (end !== node.inputs[0].shape[axis]) continue;
    whole.set(node, {
      opType: 'Split',
      inputs: node.inputs,
      ints: inOrder.map(({ from, to }) => to - from),
      attributes: { axis },
      nodes: inOrder.map((cut) => cut.node),
    });
  }
  return whole;
}

/** An operator that does the work of a node and of one of its operands, `inner`. */
interface Pair {
  inner: Node;
  operator: Pick<Fused, 'opType' | 'inputs' | 'ints'> & Partial<Pick<Fused, 'attributes'>>;
}

function squareSum(node: Node): Pair | null {
  if (!isOp(node, 'reduceSum')) return null;
  const inner = node.inputs[0].node;
  const [a, b] = inner.inputs;
  if (inner.op !== 'mul' || keyOf(a) !== keyOf(b)) return null;
  const { axes, keepDims } = node.params;
  return {
    inner,
    operator: { opType: 'ReduceSumSquare', inputs: [a], ints: axes, attributes: { keepdims: keepDims ? 1 : 0 } },
  };
}

function linearLayer(node: Node): Pair | null {
  if (node.op !== 'add') return null;
  const [product, bias] = node.inputs;
  const inner = product.node;
  if (!isOp(inner, 'matMul') || product.rank !== 2 || bias.rank !== 1 || bias.size !== product.shape[1]) return null;
  const { transA, transB } = inner.params;
  const attributes = { transA: transA ? 1 : 0, transB: transB ? 1 : 0 };
  return { inner, operator: { opType: 'Gemm', inputs: [...inner.inputs, bias], attributes } };
}

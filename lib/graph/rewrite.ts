/**
 * Simpler forms of what a traced function computes, most of it left behind by gradient rules, which look at one operation at a time.
 * Values stay as they are, but for the sign of zeros.
 *
 *   reshape of reshape, transpose of transpose: one of them, or none
 *   sums of what is padded with zeros, each elsewhere along an axis (the gradient of a tensor that was cut up): concat
 */
import type { OpName, OpParams } from './ops';
import { sameShape } from './shape';
import { isOp } from './tensor';
import type { Node, Tensor } from './tensor';

/** An operation in place of another, with a result of the same type. */
export interface Replacement {
  op: OpName;
  params: OpParams[OpName];
  inputs: readonly Tensor[];
}

/** What stands for `node` with operands `x`: a tensor that is there already, another operation, or null. */
export function rewrite(node: Node, x: readonly Tensor[]): Tensor | Replacement | null {
  if (isOp(node, 'reshape')) return reshaped(node.params.shape, x[0]);
  if (isOp(node, 'transpose')) return transposed(node.params.perm, x[0]);
  if (isOp(node, 'add')) return joined(x, node.types[0].shape);
  return null;
}

function reshaped(shape: number[], x: Tensor): Tensor | Replacement | null {
  const from = x.node.op === 'reshape' ? x.node.inputs[0] : x;
  if (sameShape(from.shape, shape)) return from;
  return from === x ? null : { op: 'reshape', params: { shape }, inputs: [from] };
}

function transposed(perm: number[], x: Tensor): Tensor | Replacement | null {
  const whole = isOp(x.node, 'transpose') ? x.node.params.perm : null;
  const [from, through] = whole ? [x.node.inputs[0], perm.map((axis) => whole[axis])] : [x, perm];
  if (through.every((axis, i) => axis === i)) return from;
  return whole ? { op: 'transpose', params: { perm: through }, inputs: [from] } : null;
}

/** A tensor of zeros but for pieces along one axis, in order, without overlap. */
interface Pieces {
  axis: number;
  parts: readonly { from: number; to: number; tensor: Tensor }[];
}

const known = new WeakMap<Node, Pieces | null>();

function piecesOf({ node }: Tensor): Pieces | null {
  let found = known.get(node);
  if (found === undefined) {
    found = isOp(node, 'pad') ? padded(node) : node.op === 'add' ? together(node.inputs) : null;
    known.set(node, found);
  }
  return found;
}

function padded({ params: { before, after, value }, inputs: [tensor] }: Node & Node<'pad'>): Pieces | null {
  const axes = before.flatMap((n, i) => (n || after[i] ? [i] : []));
  if (value !== 0 || axes.length !== 1) return null;
  const [axis] = axes;
  return { axis, parts: [{ from: before[axis], to: before[axis] + tensor.shape[axis], tensor }] };
}

function together([a, b]: readonly Tensor[]): Pieces | null {
  const p = sameShape(a.shape, b.shape) ? piecesOf(a) : null;
  const q = p && piecesOf(b);
  if (!q || p.axis !== q.axis) return null;
  const parts = [...p.parts, ...q.parts].sort((s, t) => s.from - t.from);
  return parts.every((part, i) => i === 0 || parts[i - 1].to <= part.from) ? { axis: p.axis, parts } : null;
}

/** A sum whose pieces fill the axis. */
function joined(x: readonly Tensor[], shape: readonly number[]): Replacement | null {
  const pieces = together(x);
  if (!pieces) return null;
  const { axis, parts } = pieces;
  const filled = parts.reduce((at, { from, to }) => (at === from ? to : NaN), 0);
  return filled === shape[axis] ? { op: 'concat', params: { axis }, inputs: parts.map((p) => p.tensor) } : null;
}

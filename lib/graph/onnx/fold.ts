/**
 * Integer arithmetic on shapes, done while a model is read: exporters compute the operand of a Reshape by Shape,
 * Gather, Concat and so on, and with known sizes all of that is constant.
 */
import { emptyArray, isInteger } from '../dtype';
import type { OpName, OpParams } from '../ops';
import { range, sizeOf, stridesOf } from '../shape';
import { constant } from '../tensor';
import type { Node, Tensor } from '../tensor';

/** Larger constants are left to the runtime. */
const LIMIT = 4096;

type Values = readonly number[];
const valuesOf = (t: Tensor): Values => Array.from((t.node as unknown as Node<'constant'>).params.data, Number);

/** The constant integers of a tensor, or null if they are not known while reading. */
export function knownIntegers(t: Tensor): number[] | null {
  return t.node.op === 'constant' && (isInteger(t.dtype) || t.dtype === 'bool') ? [...valuesOf(t)] : null;
}

const BINARY: Partial<Record<OpName, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => Math.trunc(a / b),
  mod: (a, b) => a - Math.floor(a / b) * b,
  max: Math.max,
  min: Math.min,
  equal: (a, b) => Number(a === b),
  less: (a, b) => Number(a < b),
  lessOrEqual: (a, b) => Number(a <= b),
};

/** For each element of `to` its multi-index, as positions in a tensor of shape `from` that broadcasts to it. */
function broadcastPositions(from: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(from);
  const lead = to.length - from.length;
  const outer = stridesOf(to);
  return range(sizeOf(to)).map((i) =>
    from.reduce((at, d, k) => at + (d === 1 ? 0 : (Math.floor(i / outer[k + lead]) % to[k + lead]) * strides[k]), 0),
  );
}

function compute(t: Tensor): Values | null {
  const { op, inputs, params } = t.node;
  const x = inputs.map(valuesOf);
  const shape = t.shape;
  const binary = BINARY[op];
  if (binary) {
    const [a, b] = inputs.map((u) => broadcastPositions(u.shape, shape));
    return a.map((_, i) => binary(x[0][a[i]], x[1][b[i]]));
  }
  switch (op) {
    case 'cast':
    case 'reshape':
      return x[0];
    case 'neg':
      return x[0].map((v) => -v);
    case 'expand':
      return broadcastPositions(inputs[0].shape, shape).map((i) => x[0][i]);
    case 'where': {
      const [c, a, b] = inputs.map((u) => broadcastPositions(u.shape, shape));
      return c.map((_, i) => (x[0][c[i]] ? x[1][a[i]] : x[2][b[i]]));
    }
    case 'reduceProd':
      return sizeOf(shape) === 1 ? [x[0].reduce((a, b) => a * b, 1)] : null;
    case 'gather': {
      const { axis } = params as OpParams['gather'];
      if (inputs[0].rank !== 1 || axis !== 0) return null;
      return x[1].map((i) => x[0].at(i)!);
    }
    case 'concat':
      return inputs.every((u) => u.rank === 1) ? x.flat() : null;
    case 'slice': {
      const { starts, steps } = params as OpParams['slice'];
      return inputs[0].rank === 1 ? range(shape[0]).map((i) => x[0][starts[0] + i * steps[0]]) : null;
    }
    default:
      return null;
  }
}

/** The tensor as a constant if it is a small integer expression of constants; otherwise the tensor itself. */
export function fold(t: Tensor): Tensor {
  const { inputs, op } = t.node;
  const exact = (u: Tensor): boolean => isInteger(u.dtype) || u.dtype === 'bool';
  if (op === 'constant' || !inputs.length || t.size > LIMIT || !exact(t)) return t;
  if (!inputs.every((u) => u.node.op === 'constant' && exact(u) && u.size <= LIMIT)) return t;
  const values = compute(t);
  if (!values) return t;
  const data = emptyArray(t.dtype, values.length);
  values.forEach((v, i) => (data[i] = t.dtype === 'int64' ? BigInt(v) : t.dtype === 'bool' ? Number(v !== 0) : v));
  return constant({ dtype: t.dtype, shape: t.shape, data });
}

/**
 * How each primitive is computed with TensorFlow.js. It is a second opinion on the ONNX rules and shares nothing with
 * them: convolutions are channels-last with padding and dilation made explicit, transposed convolutions are
 * convolutions of the spread input, scatters go over flat positions, integers are computed exactly on the host.
 */
import { ArgumentError } from '../errors';
import type { DType } from '../graph/dtype';
import { isInteger } from '../graph/dtype';
import type { ArgParams, OpName, OpParams, ReduceParams, TensorType } from '../graph/ops';
import { NF4 } from '../graph/nf4';
import { range, sameShape, sizeOf } from '../graph/shape';
import type { Node } from '../graph/tensor';
import {
  cumulateIntegers,
  elementPositions,
  elementwise,
  erf,
  fitInteger,
  foldRows,
  hold,
  positions,
  roundHalf,
  upload,
} from './tfjs-host';
import { convolve, convolveTransposed } from './tfjs-conv';
import { around, every, expandTo, inverse, lastAxis, padded, permute } from './tfjs-layout';
import type { Tf, TfTensor as T } from './tfjs-library';

interface Args<P> {
  tf: Tf;
  p: P;
  x: readonly T[];
  xt: readonly TensorType[];
  yt: readonly TensorType[];
}
type Rule<P> = (args: Args<P>) => T | T[];
type UnaryName =
  'exp' | 'log' | 'sqrt' | 'reciprocal' | 'tanh' | 'sigmoid' | 'sin' | 'cos' | 'floor' | 'ceil' | 'round';

const unary =
  (name: UnaryName | 'logicalNot' | 'isNaN' | 'isInf'): Rule<unknown> =>
  ({ tf, x }) =>
    tf[name](x[0]);

/** Floats by the library, integers exactly. */
const sign =
  (name: 'neg' | 'abs' | 'sign', exact: (v: number) => number): Rule<unknown> =>
  ({ tf, x, yt: [y] }) =>
    isInteger(y.dtype) ? elementwise(tf, y.dtype, y.shape, x, exact) : tf[name](x[0]);

const arithmetic =
  (
    name: 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum',
    exact: (a: number, b: number, d: DType) => number,
  ): Rule<unknown> =>
  ({ tf, x, yt: [y] }) =>
    isInteger(y.dtype)
      ? elementwise(
          tf,
          y.dtype,
          y.shape,
          x.map((t) => expandTo(tf, t, y.shape)),
          (a, b) => exact(a, b, y.dtype),
        )
      : tf[name](x[0], x[1]);

const binary =
  (name: 'pow' | 'equal' | 'less' | 'lessEqual' | 'logicalAnd' | 'logicalOr'): Rule<unknown> =>
  ({ tf, x }) =>
    tf[name](x[0], x[1]);

/** A divisor of integers; zero is an error, as in the other engine. */
function divisor(where: string, b: number): number {
  if (b === 0)
    throw new ArgumentError(
      where,
      'expected integers to divide by, got zero',
      'integers cannot be divided by zero: cast to float32 first, or use .maximum(1)',
    );
  return b;
}

/** int32 products wrap around, which a product of doubles would not do exactly. */
const product = (a: number, b: number, dtype: DType): number => (dtype === 'int32' ? Math.imul(a, b) : a * b);

const reduce =
  (
    name: 'sum' | 'mean' | 'max' | 'min' | 'prod',
    start: number | null,
    exact: (a: number, b: number, d: DType) => number,
  ): Rule<ReduceParams> =>
  ({ tf, p, x, xt, yt: [y] }) => {
    const rest = range(xt[0].shape.length).filter((a) => !p.axes.includes(a));
    const rows = sizeOf(rest.map((a) => xt[0].shape[a]));
    const flat = tf.reshape(permute(tf, x[0], [...rest, ...p.axes]), [rows, sizeOf(xt[0].shape) / rows]);
    const out = isInteger(y.dtype)
      ? foldRows(tf, y.dtype, flat, start, (a, b) => exact(a, b, y.dtype))
      : tf[name](flat, 1, false);
    return tf.reshape(out, [...y.shape]);
  };

const argReduce =
  (name: 'argMax' | 'argMin'): Rule<ArgParams> =>
  ({ tf, p, x, yt: [y] }) =>
    tf.reshape(tf[name](around(tf, x[0], p.axis), 1), [...y.shape]);

/** The library's softmax works on the last axis. */
const onLastAxis =
  (name: 'softmax' | 'logSoftmax'): Rule<{ axis: number }> =>
  ({ tf, p, x }) => {
    const perm = lastAxis(x[0].shape.length, p.axis);
    return permute(tf, tf[name](permute(tf, x[0], perm)), inverse(perm));
  };

const first: Rule<unknown> = ({ x }) => x[0];

/** How TensorFlow.js computes each operation. */
export const tfjsRules: { [K in OpName]: Rule<OpParams[K]> } = {
  input: () => {
    throw new Error('inputs are fed');
  },
  constant: ({ tf, p, yt: [y] }) => upload(tf, y.dtype, y.shape, p.data),
  neg: sign('neg', (v) => -v),
  abs: sign('abs', Math.abs),
  sign: sign('sign', Math.sign),
  exp: unary('exp'),
  log: unary('log'),
  sqrt: unary('sqrt'),
  reciprocal: unary('reciprocal'),
  erf: ({ tf, x, yt: [y] }) => elementwise(tf, y.dtype, y.shape, x, erf),
  tanh: unary('tanh'),
  sigmoid: unary('sigmoid'),
  sin: unary('sin'),
  cos: unary('cos'),
  floor: unary('floor'),
  ceil: unary('ceil'),
  round: unary('round'),
  not: unary('logicalNot'),
  isNaN: unary('isNaN'),
  isInf: unary('isInf'),
  cast: ({ tf, x, xt, yt: [y] }) => {
    const cuts = isInteger(y.dtype) && !isInteger(xt[0].dtype);
    return elementwise(tf, y.dtype, y.shape, x, cuts ? Math.trunc : (v) => v);
  },
  add: arithmetic('add', (a, b) => a + b),
  sub: arithmetic('sub', (a, b) => a - b),
  mul: arithmetic('mul', product),
  div: arithmetic('div', (a, b) => Math.trunc(a / divisor('div', b))),
  pow: binary('pow'),
  max: arithmetic('maximum', (a, b) => Math.max(a, b)),
  min: arithmetic('minimum', (a, b) => Math.min(a, b)),
  // The remainder takes the divisor's sign.
  mod: ({ tf, x, yt: [y] }) =>
    elementwise(
      tf,
      y.dtype,
      y.shape,
      x.map((t) => expandTo(tf, t, y.shape)),
      (a, b) => ((a % divisor('mod', b)) + b) % b,
    ),
  equal: binary('equal'),
  less: binary('less'),
  lessOrEqual: binary('lessEqual'),
  and: binary('logicalAnd'),
  or: binary('logicalOr'),
  where: ({ tf, x, yt: [y] }) => {
    const [c, a, b] = x.map((t) => expandTo(tf, t, y.shape));
    return tf.where(c, a, b);
  },
  reduceSum: reduce('sum', 0, (a, b) => a + b),
  reduceMean: reduce('mean', null, () => NaN),
  reduceMax: reduce('max', null, (a, b) => Math.max(a, b)),
  reduceMin: reduce('min', null, (a, b) => Math.min(a, b)),
  reduceProd: reduce('prod', 1, product),
  argMax: argReduce('argMax'),
  argMin: argReduce('argMin'),
  cumSum: ({ tf, p, x, yt: [y] }) => {
    const flat = around(tf, x[0], p.axis);
    const out = isInteger(y.dtype)
      ? cumulateIntegers(tf, y.dtype, flat, p.exclusive, p.reverse)
      : tf.cumsum(flat, 1, p.exclusive, p.reverse);
    return tf.reshape(out, [...y.shape]);
  },
  softmax: onLastAxis('softmax'),
  logSoftmax: onLastAxis('logSoftmax'),
  topK: ({ tf, p, x, yt: [y] }) => {
    // The smallest are the largest of the mirrored values: -v, or -1 - v for integers, which cannot overflow.
    const mirror = (t: T): T =>
      p.largest ? t : isInteger(y.dtype) ? elementwise(tf, 'int32', t.shape, [t], (v) => ~v) : tf.neg(t);
    const perm = lastAxis(y.shape.length, p.axis);
    const moved = perm.map((a) => y.shape[a]);
    const source = permute(tf, mirror(x[0]), perm);
    const { values, indices } = tf.topk(tf.reshape(source, [-1, source.shape.at(-1)!]), p.k, true);
    return [mirror(values), indices].map((t) => permute(tf, tf.reshape(t, moved), inverse(perm)));
  },
  matMul: ({ tf, p, x: [a, b], yt: [y] }) => {
    const batch = y.shape.slice(0, -2);
    const stacked = (t: T): T => {
      const matrix = t.shape.slice(-2);
      return tf.reshape(expandTo(tf, t, [...batch, ...matrix]), [sizeOf(batch), ...matrix]);
    };
    return tf.reshape(tf.matMul(stacked(a), stacked(b), p.transA, p.transB), [...y.shape]);
  },
  conv: ({ tf, p, x: [x, w] }) => convolve(tf, x, w, p),
  convTranspose: ({ tf, p, x: [x, w] }) => convolveTransposed(tf, x, w, p),
  transpose: ({ tf, p, x }) => permute(tf, x[0], p.perm),
  reshape: ({ tf, p, x }) => tf.reshape(x[0], p.shape),
  expand: ({ tf, p, x }) => expandTo(tf, x[0], p.shape),
  slice: ({ tf, p, x, yt: [y] }) => {
    if (!y.shape.length) return x[0];
    // Backward ranges become forward ranges of the reversed axes; then every step-th entry is taken.
    const back = range(y.shape.length).filter((i) => p.steps[i] < 0);
    const turned = back.length ? tf.reverse(x[0], back) : x[0];
    const starts = p.starts.map((s, i) => (p.steps[i] < 0 ? x[0].shape[i] - 1 - s : s));
    const steps = p.steps.map(Math.abs);
    const span = steps.map((s, i) => (y.shape[i] - 1) * s + 1);
    return every(tf, tf.slice(turned, starts, span), steps);
  },
  concat: ({ tf, p, x }) => tf.concat([...x], p.axis),
  pad: ({ tf, p, x }) => padded(tf, x[0], p.before, p.after, p.value),
  gather: ({ tf, p, x, yt: [y] }) => {
    const at = positions('gather', x[1], x[0].shape[p.axis]);
    return tf.reshape(tf.gather(around(tf, x[0], p.axis), tf.tensor(at, [at.length], 'int32'), 1), [...y.shape]);
  },
  scatterAdd: ({ tf, p, x: [base, indices, updates], yt: [y] }) => {
    // Updates are [before, n, after], flat; the base is [before, size, after].
    const size = y.shape[p.axis];
    const after = sizeOf(y.shape.slice(p.axis + 1));
    const at = positions('scatterAdd', indices, size);
    const n = at.length;
    const flat = Int32Array.from({ length: updates.size }, (_, i) => {
      const row = Math.floor(i / after);
      return (Math.floor(row / n) * size + at[row % n]) * after + (i % after);
    });
    return scatter(tf, y, base, flat, updates, true);
  },
  gatherElements: ({ tf, p, x, yt: [y] }) => {
    const at = elementPositions('gatherElements', x[1], x[0].shape, p.axis);
    return tf.reshape(tf.gather(tf.reshape(x[0], [-1]), tf.tensor(at, [at.length], 'int32'), 0), [...y.shape]);
  },
  scatterElements: ({ tf, p, x: [base, indices, updates], yt: [y] }) =>
    scatter(tf, y, base, elementPositions('scatterElements', indices, y.shape, p.axis), updates, p.reduction === 'add'),
  // x / sqrt(mean(x^2) + epsilon) * scale
  rmsNormalization: ({ tf, p, x: [x, scale] }) => {
    const mean = tf.mean(tf.square(x), x.shape.length - 1, true);
    return tf.mul(tf.div(x, tf.sqrt(tf.add(mean, tf.scalar(p.epsilon, 'float32')))), scale);
  },
  rotaryEmbedding: ({ tf, x: [x, cos, sin] }) => {
    const [batch, heads, time, width] = x.shape;
    const half = width / 2;
    // One table for the batch, or one a row; the heads share them.
    const rows = cos.shape.length === 3 ? batch : 1;
    const [c, s] = [cos, sin].map((t) => tf.reshape(t, [rows, 1, time, half]));
    const [a, b] = [0, half].map((from) => tf.slice(x, [0, 0, 0, from], [batch, heads, time, half]));
    return tf.concat([tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))], 3);
  },
  // The matrix is made on the host, from its codes.
  matMulNf4: ({ tf, p, x: [x, codes, scales] }) => {
    const [outputs, half] = codes.shape;
    const [bytes, scale] = [codes.dataSync(), scales.dataSync()];
    const block = (2 * outputs * half) / scale.length;
    const matrix = Float32Array.from(
      { length: 2 * outputs * half },
      (_, i) => NF4[i % 2 ? bytes[i >> 1] & 15 : bytes[i >> 1] >> 4] * scale[Math.floor(i / block)],
    );
    const rows = tf.reshape(x, [-1, x.shape[x.shape.length - 1]]);
    const y = tf.matMul(rows, tf.tensor(matrix, [outputs, 2 * half], 'float32'), false, p.transB);
    return tf.reshape(y, [...x.shape.slice(0, -1), p.transB ? outputs : 2 * half]);
  },
  stopGradient: first,
  barrier: first,
  customGradient: first,
};

/**
 * Computes one node. The results are new tensors that the caller disposes of; everything in between is freed. The
 * caller keeps its own operands.
 */
export function computeNode(tf: Tf, node: Node, x: readonly T[]): T[] {
  return tf.tidy(() => {
    const rule = tfjsRules[node.op] as Rule<unknown>;
    const out = [rule({ tf, p: node.params, x, xt: node.inputs, yt: node.types })].flat();
    return out.map((t, i) => {
      const type = node.types[i];
      if (!sameShape(t.shape, type.shape))
        throw new Error(`tfjs ${node.op}: expected shape [${type.shape.join(', ')}], got [${t.shape.join(', ')}]`);
      return type.dtype === 'float16' ? roundHalf(tf, t) : x.includes(t) ? t.clone() : t;
    });
  });
}

/** Writes or adds updates at flat positions. Where two updates meet, the later one is written; sums take all. */
function scatter(tf: Tf, y: TensorType, base: T, at: Int32Array, updates: T, add: boolean): T {
  if (add && !isInteger(y.dtype)) {
    const size = sizeOf(y.shape);
    const sums = tf.scatterND(tf.tensor(at, [at.length, 1], 'int32'), tf.reshape(updates, [-1]), [size]);
    return tf.add(base, tf.reshape(sums, [...y.shape]));
  }
  const out = Float64Array.from(base.dataSync());
  const values = updates.dataSync();
  at.forEach((j, i) => (out[j] = add ? fitInteger('scatter', y.dtype, out[j] + values[i]) : values[i]));
  return hold(tf, y.dtype, y.shape, out);
}

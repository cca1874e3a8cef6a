/** What each primitive returns: element type and shape from its operands' types and its parameters, with the checks. */
import { ShapeError } from '../errors';
import { isFloat, isInteger } from './dtype';
import type { DType } from './dtype';
import type { ArgParams, ConvParams, OpName, OpParams, ReduceParams, TensorType } from './ops';
import {
  broadcastShapes,
  checkShape,
  normalizeAxes,
  normalizeAxis,
  range,
  sameShape,
  showShape,
  sizeOf,
} from './shape';

type Rule<P> = (where: string, x: readonly TensorType[], p: P) => TensorType[];
type Plain = Record<string, never>;
type Kind = 'float' | 'number' | 'bool' | 'byte' | 'integer' | 'value' | 'any';

const kinds: Record<Kind, { test: (d: DType) => boolean; text: string }> = {
  float: { test: isFloat, text: 'a float tensor' },
  number: { test: (d) => d !== 'bool' && d !== 'uint8', text: 'a numeric tensor' },
  bool: { test: (d) => d === 'bool', text: 'a bool tensor' },
  byte: { test: (d) => d === 'uint8', text: 'a uint8 tensor' },
  value: { test: (d) => d !== 'uint8', text: 'a numeric or bool tensor' },
  integer: { test: isInteger, text: 'an int32 or int64 tensor' },
  any: { test: () => true, text: 'any tensor' },
};

function need(where: string, kind: Kind, ...tensors: TensorType[]): void {
  for (const t of tensors)
    if (!kinds[kind].test(t.dtype))
      throw new ShapeError(
        where,
        `expected ${kinds[kind].text}, got ${t.dtype} ${showShape(t.shape)}`,
        'convert it with .cast(dtype)',
      );
}

function sameType(where: string, ...tensors: TensorType[]): DType {
  for (const t of tensors)
    if (t.dtype !== tensors[0].dtype)
      throw new ShapeError(
        where,
        `expected operands of one type, got ${tensors.map((u) => u.dtype).join(' and ')}`,
        'convert one of them with .cast(dtype)',
      );
  return tensors[0].dtype;
}

const unary =
  (kind: Kind): Rule<Plain> =>
  (where, [x]) => {
    need(where, kind, x);
    return [x];
  };

const binary =
  (kind: Kind, result?: DType): Rule<Plain> =>
  (where, [a, b]) => {
    need(where, kind, a, b);
    const dtype = sameType(where, a, b);
    return [{ dtype: result ?? dtype, shape: broadcastShapes(where, a.shape, b.shape) }];
  };

const predicate: Rule<Plain> = (where, [x]) => {
  need(where, 'float', x);
  return [{ dtype: 'bool', shape: x.shape }];
};

const reduce =
  (kind: Kind, emptyOk: boolean): Rule<ReduceParams> =>
  (where, [x], { axes, keepDims }: ReduceParams) => {
    need(where, kind, x);
    const list = normalizeAxes(where, axes, x.shape.length);
    if (!emptyOk && list.some((a) => x.shape[a] === 0))
      throw new ShapeError(
        where,
        `expected axes with elements, got shape ${showShape(x.shape)}`,
        'an empty axis has no extreme and no mean',
      );
    const shape = keepDims
      ? x.shape.map((d, i) => (list.includes(i) ? 1 : d))
      : x.shape.filter((_, i) => !list.includes(i));
    return [{ dtype: x.dtype, shape }];
  };

const argReduce: Rule<ArgParams> = (where, [x], { axis, keepDims }: ArgParams) => {
  need(where, 'number', x);
  const [t] = reduce('number', false)(where, [x], { axes: [axis], keepDims });
  return [{ dtype: 'int32', shape: t.shape }];
};

const alongAxis =
  (kind: Kind): Rule<{ axis: number }> =>
  (where, [x], { axis }) => {
    need(where, kind, x);
    normalizeAxis(where, axis, x.shape.length);
    return [x];
  };

/** Spatial output sizes of a convolution: floor((in + pads - dilation * (kernel - 1) - 1) / stride) + 1. */
function convSpatial(where: string, input: readonly number[], kernel: readonly number[], p: ConvParams): number[] {
  return input.map((n, i) => {
    const size = n + p.pads[i] + p.pads[i + input.length] - p.dilations[i] * (kernel[i] - 1) - 1;
    if (size < 0)
      throw new ShapeError(
        where,
        `expected an input of at least the kernel's extent, got ${showShape(input)} for kernel ${showShape(kernel)}`,
        'pad the input or use a smaller kernel',
      );
    return Math.floor(size / p.strides[i]) + 1;
  });
}

function checkConv(where: string, x: TensorType, w: TensorType, p: ConvParams, channels: number): number {
  need(where, 'float', x, w);
  sameType(where, x, w);
  const spatial = x.shape.length - 2;
  if (spatial < 1 || spatial > 3 || w.shape.length !== x.shape.length)
    throw new ShapeError(
      where,
      `expected input [N, C, ...1 to 3 spatial axes] and weights of the same rank, got ${showShape(x.shape)} and ${showShape(w.shape)}`,
      'add or remove axes with .reshape',
    );
  if (p.strides.length !== spatial || p.dilations.length !== spatial || p.pads.length !== 2 * spatial)
    throw new ShapeError(
      where,
      `expected ${spatial} strides and dilations and ${2 * spatial} pads`,
      'give one entry an axis (pads: begin..., end...)',
    );
  const positive = (list: readonly number[]): boolean => list.every((n) => Number.isInteger(n) && n > 0);
  if (
    !positive(p.strides) ||
    !positive(p.dilations) ||
    !positive([p.group]) ||
    p.pads.some((n) => !Number.isInteger(n) || n < 0)
  )
    throw new ShapeError(
      where,
      `expected positive strides, dilations and group and non-negative pads, got strides [${p.strides.join(', ')}], dilations [${p.dilations.join(', ')}], group ${p.group}, pads [${p.pads.join(', ')}]`,
      'all of them are whole numbers; cut the input with .slice instead of padding it negatively',
    );
  if (x.shape[1] !== channels || x.shape[1] % p.group || w.shape[0] % p.group)
    throw new ShapeError(
      where,
      `expected input channels to fit the weights, got input ${showShape(x.shape)}, weights ${showShape(w.shape)}, group ${p.group}`,
      'conv weights are [out, in / group, ...kernel]; convTranspose weights are [in, out / group, ...kernel]',
    );
  return spatial;
}

const first: Rule<unknown> = (_where, [x]) => [x];

/** Shape and type of each operation's results. Rules throw ShapeError and ArgumentError. */
export const shapeRules: { [K in OpName]: Rule<OpParams[K]> } = {
  input: () => {
    throw new Error('leaves carry their own type');
  },
  constant: () => {
    throw new Error('leaves carry their own type');
  },
  neg: unary('number'),
  abs: unary('number'),
  sign: unary('number'),
  exp: unary('float'),
  log: unary('float'),
  sqrt: unary('float'),
  reciprocal: unary('float'),
  erf: unary('float'),
  tanh: unary('float'),
  sigmoid: unary('float'),
  sin: unary('float'),
  cos: unary('float'),
  floor: unary('float'),
  ceil: unary('float'),
  round: unary('float'),
  not: unary('bool'),
  isNaN: predicate,
  isInf: predicate,
  cast: (_where, [x], { dtype }) => [{ dtype, shape: x.shape }],
  add: binary('number'),
  sub: binary('number'),
  mul: binary('number'),
  div: binary('number'),
  pow: binary('float'),
  max: binary('number'),
  min: binary('number'),
  mod: binary('integer'),
  equal: binary('value', 'bool'),
  less: binary('number', 'bool'),
  lessOrEqual: binary('number', 'bool'),
  and: binary('bool'),
  or: binary('bool'),
  where: (where, [c, a, b]) => {
    need(where, 'bool', c);
    return [{ dtype: sameType(where, a, b), shape: broadcastShapes(where, c.shape, a.shape, b.shape) }];
  },
  reduceSum: reduce('number', true),
  reduceMean: reduce('float', false),
  reduceMax: reduce('number', false),
  reduceMin: reduce('number', false),
  reduceProd: reduce('number', true),
  argMax: argReduce,
  argMin: argReduce,
  cumSum: (where, [x], { axis }) => {
    need(where, 'number', x);
    normalizeAxis(where, axis, x.shape.length);
    return [x];
  },
  softmax: alongAxis('float'),
  logSoftmax: alongAxis('float'),
  topK: (where, [x], { axis, k }) => {
    need(where, 'number', x);
    const a = normalizeAxis(where, axis, x.shape.length);
    if (!Number.isInteger(k) || k < 0 || k > x.shape[a])
      throw new ShapeError(where, `expected k in [0, ${x.shape[a]}], got ${k}`, 'k counts entries along the axis');
    const shape = x.shape.map((d, i) => (i === a ? k : d));
    return [
      { dtype: x.dtype, shape },
      { dtype: 'int32', shape },
    ];
  },
  matMul: (where, [a, b], { transA, transB }) => {
    need(where, 'float', a, b);
    const dtype = sameType(where, a, b);
    if (a.shape.length < 2 || b.shape.length < 2)
      throw new ShapeError(
        where,
        `expected operands of rank 2 or more, got ${showShape(a.shape)} and ${showShape(b.shape)}`,
        'give a vector a second axis with .reshape',
      );
    const [m, k] = transA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
    const [k2, n] = transB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
    if (k !== k2)
      throw new ShapeError(
        where,
        `expected equal inner sizes, got ${showShape(a.shape)}${transA ? ' transposed' : ''} times ${showShape(b.shape)}${transB ? ' transposed' : ''}`,
        'the last axis of the left operand meets the second last of the right one',
      );
    return [{ dtype, shape: [...broadcastShapes(where, a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n] }];
  },
  conv: (where, [x, w], p) => {
    checkConv(where, x, w, p, w.shape[1] * p.group);
    return [
      { dtype: x.dtype, shape: [x.shape[0], w.shape[0], ...convSpatial(where, x.shape.slice(2), w.shape.slice(2), p)] },
    ];
  },
  convTranspose: (where, [x, w], p) => {
    const spatial = checkConv(where, x, w, p, w.shape[0]);
    const sizes = p.outputPadding;
    if (
      sizes.length !== spatial ||
      sizes.some((o, i) => !Number.isInteger(o) || o < 0 || o >= Math.max(p.strides[i], p.dilations[i]))
    )
      throw new ShapeError(
        where,
        `expected ${spatial} entries of outputPadding from 0 to below the stride, got [${sizes.join(', ')}] for strides [${p.strides.join(', ')}]`,
        'it tells apart the output sizes that one stride maps to the same input',
      );
    // Inverse of convSpatial, plus the outputPadding that tells apart the sizes which a stride maps to one.
    const out = range(spatial).map(
      (i) =>
        (x.shape[i + 2] - 1) * p.strides[i] +
        p.dilations[i] * (w.shape[i + 2] - 1) +
        1 +
        p.outputPadding[i] -
        p.pads[i] -
        p.pads[i + spatial],
    );
    checkShape(where, out);
    return [{ dtype: x.dtype, shape: [x.shape[0], w.shape[1] * p.group, ...out] }];
  },
  transpose: (where, [x], { perm }) => {
    if (
      !sameShape(
        [...perm].sort((a, b) => a - b),
        range(x.shape.length),
      )
    )
      throw new ShapeError(
        where,
        `expected a permutation of ${x.shape.length} axes, got [${perm.join(', ')}]`,
        'name each axis once',
      );
    return [{ dtype: x.dtype, shape: perm.map((i) => x.shape[i]) }];
  },
  reshape: (where, [x], { shape }) => {
    checkShape(where, shape);
    if (sizeOf(shape) !== sizeOf(x.shape))
      throw new ShapeError(
        where,
        `expected a shape of ${sizeOf(x.shape)} elements for ${showShape(x.shape)}, got ${showShape(shape)}`,
        'one entry may be -1 and is then computed',
      );
    return [{ dtype: x.dtype, shape }];
  },
  expand: (where, [x], { shape }) => {
    checkShape(where, shape);
    if (!sameShape(broadcastShapes(where, x.shape, shape), shape))
      throw new ShapeError(
        where,
        `expected a shape that ${showShape(x.shape)} broadcasts to, got ${showShape(shape)}`,
        'only axes of size 1 can be stretched',
      );
    return [{ dtype: x.dtype, shape }];
  },
  slice: (where, [x], { starts, ends, steps }) => {
    if ([starts, ends, steps].some((l) => l.length !== x.shape.length))
      throw new ShapeError(where, `expected ${x.shape.length} starts, ends and steps`, 'give one entry an axis');
    return [
      {
        dtype: x.dtype,
        shape: x.shape.map((d, i) => {
          const [s, e, st] = [starts[i], ends[i], steps[i]];
          const ok = st > 0 ? s >= 0 && e <= d : st < 0 && s >= -1 && s < d && e >= -1;
          if (!Number.isInteger(s) || !Number.isInteger(e) || !Number.isInteger(st) || !ok)
            throw new ShapeError(
              where,
              `expected a range within axis ${i} of size ${d}, got ${s}:${e}:${st}`,
              'ranges are half-open and are not cut to fit',
            );
          return Math.max(0, Math.ceil((e - s) / st));
        }),
      },
    ];
  },
  concat: (where, x, { axis }) => {
    const rank = x[0].shape.length;
    const a = normalizeAxis(where, axis, rank);
    const dtype = sameType(where, ...x);
    for (const t of x)
      if (t.shape.length !== rank || t.shape.some((d, i) => i !== a && d !== x[0].shape[i]))
        throw new ShapeError(
          where,
          `expected shapes equal but for axis ${a}, got ${x.map((u) => showShape(u.shape)).join(' and ')}`,
          'reshape or slice the operands first',
        );
    return [{ dtype, shape: x[0].shape.map((d, i) => (i === a ? x.reduce((n, t) => n + t.shape[a], 0) : d)) }];
  },
  pad: (where, [x], { before, after }) => {
    if (
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((n) => !Number.isInteger(n) || n < 0)
    )
      throw new ShapeError(
        where,
        `expected ${x.shape.length} non-negative widths before and after, got [${before.join(', ')}] and [${after.join(', ')}]`,
        'cut with .slice, not with negative padding',
      );
    return [{ dtype: x.dtype, shape: x.shape.map((d, i) => d + before[i] + after[i]) }];
  },
  gather: (where, [x, indices], { axis }) => {
    need(where, 'integer', indices);
    const a = normalizeAxis(where, axis, x.shape.length);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, a), ...indices.shape, ...x.shape.slice(a + 1)] }];
  },
  scatterAdd: (where, [base, indices, updates], { axis }) => {
    need(where, 'integer', indices);
    need(where, 'number', base);
    sameType(where, base, updates);
    const a = normalizeAxis(where, axis, base.shape.length);
    const expected = [...base.shape.slice(0, a), ...indices.shape, ...base.shape.slice(a + 1)];
    if (!sameShape(expected, updates.shape))
      throw new ShapeError(
        where,
        `expected updates of shape ${showShape(expected)}, got ${showShape(updates.shape)}`,
        'updates have the shape that gather would return',
      );
    return [base];
  },
  gatherElements: (where, [x, indices], { axis }) => {
    need(where, 'integer', indices);
    checkElements(where, x, indices, axis);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  scatterElements: (where, [base, indices, updates], { axis, reduction }) => {
    need(where, 'integer', indices);
    if (reduction === 'add') need(where, 'number', base);
    sameType(where, base, updates);
    checkElements(where, base, indices, axis);
    if (!sameShape(indices.shape, updates.shape))
      throw new ShapeError(
        where,
        `expected updates of the indices' shape ${showShape(indices.shape)}, got ${showShape(updates.shape)}`,
        'one update an index',
      );
    return [base];
  },
  rmsNormalization: (where, [x, scale]) => {
    need(where, 'float', x, scale);
    sameType(where, x, scale);
    if (x.shape.length < 1 || !sameShape(scale.shape, x.shape.slice(-1)))
      throw new ShapeError(
        where,
        `expected a scale of shape ${showShape(x.shape.slice(-1))}, got ${showShape(scale.shape)}`,
        'the last axis is normalised',
      );
    return [x];
  },
  rotaryEmbedding: (where, [x, cos, sin]) => {
    need(where, 'float', x, cos, sin);
    sameType(where, x, cos, sin);
    const [batch, , time, width] = x.shape;
    const rows = cos.shape.length === 3 ? [batch, time] : [time];
    if (
      x.shape.length !== 4 ||
      width % 2 ||
      !sameShape(cos.shape, sin.shape) ||
      !sameShape(cos.shape, [...rows, width / 2])
    )
      throw new ShapeError(
        where,
        `expected x [B, H, T, D] with tables [T, D / 2] or [B, T, D / 2], got x ${showShape(x.shape)}, cos ${showShape(cos.shape)}, sin ${showShape(sin.shape)}`,
        'make the tables with ropeAngles',
      );
    return [x];
  },
  matMulNf4: (where, [x, codes, scales], { transB }) => {
    need(where, 'float', x, scales);
    sameType(where, x, scales);
    need(where, 'byte', codes);
    const [outputs, half] = codes.shape;
    const size = transB ? 2 * half : outputs;
    const block = (2 * outputs * half) / sizeOf(scales.shape);
    const fits = codes.shape.length === 2 && x.dtype === 'float32' && x.shape.length > 0 && x.shape.at(-1) === size;
    // The runtime's operator takes blocks of these sizes.
    if (!fits || scales.shape.length !== 1 || !Number.isInteger(Math.log2(block)) || block < 16 || block > 256)
      throw new ShapeError(
        where,
        `expected float32 [..., ${size}] and a scale for each block of 16, 32, 64, 128 or 256 weights, got x ${x.dtype} ${showShape(x.shape)}, codes ${showShape(codes.shape)}, scales ${showShape(scales.shape)}`,
        'make codes and scales with quantise4Bit',
      );
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), transB ? outputs : 2 * half] }];
  },
  stopGradient: first,
  barrier: first,
  customGradient: first,
};

function checkElements(where: string, x: TensorType, indices: TensorType, axis: number): void {
  const a = normalizeAxis(where, axis, x.shape.length);
  if (indices.shape.length !== x.shape.length || indices.shape.some((d, i) => i !== a && d > x.shape[i]))
    throw new ShapeError(
      where,
      `expected indices of rank ${x.shape.length} that fit ${showShape(x.shape)} outside axis ${a}, got ${showShape(indices.shape)}`,
      'use .expand to repeat the indices along the other axes',
    );
}

/**
 * The gradient of each primitive: for y = op(x...), the product of the output's gradient dy with the Jacobian of each
 * operand. A rule returns one thunk an operand (null: no gradient), so that only what is asked for is built. Where an
 * operand was broadcast the caller sums the result back to the operand's shape.
 */
import { ArgumentError, ShapeError } from '../errors';
import type { ConvParams, OpName, OpParams } from './ops';
import { range, sameShape, showShape, sizeOf } from './shape';
import { apply, arange, stack, Tensor, where, zerosLike } from './tensor';

export interface GradArgs<P> {
  dy: Tensor;
  y: Tensor;
  x: readonly Tensor[];
  p: P;
}
type Thunk = (() => Tensor | null) | null;
type Rule<P> = (args: GradArgs<P>) => Thunk[];

/** For operations that are constant almost everywhere, or not differentiable. */
const none: Rule<unknown> = ({ x }) => x.map(() => null);

/** A gradient of a reduction, stretched back over the axes that it reduced. */
function stretch(t: Tensor, like: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
  const kept = keepDims ? t : t.reshape(like.shape.map((d, i) => (axes.includes(i) ? 1 : d)));
  return kept.expand(like.shape);
}

/** Extremes share the gradient evenly among ties, as the subgradient of smallest norm does. */
const extreme: Rule<{ axes: number[]; keepDims: boolean }> = ({ dy, y, x, p }) => [
  () => {
    const mask = x[0].equal(stretch(y, x[0], p.axes, p.keepDims)).cast(x[0].dtype);
    return mask.div(mask.sum(p.axes, true)).mul(stretch(dy, x[0], p.axes, p.keepDims));
  },
];

/** max and min of two operands: the chosen one takes the gradient, ties share it. */
const pick =
  (wins: (a: Tensor, b: Tensor) => Tensor): Rule<unknown> =>
  ({ dy, x: [a, b] }) => {
    const half = (winner: Tensor): Tensor => where(a.equal(b), dy.mul(0.5), where(winner, dy, 0));
    return [() => half(wins(a, b)), () => half(wins(b, a))];
  };

/** x^T y. Of batches the smaller operand is read transposed, and the result turned: a third faster where one is much the larger. */
function crossProduct(x: Tensor, y: Tensor): Tensor {
  if (x.rank === 2 || y.rank !== x.rank || x.size <= y.size) return x.matMul(y, { transA: true });
  const axes = range(x.rank);
  return y.matMul(x, { transA: true }).transpose([...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

/** The gradient of each operation with respect to its operands. */
export const gradRules: { [K in OpName]: Rule<OpParams[K]> } = {
  input: none,
  constant: none,
  // d(-x) = -1
  neg: ({ dy }) => [() => dy.neg()],
  // d|x| = sign(x)
  abs: ({ dy, x }) => [() => dy.mul(x[0].sign())],
  sign: none,
  // d exp(x) = exp(x)
  exp: ({ dy, y }) => [() => dy.mul(y)],
  // d log(x) = 1 / x
  log: ({ dy, x }) => [() => dy.div(x[0])],
  // d sqrt(x) = 1 / (2 sqrt(x))
  sqrt: ({ dy, y }) => [() => dy.mul(0.5).div(y)],
  // d(1/x) = -1/x²
  reciprocal: ({ dy, y }) => [() => dy.mul(y.mul(y)).neg()],
  // d erf(x) = 2/sqrt(pi) exp(-x²)
  erf: ({ dy, x }) => [
    () =>
      dy.mul(
        x[0]
          .mul(x[0])
          .neg()
          .exp()
          .mul(2 / Math.sqrt(Math.PI)),
      ),
  ],
  // d tanh(x) = 1 - tanh(x)²
  tanh: ({ dy, y }) => [() => dy.mul(y.mul(y).neg().add(1))],
  // d sigmoid(x) = s (1 - s)
  sigmoid: ({ dy, y }) => [() => dy.mul(y).mul(y.neg().add(1))],
  sin: ({ dy, x }) => [() => dy.mul(x[0].cos())],
  cos: ({ dy, x }) => [() => dy.mul(x[0].sin()).neg()],
  floor: none,
  ceil: none,
  round: none,
  not: none,
  isNaN: none,
  isInf: none,
  cast: ({ dy, x, y }) => [
    () => (x[0].dtype.startsWith('float') && y.dtype.startsWith('float') ? dy.cast(x[0].dtype) : null),
  ],
  add: ({ dy }) => [() => dy, () => dy],
  sub: ({ dy }) => [() => dy, () => dy.neg()],
  mul: ({ dy, x: [a, b] }) => [() => dy.mul(b), () => dy.mul(a)],
  // d(a/b) = 1/b, -a/b² = -y/b
  div: ({ dy, y, x: [, b] }) => [() => dy.div(b), () => dy.mul(y).div(b).neg()],
  // d a^b = b a^(b-1), a^b log(a); where b is 0 the first is 0, where a is 0 the second is 0
  pow: ({ dy, y, x: [a, b] }) => [
    () => where(b.equal(0), 0, dy.mul(b).mul(a.pow(b.sub(1)))),
    () => dy.mul(y).mul(where(a.equal(0), 1, a).log()),
  ],
  max: pick((a, b) => b.less(a)),
  min: pick((a, b) => a.less(b)),
  mod: none,
  equal: none,
  less: none,
  lessOrEqual: none,
  and: none,
  or: none,
  where: ({ dy, x: [c] }) => [null, () => where(c, dy, 0), () => where(c, 0, dy)],
  reduceSum: ({ dy, x, p }) => [() => stretch(dy, x[0], p.axes, p.keepDims)],
  reduceMean: ({ dy, x, p }) => [
    () => stretch(dy.div(sizeOf(p.axes.map((a) => x[0].shape[a]))), x[0], p.axes, p.keepDims),
  ],
  reduceMax: extreme,
  reduceMin: extreme,
  // d prod = product of the others, right also where there are zeros: the diagonal of an n x n copy is replaced by ones
  reduceProd: ({ dy, x: [a], p }) => [
    () => {
      const rest = range(a.rank).filter((i) => !p.axes.includes(i));
      const n = sizeOf(p.axes.map((i) => a.shape[i]));
      const perm = [...rest, ...p.axes];
      const flat = a.transpose(perm).reshape([...rest.map((i) => a.shape[i]), n]);
      const eye = arange(n).unsqueeze(0).equal(arange(n).unsqueeze(1));
      const others = where(eye, 1, flat.unsqueeze(-2)).prod(-1);
      const back = range(a.rank).map((i) => perm.indexOf(i));
      return others
        .reshape(perm.map((i) => a.shape[i]))
        .transpose(back)
        .mul(stretch(dy, a, p.axes, p.keepDims));
    },
  ],
  argMax: none,
  argMin: none,
  // the gradient of a running sum is the running sum from the other end
  cumSum: ({ dy, p }) => [() => dy.cumSum(p.axis, { exclusive: p.exclusive, reverse: !p.reverse })],
  // y (dy - sum(dy y))
  softmax: ({ dy, y, p }) => [
    () => {
      const weighted = dy.mul(y);
      return weighted.sub(y.mul(weighted.sum(p.axis, true)));
    },
  ],
  // dy - exp(y) sum(dy)
  logSoftmax: ({ dy, y, p }) => [() => dy.sub(y.exp().mul(dy.sum(p.axis, true)))],
  // the chosen entries take the gradient of the values
  topK: ({ dy, y, x, p }) => [() => zerosLike(x[0]).scatterElements(new Tensor(y.node, 1), dy, p.axis, 'add')],
  matMul: ({ dy, x: [a, b], p: { transA, transB } }) => {
    // A product of a batch with one matrix (a linear layer) is one product of the flattened batch.
    if (b.rank === 2 && a.rank > 2 && !transA) {
      const rows = sizeOf(a.shape.slice(0, -1));
      const a2 = a.reshape([rows, a.shape[a.rank - 1]]);
      const dy2 = dy.reshape([rows, dy.shape[dy.rank - 1]]);
      return [
        () => dy2.matMul(b, { transB: !transB }).reshape(a.shape),
        () => (transB ? dy2.matMul(a2, { transA: true }) : a2.matMul(dy2, { transA: true })),
      ];
    }
    return [
      () => (transA ? b.matMul(dy, { transA: transB, transB: true }) : dy.matMul(b, { transB: !transB })),
      () => {
        if (transA) return transB ? dy.matMul(a, { transA: true, transB: true }) : a.matMul(dy);
        return transB ? crossProduct(dy, a) : crossProduct(a, dy);
      },
    ];
  },
  // by the input: the transposed convolution; by the weights: one product a kernel position
  conv: ({ dy, x: [a, w], p }) => [
    () => {
      const mirrored = mirroredConv(dy, w, p);
      if (mirrored) return mirrored;
      const outputPadding = p.strides.map((s, i) => {
        const n = p.strides.length;
        const reached =
          (dy.shape[i + 2] - 1) * s + p.dilations[i] * (w.shape[i + 2] - 1) + 1 - p.pads[i] - p.pads[i + n];
        return a.shape[i + 2] - reached;
      });
      return convTransposeSized(dy, w, p, outputPadding);
    },
    () => convWeightGrad(a, dy, w.shape, p),
  ],
  // the roles of input and output are exchanged
  convTranspose: ({ dy, x: [a, w], p }) => [
    () => {
      const { outputPadding: _, ...conv } = p;
      return dy.conv(w, conv).slice(null, null, ...a.shape.slice(2).map((d) => [0, d] as const));
    },
    () => convWeightGrad(dy, a, w.shape, p),
  ],
  transpose: ({ dy, p }) => [() => dy.transpose(p.perm.map((_, i) => p.perm.indexOf(i)))],
  reshape: ({ dy, x }) => [() => dy.reshape(x[0].shape)],
  // the caller sums over the stretched axes
  expand: ({ dy }) => [() => dy],
  // the cut is put back in its place among zeros
  slice: ({ dy, x: [a], p }) => [
    () => {
      if (dy.size === 0) return zerosLike(a);
      let g = dy;
      const before: number[] = [];
      const after: number[] = [];
      a.shape.forEach((d, i) => {
        const n = dy.shape[i];
        const step = Math.abs(p.steps[i]);
        const low = p.steps[i] > 0 ? p.starts[i] : p.starts[i] - (n - 1) * step;
        if (p.steps[i] < 0) g = g.flip(i);
        if (step > 1 && n > 1) {
          // Zeros between the entries, by padding a new axis; those after the last entry are cut off again.
          const shape = [...g.shape];
          const lead = range(i + 1).map(() => 0);
          const tail = range(g.rank - i - 1).map(() => 0);
          g = g
            .unsqueeze(i + 1)
            .pad([...lead, 0, ...tail], [...lead, step - 1, ...tail])
            .reshape([...shape.slice(0, i), n * step, ...shape.slice(i + 1)])
            .slice(...range(i).map(() => null), [0, (n - 1) * step + 1]);
        }
        before.push(low);
        after.push(d - low - (n - 1) * step - 1);
      });
      return g.pad(before, after);
    },
  ],
  concat: ({ dy, x, p }) => {
    let at = 0;
    return x.map((t) => {
      const start = at;
      at += t.shape[p.axis];
      return () => dy.slice(...range(p.axis).map(() => null), [start, start + t.shape[p.axis]]);
    });
  },
  pad: ({ dy, x: [a], p }) => [() => dy.slice(...a.shape.map((d, i) => [p.before[i], p.before[i] + d] as const))],
  gather: ({ dy, x: [a, i], p }) => [() => zerosLike(a).scatterAdd(i, dy, p.axis), null],
  scatterAdd: ({ dy, x: [, i], p }) => [() => dy, null, () => dy.gather(i, p.axis)],
  gatherElements: ({ dy, x: [a, i], p }) => [() => zerosLike(a).scatterElements(i, dy, p.axis, 'add'), null],
  scatterElements: ({ dy, x: [, i, u], p }) => [
    () => (p.reduction === 'add' ? dy : dy.scatterElements(i, zerosLike(u), p.axis)),
    null,
    () => dy.gatherElements(i, p.axis),
  ],
  // With r = 1 / rms(x), n = x r, g = dy scale: dx = g r - x r² mean(g n), dscale = sum(dy n). The sums over rows and
  // over columns of q = dy x are matrix products, which read q once and write almost nothing.
  rmsNormalization: ({ dy, x: [a, scale], p }) => {
    const width = scale.size;
    const rows = a.size / width;
    const r = a.square().mean(-1, true).add(p.epsilon).sqrt().reciprocal();
    const q = dy.mul(a).reshape([rows, width]);
    return [
      () => {
        const mean = q
          .matMul(scale.reshape([width, 1]))
          .reshape(r.shape)
          .mul(r.square().mul(r))
          .div(width);
        return dy.mul(scale).mul(r).sub(a.mul(mean));
      },
      () => r.reshape([1, rows]).matMul(q).reshape([width]),
    ];
  },
  // a rotation's transpose is the rotation back
  rotaryEmbedding: ({ dy, x: [, cos, sin] }) => [() => apply('rotaryEmbedding', {}, dy, cos, sin.neg()), null, null],
  // d(x W^T)/dx: dy W
  matMulNf4: ({ dy, x: [, codes, scales], p }) => [
    () => apply('matMulNf4', { transB: !p.transB }, dy, codes, scales),
    null,
    null,
  ],
  stopGradient: none,
  barrier: ({ dy }) => [() => dy, null],
  customGradient: ({ dy, y, x: [, ...inputs], p }) => {
    let grads: (Tensor | null)[] | null = null;
    const all = (): (Tensor | null)[] => {
      grads ??= (p.backward as unknown as (dy: Tensor, y: Tensor, ...x: Tensor[]) => (Tensor | null)[])(
        dy,
        y,
        ...inputs,
      );
      if (!Array.isArray(grads) || grads.length !== inputs.length)
        throw new ArgumentError(
          'customGradient',
          `expected ${inputs.length} gradients from the backward function, got ${Array.isArray(grads) ? grads.length : 'no array'}`,
          'return one gradient (or null) an operand',
        );
      grads.forEach((g, i) => {
        if (g && (!sameShape(g.shape, inputs[i].shape) || g.dtype !== inputs[i].dtype))
          throw new ShapeError(
            'customGradient',
            `expected a gradient of shape ${showShape(inputs[i].shape)}, ${inputs[i].dtype}, for operand ${i}, got ${showShape(g.shape)}, ${g.dtype}`,
            'it is like the operand: sum it over the axes along which the operand was broadcast',
          );
      });
      return grads;
    };
    return [null, ...inputs.map((_, i) => () => all()[i])];
  },
};

/**
 * With stride 1 the transposed convolution is a convolution with the weights mirrored and their channels exchanged, which the
 * runtime computes faster. Null where it is none.
 */
function mirroredConv(dy: Tensor, w: Tensor, p: ConvParams): Tensor | null {
  const [outputs, inputs, ...kernel] = w.shape;
  const n = kernel.length;
  const pads = p.pads.map((pad, i) => p.dilations[i % n] * (kernel[i % n] - 1) - pad);
  if (p.strides.some((s) => s !== 1) || pads.some((pad) => pad < 0)) return null;
  const exchanged = w
    .reshape([p.group, outputs / p.group, inputs, ...kernel])
    .transpose([0, 2, 1, ...range(n).map((i) => i + 3)])
    .reshape([p.group * inputs, outputs / p.group, ...kernel]);
  const mirrored = kernel.reduce((t, k, i) => (k > 1 ? t.flip(i + 2) : t), exchanged);
  return dy.conv(mirrored, { ...p, pads });
}

/**
 * A transposed convolution whose outputPadding may reach or pass the stride (the input had entries no window
 * reached).
 */
function convTransposeSized(dy: Tensor, w: Tensor, p: ConvParams, outputPadding: number[]): Tensor {
  const inside = outputPadding.map((o, i) => Math.min(o, p.strides[i] - 1));
  const out = dy.convTranspose(w, { ...p, outputPadding: inside });
  const missing = outputPadding.map((o, i) => o - inside[i]);
  return out.pad([0, 0, ...missing.map(() => 0)], [0, 0, ...missing]);
}

/**
 * Gradient of a convolution by its weights: for each kernel position, the shifted and strided input times the output's
 * gradient, summed over batch and space. `x` [N, C, ...in], `dy` [N, M, ...out] -> [M, C / group, ...kernel].
 * One product a position was twice as fast as a convolution with a kernel of the image's size. Space comes first, so that a shifted
 * input is cut out in long runs.
 */
function convWeightGrad(x: Tensor, dy: Tensor, shape: readonly number[], p: ConvParams): Tensor {
  const kernel = shape.slice(2);
  const n = kernel.length;
  const out = dy.shape.slice(2);
  const columns = dy.shape[0] * sizeOf(out);
  const spaceFirst = [...range(n).map((i) => i + 2), 0, 1];
  const padded = x.transpose(spaceFirst).pad([...p.pads.slice(0, n), 0, 0], [...p.pads.slice(n), 0, 0]);
  /** [columns, all channels] -> [group, columns, its channels]; without groups as it is. */
  const grouped = (t: Tensor): Tensor => {
    const flat = t.reshape([columns, t.shape[t.rank - 1]]);
    return p.group === 1 ? flat : flat.reshape([columns, p.group, -1]).transpose([1, 0, 2]);
  };
  const g = grouped(dy.transpose(spaceFirst));
  const positions = kernel.reduce<number[][]>((acc, k) => acc.flatMap((at) => range(k).map((i) => [...at, i])), [[]]);
  const parts = positions.map((at) => {
    const cut = at.map((k, i) => {
      const start = k * p.dilations[i];
      return [start, start + (out[i] - 1) * p.strides[i] + 1, p.strides[i]] as const;
    });
    return g.matMul(grouped(padded.slice(...cut)), { transA: true }).reshape(shape.slice(0, 2));
  });
  return stack(parts, 2).reshape(shape);
}

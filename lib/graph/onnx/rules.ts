/** How each primitive is written in ONNX operators (opset 21). */
import type { DType } from '../dtype';
import type { ConvParams, OpName, OpParams, TensorType } from '../ops';
import { range, sizeOf } from '../shape';
import { DATA_TYPE } from './schema';

export type AttributeValue = number | string | readonly number[] | { float: number };
/** An execution provider, or `portable`: only operators that the ONNX standard defines. */
export type Target = 'cpu' | 'webgpu' | 'cuda' | 'portable';

/** What a rule may do; the writer implements it. */
export interface Emitter {
  readonly target: Target;
  /** Adds a node and returns the names of its outputs (new ones, unless given). */
  emit(
    opType: string,
    inputs: readonly string[],
    attributes?: Record<string, AttributeValue>,
    outputs?: readonly string[] | number,
    domain?: string,
  ): string[];
  /** A new name for a result. */
  name(): string;
  /** The name of an int64 constant. */
  ints(values: readonly number[], scalar?: boolean): string;
  /** The name of a float32 constant with one axis. */
  floats(values: readonly number[]): string;
  /** The name of a scalar constant of a type. */
  scalar(dtype: DType, value: number): string;
}

export interface Args<P> {
  e: Emitter;
  p: P;
  /** Names and types of the operands. */
  x: readonly string[];
  xt: readonly TensorType[];
  /** Names and types of the results. */
  y: readonly string[];
  yt: readonly TensorType[];
}
export type Rule<P> = (args: Args<P>) => void;

const plain =
  (opType: string): Rule<unknown> =>
  ({ e, x, y }) =>
    void e.emit(opType, x, {}, y);

const reduce =
  (opType: string): Rule<{ axes: number[]; keepDims: boolean }> =>
  ({ e, p, x, y }) =>
    void e.emit(opType, [x[0], e.ints(p.axes)], { keepdims: p.keepDims ? 1 : 0 }, y);

/** ONNX counts in int64; this package in int32. */
const argReduce =
  (opType: string): Rule<{ axis: number; keepDims: boolean }> =>
  ({ e, p, x, y }) => {
    const [wide] = e.emit(opType, x, { axis: p.axis, keepdims: p.keepDims ? 1 : 0 });
    e.emit('Cast', [wide], { to: DATA_TYPE.int32 }, y);
  };

const along =
  (opType: string): Rule<{ axis: number }> =>
  ({ e, p, x, y }) =>
    void e.emit(opType, x, { axis: p.axis }, y);

const convAttributes = (p: ConvParams, w: TensorType): Record<string, AttributeValue> => ({
  kernel_shape: w.shape.slice(2),
  strides: p.strides,
  pads: p.pads,
  dilations: p.dilations,
  group: p.group,
});

/** The permutation that exchanges the last two axes. */
const swapLast = (rank: number): number[] => [...range(rank - 2), rank - 1, rank - 2];

/** bool has few kernels; it goes through int32. */
function viaInt(a: Args<unknown>, body: (x: string[]) => string[]): void {
  const { e } = a;
  const wide = a.x.map((name, i) =>
    a.xt[i].dtype === 'bool' ? e.emit('Cast', [name], { to: DATA_TYPE.int32 })[0] : name,
  );
  e.emit('Cast', body(wide), { to: DATA_TYPE.bool }, a.y);
}

/** ScatterND with reduction 'add'. */
function scatterAdd({ e, p, x, xt, yt, y }: Args<OpParams['scatterAdd']>): void {
  // Both forms write at the leading axis, so the axis comes first and goes back afterwards.
  const n = sizeOf(xt[1].shape);
  const shape = yt[0].shape;
  const rest = range(shape.length).filter((i) => i !== p.axis);
  const perm = [p.axis, ...rest];
  const [indices] = e.emit('Reshape', [x[1], e.ints([n, 1])]);
  const moved = p.axis !== 0;
  const k = xt[1].shape.length;
  const updatePerm = [
    ...range(k).map((i) => p.axis + i),
    ...range(p.axis),
    ...range(shape.length - p.axis - 1).map((i) => p.axis + k + i),
  ];
  const [base] = moved ? e.emit('Transpose', [x[0]], { perm }) : [x[0]];
  const [ordered] = moved ? e.emit('Transpose', [x[2]], { perm: updatePerm }) : [x[2]];
  const size = sizeOf(rest.map((i) => shape[i]));
  const sum = moved ? e.name() : y[0];
  if (p.unique || e.target === 'webgpu' || e.target === 'cuda') {
    const [wide] = xt[1].dtype === 'int64' ? [indices] : e.emit('Cast', [indices], { to: DATA_TYPE.int64 });
    const [updates] = e.emit('Reshape', [ordered, e.ints([n, ...rest.map((i) => shape[i])])]);
    e.emit('ScatterND', [base, wide, updates], { reduction: 'add' }, [sum]);
  } else {
    // The CPU's ScatterND adds in several threads without a lock and loses sums at repeated indices (seen with version
    // 1.30: 1024 updates of width 256). Its ScatterElements is slower and right.
    const [rows] = e.emit('Expand', [indices, e.ints([n, size])]);
    const [flat] = e.emit('Reshape', [base, e.ints([shape[p.axis], size])]);
    const [updates] = e.emit('Reshape', [ordered, e.ints([n, size])]);
    const [added] = e.emit('ScatterElements', [flat, rows, updates], { axis: 0, reduction: 'add' });
    e.emit('Reshape', [added, e.ints(perm.map((i) => shape[i]))], {}, [sum]);
  }
  if (moved) e.emit('Transpose', [sum], { perm: range(shape.length).map((i) => perm.indexOf(i)) }, y);
}

const scatterElements: Rule<OpParams['scatterElements']> = ({ e, p, x, y }) =>
  void e.emit('ScatterElements', x, { axis: p.axis, reduction: p.reduction }, y);

/** The runtime adds up no float16: base and updates (operands 0 and 2) go through float32. */
function withWideSums<P>(a: Args<P>, rule: Rule<P>): void {
  const { e, x, xt, y, yt } = a;
  if (xt[0].dtype !== 'float16') return rule(a);
  const wide = (i: number): string => e.emit('Cast', [x[i]], { to: DATA_TYPE.float32 })[0];
  const wideType = (t: TensorType): TensorType => ({ dtype: 'float32', shape: t.shape });
  const sum = e.name();
  rule({
    ...a,
    x: [wide(0), x[1], wide(2)],
    xt: [wideType(xt[0]), xt[1], wideType(xt[2])],
    y: [sum],
    yt: yt.map(wideType),
  });
  e.emit('Cast', [sum], { to: DATA_TYPE.float16 }, y);
}

/** How each operation is written in ONNX operators. */
export const onnxRules: { [K in OpName]: Rule<OpParams[K]> } = {
  // Leaves are the writer's business.
  input: () => undefined,
  constant: () => undefined,
  neg: plain('Neg'),
  abs: plain('Abs'),
  sign: plain('Sign'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  reciprocal: plain('Reciprocal'),
  erf: plain('Erf'),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  sin: plain('Sin'),
  cos: plain('Cos'),
  floor: plain('Floor'),
  ceil: plain('Ceil'),
  round: plain('Round'),
  not: plain('Not'),
  isNaN: plain('IsNaN'),
  isInf: plain('IsInf'),
  cast: ({ e, p, x, xt, y }) => {
    // A float that goes to bool is true unless it is zero; runtimes differ in what they do with fractions.
    if (p.dtype === 'bool' && xt[0].dtype.startsWith('float')) {
      const [zero] = e.emit('Equal', [x[0], e.scalar(xt[0].dtype, 0)]);
      e.emit('Not', [zero], {}, y);
    } else e.emit('Cast', x, { to: DATA_TYPE[p.dtype] }, y);
  },
  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  pow: plain('Pow'),
  max: plain('Max'),
  min: plain('Min'),
  mod: plain('Mod'),
  equal: plain('Equal'),
  less: plain('Less'),
  lessOrEqual: plain('LessOrEqual'),
  and: plain('And'),
  or: plain('Or'),
  where: (a) => {
    if (a.yt[0].dtype === 'bool')
      viaInt({ ...a, x: a.x.slice(1), xt: a.xt.slice(1) }, (v) => a.e.emit('Where', [a.x[0], ...v]));
    else a.e.emit('Where', a.x, {}, a.y);
  },
  reduceSum: reduce('ReduceSum'),
  reduceMean: reduce('ReduceMean'),
  reduceMax: reduce('ReduceMax'),
  reduceMin: reduce('ReduceMin'),
  reduceProd: reduce('ReduceProd'),
  argMax: argReduce('ArgMax'),
  argMin: argReduce('ArgMin'),
  cumSum: ({ e, p, x, y }) =>
    void e.emit(
      'CumSum',
      [x[0], e.ints([p.axis], true)],
      { exclusive: p.exclusive ? 1 : 0, reverse: p.reverse ? 1 : 0 },
      y,
    ),
  softmax: along('Softmax'),
  logSoftmax: along('LogSoftmax'),
  topK: ({ e, p, x, y }) => {
    const [values, wide] = e.emit(
      'TopK',
      [x[0], e.ints([p.k])],
      { axis: p.axis, largest: p.largest ? 1 : 0, sorted: 1 },
      2,
    );
    e.emit('Identity', [values], {}, [y[0]]);
    e.emit('Cast', [wide], { to: DATA_TYPE.int32 }, [y[1]]);
  },
  matMul: ({ e, p, x, xt, y, yt }) => {
    const [a, b] = xt;
    const k = a.shape.at(p.transA ? -2 : -1)!;
    if (a.shape.length === 2 && b.shape.length === 2 && (p.transA || p.transB)) {
      e.emit('Gemm', x, { transA: p.transA ? 1 : 0, transB: p.transB ? 1 : 0 }, y);
    } else if (b.shape.length === 2 && p.transB && !p.transA) {
      // A batch times one transposed matrix: one product of the flattened batch.
      const [flat] = e.emit('Reshape', [x[0], e.ints([-1, k])]);
      const [out] = e.emit('Gemm', [flat, x[1]], { transB: 1 });
      e.emit('Reshape', [out, e.ints(yt[0].shape)], {}, y);
    } else {
      const left = p.transA ? e.emit('Transpose', [x[0]], { perm: swapLast(a.shape.length) })[0] : x[0];
      const right = p.transB ? e.emit('Transpose', [x[1]], { perm: swapLast(b.shape.length) })[0] : x[1];
      e.emit('MatMul', [left, right], {}, y);
    }
  },
  conv: ({ e, p, x, xt, y }) => void e.emit('Conv', x, convAttributes(p, xt[1]), y),
  convTranspose: ({ e, p, x, xt, y }) =>
    void e.emit('ConvTranspose', x, { ...convAttributes(p, xt[1]), output_padding: p.outputPadding }, y),
  transpose: ({ e, p, x, y }) => void e.emit('Transpose', x, { perm: p.perm }, y),
  reshape: ({ e, p, x, y }) => void e.emit('Reshape', [x[0], e.ints(p.shape)], {}, y),
  expand: ({ e, p, x, y }) => void e.emit('Expand', [x[0], e.ints(p.shape)], {}, y),
  slice: ({ e, p, x, xt, y }) => {
    // Whole axes are left out. An end before the first entry is written as the smallest integer.
    const axes = range(xt[0].shape.length).filter(
      (i) => p.starts[i] !== 0 || p.ends[i] !== xt[0].shape[i] || p.steps[i] !== 1,
    );
    const ends = axes.map((i) => (p.steps[i] < 0 && p.ends[i] < 0 ? -(2 ** 31) : p.ends[i]));
    if (!axes.length) return void e.emit('Identity', x, {}, y);
    e.emit(
      'Slice',
      [x[0], e.ints(axes.map((i) => p.starts[i])), e.ints(ends), e.ints(axes), e.ints(axes.map((i) => p.steps[i]))],
      {},
      y,
    );
  },
  concat: along('Concat'),
  pad: ({ e, p, x, xt, y }) => {
    // A scalar has no axis to pad, and kernels refuse it.
    if ([...p.before, ...p.after].every((n) => n === 0)) e.emit('Identity', x, {}, y);
    else e.emit('Pad', [x[0], e.ints([...p.before, ...p.after]), e.scalar(xt[0].dtype, p.value)], {}, y);
  },
  gather: along('Gather'),
  scatterAdd: (a) => withWideSums(a, scatterAdd),
  gatherElements: along('GatherElements'),
  scatterElements: (a) => (a.p.reduction === 'add' ? withWideSums(a, scatterElements) : scatterElements(a)),
  rmsNormalization: ({ e, p, x, y }) =>
    void e.emit('SimplifiedLayerNormalization', x, { axis: -1, epsilon: { float: p.epsilon } }, y),
  rotaryEmbedding: ({ e, x, xt, y }) => {
    // The tables are looked up by row: rows 0, 1, ... of one table for all, or of one long table for the batch.
    const [, , time, width] = xt[0].shape;
    const perRow = xt[1].shape.length === 3;
    const flat = (name: string): string => (perRow ? e.emit('Reshape', [name, e.ints([-1, width / 2])])[0] : name);
    const rows = perRow
      ? e.emit('Reshape', [e.ints(range(xt[1].shape[0] * time)), e.ints([xt[1].shape[0], time])])[0]
      : e.ints([0]);
    e.emit('RotaryEmbedding', [x[0], rows, flat(x[1]), flat(x[2])], { interleaved: 0 }, y, 'com.microsoft');
  },
  matMulNf4: ({ e, p, x, xt: [, codes, scales], y }) => {
    const [outputs, half] = codes.shape;
    const attributes = {
      K: 2 * half,
      N: outputs,
      block_size: (2 * outputs * half) / sizeOf(scales.shape),
      quant_type: 1,
      transB: p.transB ? 1 : 0,
      training_mode: 0,
    };
    const [flat] = e.emit('Reshape', [x[1], e.ints([-1])]);
    e.emit('MatMulBnb4', [x[0], flat, x[2]], attributes, y, 'com.microsoft');
  },
  stopGradient: plain('Identity'),
  // The empty piece of the dependency that is joined on changes nothing, but has to be there first.
  barrier: ({ e, x, xt, y }) => {
    const [dependency] = e.emit('Reshape', [x[1], e.ints([-1])]);
    const [nothing] = e.emit('Slice', [dependency, e.ints([0]), e.ints([0])]);
    const [typed] = xt[0].dtype === xt[1].dtype ? [nothing] : e.emit('Cast', [nothing], { to: DATA_TYPE[xt[0].dtype] });
    const [flat] = e.emit('Reshape', [x[0], e.ints([-1])]);
    const [joined] = e.emit('Concat', [flat, typed], { axis: 0 });
    e.emit('Reshape', [joined, e.ints(xt[0].shape)], {}, y);
  },
  customGradient: plain('Identity'),
};

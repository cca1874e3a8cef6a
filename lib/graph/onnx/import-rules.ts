/** How ONNX operators (opset 13 to 24) are expressed in this package's operations: the reader's table. */
import { FormatError, ShapeError } from '../../errors';
import { isFloat, toNumbers } from '../dtype';
import type { DType, HostTensor } from '../dtype';
import { normalizeAxis, range, sizeOf, stridesOf } from '../shape';
import { apply, applyAll, concat, constant, full, tril, where as choose, zeros } from '../tensor';
import type { Node, Tensor } from '../tensor';
import { knownIntegers } from './fold';
import { DATA_TYPE } from './schema';

export interface AttributeReader {
  has(name: string): boolean;
  int(name: string, fallback: number): number;
  float(name: string, fallback: number): number;
  string(name: string, fallback: string): string;
  ints(name: string): number[] | undefined;
  tensor(name: string): HostTensor | undefined;
}
export interface Context {
  /** The node, for messages. */
  readonly where: string;
  /** Operands; undefined where an optional one was left out. */
  readonly x: readonly (Tensor | undefined)[];
  readonly attributes: AttributeReader;
  /** The number of results that the model names. */
  readonly outputs: number;
}
type ImportRule = (c: Context) => Tensor[];

const SUPPORTED = 'export the model with other settings, or change this node before export';

function refuse(c: Context, what: string): never {
  throw new FormatError(c.where, what, SUPPORTED);
}

/** An operand that must be there. */
function operand(c: Context, i: number): Tensor {
  return c.x[i] ?? refuse(c, `expected operand ${i}, got none`);
}

/** An operand that must be known while the model is read, as integers. */
function integers(c: Context, i: number): number[] | undefined {
  const t = c.x[i];
  if (!t) return undefined;
  return (
    knownIntegers(t) ??
    refuse(c, `expected operand ${i} to be constant (shapes are static here), got one computed from the inputs`)
  );
}

/** Axes by attribute (older opsets) or by operand. */
const axesOf = (c: Context, i: number): number[] | undefined => c.attributes.ints('axes') ?? integers(c, i);

/** A scalar that must be known while the model is read. */
function knownScalar(c: Context, i: number, fallback: number): number {
  const t = c.x[i];
  if (!t) return fallback;
  if (t.node.op !== 'constant' || t.size !== 1) refuse(c, `expected operand ${i} to be a constant scalar`);
  const { data } = (t.node as unknown as Node<'constant'>).params;
  return toNumbers({ dtype: t.dtype, shape: t.shape, data })[0];
}

const dtypeFor = (c: Context, type: number): DType =>
  (Object.keys(DATA_TYPE) as DType[]).find((d) => DATA_TYPE[d] === type) ??
  refuse(c, `expected float32, float16, int32, int64, uint8 or bool, got ONNX type ${type}`);

/** A conversion; back from the wider integer to where it came from is none. */
function convert(x: Tensor, dtype: DType): Tensor {
  const from = x.node.op === 'cast' ? x.node.inputs[0] : null;
  return from && x.dtype === 'int64' && from.dtype === 'int32' && dtype === 'int32' ? from : x.cast(dtype);
}

const unary =
  (f: (x: Tensor, c: Context) => Tensor): ImportRule =>
  (c) => [f(operand(c, 0), c)];
const binary =
  (f: (a: Tensor, b: Tensor, c: Context) => Tensor): ImportRule =>
  (c) => [f(operand(c, 0), operand(c, 1), c)];
const variadic =
  (f: (a: Tensor, b: Tensor) => Tensor): ImportRule =>
  (c) => [c.x.map((_, i) => operand(c, i)).reduce(f)];

const reduction = (f: (x: Tensor, axes: number[] | undefined, keep: boolean) => Tensor): ImportRule =>
  unary((x, c) => {
    const axes = axesOf(c, 1);
    const keep = c.attributes.int('keepdims', 1) === 1;
    if (!axes?.length) return c.attributes.int('noop_with_empty_axes', 0) ? x : f(x, undefined, keep);
    return f(x, axes, keep);
  });

const argExtreme = (f: (x: Tensor, axis: number, keep: boolean) => Tensor): ImportRule =>
  unary((x, c) => {
    if (c.attributes.int('select_last_index', 0))
      refuse(c, 'expected the first of equal entries, got select_last_index');
    return f(x, c.attributes.int('axis', 0), c.attributes.int('keepdims', 1) === 1).cast('int64');
  });

/** Adds a value for each channel (axis 1). */
const addBias = (y: Tensor, bias: Tensor | undefined): Tensor =>
  bias ? y.add(bias.reshape([1, bias.size, ...range(y.rank - 2).map(() => 1)])) : y;

/** The padding of a convolution, where the model states it only by name. */
function convPads(c: Context, x: Tensor, kernel: readonly number[], strides: number[], dilations: number[]): number[] {
  const mode = c.attributes.string('auto_pad', 'NOTSET');
  const n = kernel.length;
  if (mode === 'NOTSET') return c.attributes.ints('pads') ?? range(2 * n).map(() => 0);
  if (mode === 'VALID') return range(2 * n).map(() => 0);
  const total = kernel.map((k, i) => {
    const out = Math.ceil(x.shape[i + 2] / strides[i]);
    return Math.max(0, (out - 1) * strides[i] + dilations[i] * (k - 1) + 1 - x.shape[i + 2]);
  });
  const small = total.map((t) => Math.floor(t / 2));
  const large = total.map((t, i) => t - small[i]);
  return mode === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
}

function convolution(c: Context, transposed: boolean): Tensor[] {
  const [x, w] = [operand(c, 0), operand(c, 1)];
  const kernel = w.shape.slice(2);
  const strides = c.attributes.ints('strides') ?? kernel.map(() => 1);
  const dilations = c.attributes.ints('dilations') ?? kernel.map(() => 1);
  const group = c.attributes.int('group', 1);
  if (!transposed) {
    const pads = convPads(c, x, kernel, strides, dilations);
    return [addBias(x.conv(w, { strides, dilations, group, pads }), c.x[2])];
  }
  if (c.attributes.has('output_shape') || c.attributes.string('auto_pad', 'NOTSET') !== 'NOTSET')
    refuse(c, 'expected padding in numbers, got output_shape or auto_pad');
  const pads = c.attributes.ints('pads') ?? kernel.flatMap(() => [0, 0]);
  const outputPadding = c.attributes.ints('output_padding') ?? kernel.map(() => 0);
  return [addBias(x.convTranspose(w, { strides, dilations, group, pads, outputPadding }), c.x[2])];
}

/** Numpy's product: vectors are matrices of one row or column. */
function product(a: Tensor, b: Tensor): Tensor {
  const left = a.rank === 1 ? a.unsqueeze(0) : a;
  const right = b.rank === 1 ? b.unsqueeze(1) : b;
  let y = left.matMul(right);
  if (b.rank === 1) y = y.squeeze(-1);
  return a.rank === 1 ? y.squeeze(b.rank === 1 ? -1 : -2) : y;
}

const gemm: ImportRule = (c) => {
  const scaled = (t: Tensor, factor: number): Tensor => (factor === 1 ? t : t.mul(factor));
  const transA = c.attributes.int('transA', 0) === 1;
  const transB = c.attributes.int('transB', 0) === 1;
  const y = scaled(operand(c, 0).matMul(operand(c, 1), { transA, transB }), c.attributes.float('alpha', 1));
  return [c.x[2] ? y.add(scaled(c.x[2], c.attributes.float('beta', 1))) : y];
};

const slice: ImportRule = (c) => {
  const x = operand(c, 0);
  const from = integers(c, 1) ?? refuse(c, 'expected starts');
  const to = integers(c, 2) ?? refuse(c, 'expected ends');
  const axes = (integers(c, 3) ?? range(from.length)).map((a) => normalizeAxis(c.where, a, x.rank));
  const by = integers(c, 4) ?? from.map(() => 1);
  const starts = x.shape.map(() => 0);
  const ends = [...x.shape];
  const steps = x.shape.map(() => 1);
  const clamp = (v: number, low: number, high: number): number => Math.max(low, Math.min(v, high));
  axes.forEach((axis, i) => {
    const d = x.shape[axis];
    const [s, e] = [from[i], to[i]].map((v) => (v < 0 ? v + d : v));
    steps[axis] = by[i];
    starts[axis] = by[i] > 0 ? clamp(s, 0, d) : clamp(s, d ? 0 : -1, d - 1);
    ends[axis] = by[i] > 0 ? clamp(e, 0, d) : clamp(e, -1, d - 1);
  });
  return [apply('slice', { starts, ends, steps }, x)];
};

const reshape: ImportRule = (c) => {
  const x = operand(c, 0);
  const shape = integers(c, 1) ?? refuse(c, 'expected a shape');
  const copies = c.attributes.int('allowzero', 0) === 0;
  return [x.reshape(shape.map((d, i) => (d === 0 && copies ? x.shape[i] : d)))];
};

const pad: ImportRule = (c) => {
  const x = operand(c, 0);
  const mode = c.attributes.string('mode', 'constant');
  if (mode !== 'constant') refuse(c, `expected mode "constant", got "${mode}"`);
  const widths = integers(c, 1) ?? refuse(c, 'expected pads');
  const axes = (integers(c, 3) ?? range(x.rank)).map((a) => normalizeAxis(c.where, a, x.rank));
  const before = x.shape.map(() => 0);
  const after = x.shape.map(() => 0);
  axes.forEach((axis, i) => {
    before[axis] = widths[i];
    after[axis] = widths[i + axes.length];
  });
  // A negative width cuts.
  const cut = [...before, ...after].some((n) => n < 0)
    ? x.slice(...x.shape.map((d, i) => [Math.max(0, -before[i]), d - Math.max(0, -after[i])] as const))
    : x;
  const positive = (list: number[]): number[] => list.map((n) => Math.max(0, n));
  return [cut.pad(positive(before), positive(after), knownScalar(c, 2, 0))];
};

/** Rows at positions given by their last axis: the leading axes become one, and the positions indices into it. */
const scatterND: ImportRule = (c) => {
  const [x, positions, updates] = [operand(c, 0), operand(c, 1), operand(c, 2)];
  const reduction = c.attributes.string('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') refuse(c, `expected reduction none or add, got "${reduction}"`);
  const k = positions.shape[positions.rank - 1];
  const n = sizeOf(positions.shape.slice(0, -1));
  const strides = stridesOf(x.shape.slice(0, k));
  const flat = positions.reshape([n, k]);
  const index = strides.map((s, j) => flat.slice(null, j).mul(s)).reduce((a, b) => a.add(b));
  const lead = sizeOf(x.shape.slice(0, k));
  const rest = sizeOf(x.shape.slice(k));
  const [table, rows] = [x.reshape([lead, rest]), updates.reshape([n, rest])];
  const y =
    reduction === 'add'
      ? table.scatterAdd(index, rows)
      : table.scatterElements(index.unsqueeze(1).expand([n, rest]), rows, 0);
  return [y.reshape(x.shape)];
};

const split: ImportRule = (c) => {
  const x = operand(c, 0);
  const axis = normalizeAxis(c.where, c.attributes.int('axis', 0), x.rank);
  const pieces = c.attributes.int('num_outputs', c.outputs);
  const each = Math.ceil(x.shape[axis] / pieces);
  const sizes = integers(c, 1) ?? range(pieces).map((i) => Math.min(each, x.shape[axis] - i * each));
  return x.split(sizes, axis);
};

const topK: ImportRule = (c) => {
  const x = operand(c, 0);
  const [k] = integers(c, 1) ?? refuse(c, 'expected k');
  const axis = c.attributes.int('axis', -1);
  const [values, indices] = applyAll(
    'topK',
    { axis: normalizeAxis(c.where, axis, x.rank), k, largest: c.attributes.int('largest', 1) === 1 },
    x,
  );
  return [values, indices.cast('int64')];
};

/** (x - mean) / sqrt(variance + epsilon) over the given axes. */
function standardize(x: Tensor, axes: number[], epsilon: number): Tensor {
  const centred = x.sub(x.mean(axes, true));
  return centred.mul(centred.square().mean(axes, true).add(epsilon).rsqrt());
}
const normalizedAxes = (c: Context, x: Tensor): number[] =>
  range(x.rank).slice(normalizeAxis(c.where, c.attributes.int('axis', -1), x.rank));

const layerNormalization: ImportRule = (c) => {
  const x = operand(c, 0);
  const y = standardize(x, normalizedAxes(c, x), c.attributes.float('epsilon', 1e-5)).mul(operand(c, 1));
  return [c.x[2] ? y.add(c.x[2]) : y];
};

const rmsNormalization: ImportRule = (c) => {
  const [x, scale] = [operand(c, 0), operand(c, 1)];
  const epsilon = c.attributes.float('epsilon', 1e-5);
  const axes = normalizedAxes(c, x);
  if (axes.length === 1 && scale.rank === 1) return [apply('rmsNormalization', { epsilon }, x, scale)];
  return [x.mul(x.square().mean(axes, true).add(epsilon).rsqrt()).mul(scale)];
};

/** Statistics that the model stores, as in inference. */
const batchNormalization: ImportRule = (c) => {
  if (c.attributes.int('training_mode', 0)) refuse(c, 'expected a model for inference, got training_mode');
  const x = operand(c, 0);
  const each = (i: number): Tensor => operand(c, i).reshape([1, operand(c, i).size, ...range(x.rank - 2).map(() => 1)]);
  const r = each(4).add(c.attributes.float('epsilon', 1e-5)).rsqrt();
  return [x.sub(each(3)).mul(r).mul(each(1)).add(each(2))];
};

const instanceNormalization: ImportRule = (c) => {
  const x = operand(c, 0);
  const axes = range(x.rank).slice(2);
  const each = (i: number): Tensor => operand(c, i).reshape([1, operand(c, i).size, ...axes.map(() => 1)]);
  return [standardize(x, axes, c.attributes.float('epsilon', 1e-5)).mul(each(1)).add(each(2))];
};

/** The form that the writer emits: whole tables, half-split. */
const rotaryEmbedding: ImportRule = (c) => {
  const [x, rows, cos, sin] = [0, 1, 2, 3].map((i) => operand(c, i));
  if (c.attributes.int('interleaved', 0) || c.attributes.int('rotary_embedding_dim', 0) || x.rank !== 4)
    refuse(c, 'expected half-split rotation of all of [B, H, T, D]');
  const [batch, , time, width] = x.shape;
  const half = width / 2;
  const table = (t: Tensor): Tensor =>
    rows.size === 1
      ? t.gather(rows.reshape([1]).add(constantRange(time, rows.dtype)))
      : t.gather(rows).reshape([batch, time, half]);
  return [apply('rotaryEmbedding', {}, x, table(cos), table(sin))];
};

/** A scaled product of batches that reads its operands transposed. */
const fusedMatMul: ImportRule = (c) => {
  const flag = (name: string): boolean => c.attributes.int(name, 0) === 1;
  if (flag('transBatchA') || flag('transBatchB')) refuse(c, 'expected batches in their order');
  const y = operand(c, 0).matMul(operand(c, 1), { transA: flag('transA'), transB: flag('transB') });
  const alpha = c.attributes.float('alpha', 1);
  return [alpha === 1 ? y : y.mul(alpha)];
};

/** bitsandbytes' NF4, which the writer emits. */
const matMulBnb4: ImportRule = (c) => {
  const [x, codes, scales] = [0, 1, 2].map((i) => operand(c, i));
  const [inputs, outputs] = [c.attributes.int('K', 0), c.attributes.int('N', 0)];
  if (c.attributes.int('quant_type', 0) !== 1) refuse(c, 'expected NF4 (quant_type 1)');
  const transB = c.attributes.int('transB', 1) === 1;
  return [apply('matMulNf4', { transB }, x, codes.reshape([outputs, inputs / 2]), scales)];
};

function constantRange(n: number, dtype: DType): Tensor {
  const data = dtype === 'int64' ? BigInt64Array.from(range(n), BigInt) : Int32Array.from(range(n));
  return constant({ dtype, shape: [n], data });
}

const int64s = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  constant({ dtype: 'int64', shape, data: BigInt64Array.from(values, BigInt) });

const constantNode: ImportRule = (c) => {
  const value = c.attributes.tensor('value');
  if (value) return [constant(value)];
  if (c.attributes.has('value_int')) return [int64s([c.attributes.int('value_int', 0)], [])];
  const ints = c.attributes.ints('value_ints');
  if (ints) return [int64s(ints)];
  if (c.attributes.has('value_float')) return [full([], c.attributes.float('value_float', 0))];
  return refuse(c, 'expected a tensor, an integer or a float as value');
};

const constantOfShape: ImportRule = (c) => {
  const shape = integers(c, 0) ?? refuse(c, 'expected a shape');
  const value = c.attributes.tensor('value');
  return [value ? constant({ ...value, shape: [] }).expand(shape) : zeros(shape)];
};

const rangeNode: ImportRule = (c) => {
  const [[start], [limit], [step]] = [0, 1, 2].map((i) => integers(c, i) ?? refuse(c, 'expected constant integers'));
  const n = Math.max(0, Math.ceil((limit - start) / step));
  return [int64s(range(n).map((i) => start + i * step)).cast(operand(c, 0).dtype)];
};

const trilu: ImportRule = (c) => {
  const x = operand(c, 0);
  const [k] = integers(c, 1) ?? [0];
  const [rows, columns] = x.shape.slice(-2);
  const upper = c.attributes.int('upper', 1) === 1;
  const keep = upper ? tril(rows, columns, k - 1).not() : tril(rows, columns, k);
  return [choose(keep, x, 0)];
};

const tile: ImportRule = (c) => {
  const repeats = integers(c, 1) ?? refuse(c, 'expected repeats');
  return [
    repeats.reduce(
      (t, n, axis) =>
        n === 1
          ? t
          : concat(
              range(n).map(() => t),
              axis,
            ),
      operand(c, 0),
    ),
  ];
};

/** Both shapes are stretched, as in Expand of ONNX. */
const expand: ImportRule = (c) => {
  const x = operand(c, 0);
  const shape = integers(c, 1) ?? refuse(c, 'expected a shape');
  const rank = Math.max(shape.length, x.rank);
  const at = (list: readonly number[], i: number): number => list[i - (rank - list.length)] ?? 1;
  return [x.expand(range(rank).map((i) => (at(shape, i) === 1 ? at(x.shape, i) : at(shape, i))))];
};

const insertAxes: ImportRule = (c) => {
  const x = operand(c, 0);
  const axes = axesOf(c, 1) ?? refuse(c, 'expected axes');
  const rank = x.rank + axes.length;
  const at = axes.map((a) => normalizeAxis(c.where, a, rank));
  const rest = [...x.shape];
  return [x.reshape(range(rank).map((i) => (at.includes(i) ? 1 : rest.shift()!)))];
};

const removeAxes: ImportRule = (c) => {
  const x = operand(c, 0);
  const axes = axesOf(c, 1)?.map((a) => normalizeAxis(c.where, a, x.rank));
  const gone = axes ?? range(x.rank).filter((i) => x.shape[i] === 1);
  const wrong = gone.find((i) => x.shape[i] !== 1);
  if (wrong !== undefined)
    throw new ShapeError(c.where, `expected axis ${wrong} of size 1, got ${x.toString()}`, SUPPORTED);
  return [x.reshape(x.shape.filter((_, i) => !gone.includes(i)))];
};

const flatten: ImportRule = unary((x, c) => {
  const axis = c.attributes.int('axis', 1);
  const a = axis < 0 ? axis + x.rank : axis;
  return x.reshape([sizeOf(x.shape.slice(0, a)), sizeOf(x.shape.slice(a))]);
});

/** Division of integers drops the remainder in both. Exponents may be of another type. */
const power = binary((a, b) =>
  isFloat(a.dtype) ? a.pow(b.cast(a.dtype)) : a.cast('float32').pow(b.cast('float32')).cast(a.dtype),
);

/** How each ONNX operator is read, by its name. */
export const importRules: ReadonlyMap<string, ImportRule> = new Map<string, ImportRule>([
  ['Neg', unary((x) => x.neg())],
  ['Abs', unary((x) => x.abs())],
  ['Sign', unary((x) => x.sign())],
  ['Exp', unary((x) => x.exp())],
  ['Log', unary((x) => x.log())],
  ['Sqrt', unary((x) => x.sqrt())],
  ['Reciprocal', unary((x) => x.reciprocal())],
  ['Erf', unary((x) => x.erf())],
  ['Tanh', unary((x) => x.tanh())],
  ['Sigmoid', unary((x) => x.sigmoid())],
  ['Sin', unary((x) => x.sin())],
  ['Cos', unary((x) => x.cos())],
  ['Floor', unary((x) => x.floor())],
  ['Ceil', unary((x) => x.ceil())],
  ['Round', unary((x) => x.round())],
  ['Not', unary((x) => x.not())],
  ['IsNaN', unary((x) => x.isNaN())],
  ['IsInf', unary((x) => x.isInf())],
  ['Identity', unary((x) => x)],
  ['Dropout', unary((x) => x)],
  ['Relu', unary((x) => x.relu())],
  ['LeakyRelu', unary((x, c) => choose(x.less(0), x.mul(c.attributes.float('alpha', 0.01)), x))],
  ['Elu', unary((x, c) => choose(x.less(0), x.minimum(0).exp().sub(1).mul(c.attributes.float('alpha', 1)), x))],
  ['Softplus', unary((x) => x.softplus())],
  ['Gelu', unary((x, c) => x.gelu(c.attributes.string('approximate', 'none') === 'tanh'))],
  [
    'HardSigmoid',
    unary((x, c) => x.mul(c.attributes.float('alpha', 0.2)).add(c.attributes.float('beta', 0.5)).clip(0, 1)),
  ],
  ['HardSwish', unary((x) => x.mul(x.div(6).add(0.5).clip(0, 1)))],
  ['PRelu', binary((x, slope) => choose(x.less(0), x.mul(slope), x))],
  [
    'Clip',
    unary((x, c) => {
      const low = c.x[1] ? x.maximum(c.x[1]) : x;
      return c.x[2] ? low.minimum(c.x[2]) : low;
    }),
  ],
  ['Cast', unary((x, c) => convert(x, dtypeFor(c, c.attributes.int('to', 0))))],
  ['CastLike', binary((a, b) => convert(a, b.dtype))],
  ['Add', binary((a, b) => a.add(b))],
  ['Sub', binary((a, b) => a.sub(b))],
  ['Mul', binary((a, b) => a.mul(b))],
  ['Div', binary((a, b) => a.div(b))],
  ['Pow', power],
  ['Max', variadic((a, b) => a.maximum(b))],
  ['Min', variadic((a, b) => a.minimum(b))],
  ['Sum', variadic((a, b) => a.add(b))],
  [
    'Mod',
    binary((a, b, c) =>
      c.attributes.int('fmod', 0) ? refuse(c, 'expected fmod 0 (sign of the divisor), got 1') : a.mod(b),
    ),
  ],
  ['Equal', binary((a, b) => a.equal(b))],
  ['Less', binary((a, b) => a.less(b))],
  ['LessOrEqual', binary((a, b) => a.lessOrEqual(b))],
  ['Greater', binary((a, b) => a.greater(b))],
  ['GreaterOrEqual', binary((a, b) => a.greaterOrEqual(b))],
  ['And', binary((a, b) => a.and(b))],
  ['Or', binary((a, b) => a.or(b))],
  ['Xor', binary((a, b) => a.notEqual(b))],
  ['Where', (c) => [choose(operand(c, 0), operand(c, 1), operand(c, 2))]],
  ['ReduceSum', reduction((x, a, k) => x.sum(a, k))],
  ['ReduceMean', reduction((x, a, k) => x.mean(a, k))],
  ['ReduceMax', reduction((x, a, k) => x.max(a, k))],
  ['ReduceMin', reduction((x, a, k) => x.min(a, k))],
  ['ReduceProd', reduction((x, a, k) => x.prod(a, k))],
  ['ReduceSumSquare', reduction((x, a, k) => x.square().sum(a, k))],
  ['ReduceL1', reduction((x, a, k) => x.abs().sum(a, k))],
  ['ReduceL2', reduction((x, a, k) => x.square().sum(a, k).sqrt())],
  ['GlobalAveragePool', unary((x) => x.mean(range(x.rank).slice(2), true))],
  ['ArgMax', argExtreme((x, a, k) => x.argMax(a, k))],
  ['ArgMin', argExtreme((x, a, k) => x.argMin(a, k))],
  [
    'CumSum',
    unary((x, c) =>
      x.cumSum((integers(c, 1) ?? refuse(c, 'expected an axis'))[0], {
        exclusive: c.attributes.int('exclusive', 0) === 1,
        reverse: c.attributes.int('reverse', 0) === 1,
      }),
    ),
  ],
  ['Softmax', unary((x, c) => x.softmax(c.attributes.int('axis', -1)))],
  ['LogSoftmax', unary((x, c) => x.logSoftmax(c.attributes.int('axis', -1)))],
  ['TopK', topK],
  ['MatMul', binary(product)],
  ['Gemm', gemm],
  ['Conv', (c) => convolution(c, false)],
  ['ConvTranspose', (c) => convolution(c, true)],
  ['BatchNormalization', batchNormalization],
  ['InstanceNormalization', instanceNormalization],
  ['LayerNormalization', layerNormalization],
  ['RMSNormalization', rmsNormalization],
  ['SimplifiedLayerNormalization', rmsNormalization],
  ['com.microsoft.RotaryEmbedding', rotaryEmbedding],
  ['com.microsoft.MatMulBnb4', matMulBnb4],
  ['com.microsoft.FusedMatMul', fusedMatMul],
  ['Transpose', unary((x, c) => x.transpose(c.attributes.ints('perm')))],
  ['Reshape', reshape],
  ['Flatten', flatten],
  ['Unsqueeze', insertAxes],
  ['Squeeze', removeAxes],
  ['Expand', expand],
  ['Tile', tile],
  ['Slice', slice],
  ['Split', split],
  [
    'Concat',
    (c) => [
      concat(
        c.x.map((_, i) => operand(c, i)),
        c.attributes.int('axis', 0),
      ),
    ],
  ],
  ['Pad', pad],
  ['Trilu', trilu],
  ['Gather', binary((a, i, c) => a.gather(i, c.attributes.int('axis', 0)))],
  ['GatherElements', binary((a, i, c) => a.gatherElements(i, c.attributes.int('axis', 0)))],
  [
    'ScatterElements',
    (c) => {
      const reduction = c.attributes.string('reduction', 'none');
      if (reduction !== 'none' && reduction !== 'add') refuse(c, `expected reduction none or add, got "${reduction}"`);
      const [x, i, u] = [operand(c, 0), operand(c, 1), operand(c, 2)];
      return [x.scatterElements(i, u, c.attributes.int('axis', 0), reduction)];
    },
  ],
  ['ScatterND', scatterND],
  ['Constant', constantNode],
  ['ConstantOfShape', constantOfShape],
  ['Range', rangeNode],
  [
    'Shape',
    unary((x, c) => {
      const end = c.attributes.has('end') ? c.attributes.int('end', 0) : x.rank;
      return int64s(x.shape.slice(c.attributes.int('start', 0), end));
    }),
  ],
  ['Size', unary((x) => int64s([x.size], []))],
]);

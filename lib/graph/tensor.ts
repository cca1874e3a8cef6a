/**
 * Tensors: nodes of a graph that is built as TypeScript runs. A tensor is symbolic (the result of an operation, its
 * shape and type known) or concrete (it has values). Operations on either return new tensors and compute nothing;
 * `await x.data()` evaluates an expression at once, `jit` compiles a function for many calls.
 */
import { ArgumentError, ShapeError } from '../errors';
import { checkArrayType, checkDType, fromNumbers, toNumbers } from './dtype';
import type { DType, TypedArray } from './dtype';
import type { ArgParams, ConvParams, OpName, OpParams, TensorType } from './ops';
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
import { shapeRules } from './shape-rules';
import { Storage } from './storage';

let nextNode = 1;
/** The number that the next node will get: nodes made later have larger ones. */
export const nodeCounter = (): number => nextNode;

/** One application of a primitive. `copy` tells apart a recomputation from the first computation of the same thing. */
export class Node<K extends OpName = OpName> {
  readonly id = nextNode++;
  constructor(
    readonly op: K,
    readonly params: OpParams[K],
    readonly inputs: readonly Tensor[],
    readonly types: readonly TensorType[],
    readonly copy = 0,
  ) {}
}

/** Whether a node is of an operation: `node.op === op` alone does not tell TypeScript the type of the parameters. */
export const isOp = <K extends OpName>(node: Node, op: K): node is Node & Node<K> => node.op === op;

/** The runtime puts its evaluator here: it makes sure that the given tensors have values. */
let evaluator: ((tensors: Tensor[]) => Promise<void>) | null = null;
export const setEvaluator = (f: (tensors: Tensor[]) => Promise<void>): void => {
  evaluator = f;
};

export type TensorLike = Tensor | number;
export type Nested = number | boolean | readonly Nested[];
/** A range of one axis: an index (the axis disappears), [start, end], [start, end, step], or null for all of it. */
export type SliceRange =
  number | null | readonly [number | null, number | null] | readonly [number | null, number | null, number];

export class Tensor {
  /** Values, once there are any. */
  storage: Storage | null = null;

  constructor(
    readonly node: Node,
    readonly index = 0,
  ) {}

  get dtype(): DType {
    return this.node.types[this.index].dtype;
  }
  get shape(): readonly number[] {
    return this.node.types[this.index].shape;
  }
  get rank(): number {
    return this.shape.length;
  }
  get size(): number {
    return sizeOf(this.shape);
  }

  // --- values -------------------------------------------------------------------------------------------------------

  /**
   * The values as a host array (evaluates the expression first). It is the tensor's own: copy it before you change it.
   * Throws DisposedError after donation.
   */
  async data(): Promise<TypedArray> {
    await evaluate(this);
    return this.storage!.read('data');
  }

  /** The values as JavaScript numbers. */
  async numbers(): Promise<Float64Array> {
    return toNumbers({ dtype: this.dtype, shape: this.shape, data: await this.data() });
  }

  /** The single value of a one-element tensor. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(
        'item',
        `expected one element, got shape ${showShape(this.shape)}`,
        'reduce it first, or use .data()',
      );
    return (await this.numbers())[0];
  }

  /** The values as nested arrays. */
  async tolist(): Promise<Nested> {
    const flat = await this.numbers();
    const build = (axis: number, offset: number, size: number): Nested => {
      if (axis === this.rank) return this.dtype === 'bool' ? flat[offset] !== 0 : flat[offset];
      const step = size / (this.shape[axis] || 1);
      return range(this.shape[axis]).map((i) => build(axis + 1, offset + i * step, step));
    };
    return build(0, 0, this.size);
  }

  /**
   * Frees the values; using the tensor afterwards throws DisposedError. An expression that was not evaluated has none yet
   * and stays as it is.
   */
  dispose(): void {
    this.storage?.dispose();
  }

  toString(): string {
    return `Tensor(${this.dtype} ${showShape(this.shape)}${this.storage ? '' : `, ${this.node.op}`})`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  // --- element-wise -------------------------------------------------------------------------------------------------

  neg(): Tensor {
    return apply('neg', {}, this);
  }
  abs(): Tensor {
    return apply('abs', {}, this);
  }
  sign(): Tensor {
    return apply('sign', {}, this);
  }
  exp(): Tensor {
    return apply('exp', {}, this);
  }
  log(): Tensor {
    return apply('log', {}, this);
  }
  sqrt(): Tensor {
    return apply('sqrt', {}, this);
  }
  reciprocal(): Tensor {
    return apply('reciprocal', {}, this);
  }
  erf(): Tensor {
    return apply('erf', {}, this);
  }
  tanh(): Tensor {
    return apply('tanh', {}, this);
  }
  sigmoid(): Tensor {
    return apply('sigmoid', {}, this);
  }
  sin(): Tensor {
    return apply('sin', {}, this);
  }
  cos(): Tensor {
    return apply('cos', {}, this);
  }
  floor(): Tensor {
    return apply('floor', {}, this);
  }
  ceil(): Tensor {
    return apply('ceil', {}, this);
  }
  /** Rounds halves to even. */
  round(): Tensor {
    return apply('round', {}, this);
  }
  not(): Tensor {
    return apply('not', {}, this);
  }
  isNaN(): Tensor {
    return apply('isNaN', {}, this);
  }
  isInf(): Tensor {
    return apply('isInf', {}, this);
  }
  /** Converts the element type; float to integer cuts towards zero, anything to bool is `!= 0`. */
  cast(dtype: DType): Tensor {
    checkDType('cast', dtype);
    return dtype === this.dtype ? this : apply('cast', { dtype }, this);
  }

  add(other: TensorLike): Tensor {
    return binary('add', this, other);
  }
  sub(other: TensorLike): Tensor {
    return binary('sub', this, other);
  }
  mul(other: TensorLike): Tensor {
    return binary('mul', this, other);
  }
  /** Quotient; integers are divided with the remainder dropped. */
  div(other: TensorLike): Tensor {
    return binary('div', this, other);
  }
  pow(other: TensorLike): Tensor {
    return other === 2 ? this.square() : binary('pow', this, other);
  }
  maximum(other: TensorLike): Tensor {
    return binary('max', this, other);
  }
  minimum(other: TensorLike): Tensor {
    return binary('min', this, other);
  }
  /** Remainder of integers, with the sign of the divisor. */
  mod(other: TensorLike): Tensor {
    return binary('mod', this, other);
  }
  equal(other: TensorLike): Tensor {
    return binary('equal', this, other);
  }
  notEqual(other: TensorLike): Tensor {
    return this.equal(other).not();
  }
  less(other: TensorLike): Tensor {
    return binary('less', this, other);
  }
  lessOrEqual(other: TensorLike): Tensor {
    return binary('lessOrEqual', this, other);
  }
  greater(other: TensorLike): Tensor {
    return binary('less', lift(other, this), this);
  }
  greaterOrEqual(other: TensorLike): Tensor {
    return binary('lessOrEqual', lift(other, this), this);
  }
  and(other: Tensor): Tensor {
    return apply('and', {}, this, other);
  }
  or(other: Tensor): Tensor {
    return apply('or', {}, this, other);
  }

  square(): Tensor {
    return this.mul(this);
  }
  rsqrt(): Tensor {
    return this.sqrt().reciprocal();
  }
  relu(): Tensor {
    // Written so that NaN stays NaN, as elsewhere.
    return where(this.lessOrEqual(0), 0, this);
  }
  /** x * sigmoid(x), also called swish. */
  silu(): Tensor {
    const s = this.sigmoid();
    const y = this.mul(s);
    // The derivative s + y (1 - s), in fewer passes than the product rule takes.
    const backward = (dy: Tensor, out: Tensor): (Tensor | null)[] => [dy.mul(s.add(out).sub(out.mul(s)))];
    return apply('customGradient', { backward: backward }, y, this);
  }
  /** Gaussian error linear unit, x * Phi(x), by erf; `approximate` uses the tanh form. */
  gelu(approximate = false): Tensor {
    if (!approximate) return this.mul(this.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
    const inner = this.add(this.mul(this).mul(this).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return this.mul(inner.tanh().add(1)).mul(0.5);
  }
  /** log(1 + exp(x)) without overflow. */
  softplus(): Tensor {
    return this.maximum(0).add(this.abs().neg().exp().add(1).log());
  }
  /** log(sigmoid(x)) without overflow. */
  logSigmoid(): Tensor {
    return this.neg().softplus().neg();
  }
  /** Cuts to [low, high]. */
  clip(low: TensorLike, high: TensorLike): Tensor {
    return this.maximum(low).minimum(high);
  }

  // --- reductions ---------------------------------------------------------------------------------------------------

  sum(axes?: number | readonly number[], keepDims = false): Tensor {
    return this.reduce('reduceSum', axes, keepDims);
  }
  mean(axes?: number | readonly number[], keepDims = false): Tensor {
    return this.reduce('reduceMean', axes, keepDims);
  }
  /** On the CPU a NaN among the values is passed over; on the second engine, as in PyTorch, it is the result. */
  max(axes?: number | readonly number[], keepDims = false): Tensor {
    return this.reduce('reduceMax', axes, keepDims);
  }
  min(axes?: number | readonly number[], keepDims = false): Tensor {
    return this.reduce('reduceMin', axes, keepDims);
  }
  prod(axes?: number | readonly number[], keepDims = false): Tensor {
    return this.reduce('reduceProd', axes, keepDims);
  }
  /** Mean squared deviation; `correction` 1 gives the unbiased estimate. */
  variance(axes?: number | readonly number[], keepDims = false, correction = 0): Tensor {
    const list = normalizeAxes('variance', axes, this.rank);
    const n = sizeOf(list.map((a) => this.shape[a]));
    const centred = this.sub(this.mean(list, true));
    return centred
      .square()
      .sum(list, keepDims)
      .div(n - correction);
  }
  argMax(axis: number, keepDims = false): Tensor {
    return this.argReduce('argMax', axis, keepDims);
  }
  argMin(axis: number, keepDims = false): Tensor {
    return this.argReduce('argMin', axis, keepDims);
  }
  /** log(sum(exp(x))) without overflow. */
  logSumExp(axis: number, keepDims = false): Tensor {
    const largest = this.max(axis, true);
    // An infinite maximum is its own logarithm of the sum; subtracting it would give NaN.
    const top = stopGradient(where(largest.isInf(), 0, largest));
    const out = this.sub(top).exp().sum(axis, true).log().add(top);
    return keepDims ? out : out.squeeze(axis);
  }
  cumSum(axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Tensor {
    const { exclusive = false, reverse = false } = options;
    return apply('cumSum', { axis: normalizeAxis('cumSum', axis, this.rank), exclusive, reverse }, this);
  }
  softmax(axis = -1): Tensor {
    return apply('softmax', { axis: normalizeAxis('softmax', axis, this.rank) }, this);
  }
  logSoftmax(axis = -1): Tensor {
    return apply('logSoftmax', { axis: normalizeAxis('logSoftmax', axis, this.rank) }, this);
  }
  /** The k largest (or smallest) entries along an axis, sorted, and their int32 positions. */
  topK(k: number, options: { axis?: number; largest?: boolean } = {}): { values: Tensor; indices: Tensor } {
    const { axis = -1, largest = true } = options;
    const [values, indices] = applyAll('topK', { axis: normalizeAxis('topK', axis, this.rank), k, largest }, this);
    return { values, indices };
  }

  private reduce(
    op: 'reduceSum' | 'reduceMean' | 'reduceMax' | 'reduceMin' | 'reduceProd',
    axes: number | readonly number[] | undefined,
    keepDims: boolean,
  ): Tensor {
    const list = normalizeAxes(op, axes, this.rank);
    return list.length ? apply(op, { axes: list, keepDims }, this) : this;
  }
  private argReduce(op: 'argMax' | 'argMin', axis: number, keepDims: boolean): Tensor {
    const params: ArgParams = { axis: normalizeAxis(op, axis, this.rank), keepDims };
    return apply(op, params, this);
  }

  // --- linear algebra -----------------------------------------------------------------------------------------------

  /** Matrix product over the last two axes; leading axes broadcast. */
  matMul(other: Tensor, options: { transA?: boolean; transB?: boolean } = {}): Tensor {
    const { transA = false, transB = false } = options;
    return apply('matMul', { transA, transB }, this, other);
  }
  /** Convolution of [N, C, ...spatial] with weights [out, C / group, ...kernel]; defaults: stride 1, no padding. */
  conv(weights: Tensor, options: Partial<ConvParams> = {}): Tensor {
    return apply('conv', convParams(this, options), this, weights);
  }
  /** Transposed convolution with weights [C, out / group, ...kernel]. */
  convTranspose(weights: Tensor, options: Partial<ConvParams & { outputPadding: number[] }> = {}): Tensor {
    const p = convParams(this, options);
    return apply(
      'convTranspose',
      { ...p, outputPadding: options.outputPadding ?? p.strides.map(() => 0) },
      this,
      weights,
    );
  }

  // --- layout -------------------------------------------------------------------------------------------------------

  /** Permutes the axes; without an argument reverses them. */
  transpose(perm?: readonly number[]): Tensor {
    const p = perm ? perm.map((a) => normalizeAxis('transpose', a, this.rank)) : range(this.rank).reverse();
    return p.every((a, i) => a === i) && p.length === this.rank ? this : apply('transpose', { perm: p }, this);
  }
  /** Same elements in another shape; one entry may be -1. */
  reshape(shape: readonly number[]): Tensor {
    const known = shape.filter((d) => d !== -1);
    const out = shape.map((d) => (d === -1 ? this.size / sizeOf(known) : d));
    if (shape.length - known.length > 1 || out.some((d) => !Number.isInteger(d)))
      throw new ShapeError(
        'reshape',
        `expected a shape of ${this.size} elements for ${showShape(this.shape)}, got ${showShape(shape)}`,
        'at most one entry may be -1',
      );
    return sameShape(out, this.shape) ? this : apply('reshape', { shape: out }, this);
  }
  flatten(): Tensor {
    return this.reshape([-1]);
  }
  /** Adds an axis of size 1. */
  unsqueeze(axis: number): Tensor {
    const a = normalizeAxis('unsqueeze', axis, this.rank + 1);
    return this.reshape([...this.shape.slice(0, a), 1, ...this.shape.slice(a)]);
  }
  /** Removes an axis of size 1. */
  squeeze(axis: number): Tensor {
    const a = normalizeAxis('squeeze', axis, this.rank);
    if (this.shape[a] !== 1)
      throw new ShapeError(
        'squeeze',
        `expected axis ${a} of size 1, got ${showShape(this.shape)}`,
        'only axes of size 1 can be removed',
      );
    return this.reshape(this.shape.filter((_, i) => i !== a));
  }
  /** Repeats axes of size 1 up to `shape`; -1 keeps an axis. */
  expand(shape: readonly number[]): Tensor {
    const lead = shape.length - this.rank;
    const out = shape.map((d, i) => (d === -1 && i >= lead ? this.shape[i - lead] : d));
    return sameShape(out, this.shape) ? this : apply('expand', { shape: out }, this);
  }
  /** Cuts out ranges, one an axis, missing ones whole. Negative positions count from the end. */
  slice(...ranges: SliceRange[]): Tensor {
    if (ranges.length > this.rank)
      throw new ShapeError(
        'slice',
        `expected at most ${this.rank} ranges, got ${ranges.length}`,
        'give one range an axis',
      );
    const starts: number[] = [];
    const ends: number[] = [];
    const steps: number[] = [];
    const kept: number[] = [];
    this.shape.forEach((d, i) => {
      const r = ranges[i] ?? null;
      const [s, e, step] =
        typeof r === 'number' ? [r, r === -1 ? null : r + 1, 1] : [r?.[0] ?? null, r?.[1] ?? null, r?.[2] ?? 1];
      const at = (v: number): number => (v < 0 ? v + d : v);
      starts.push(s === null ? (step > 0 ? 0 : d - 1) : at(s));
      ends.push(e === null ? (step > 0 ? d : -1) : at(e));
      steps.push(step);
      if (typeof r !== 'number') kept.push(i);
    });
    const whole = starts.every((s, i) => s === 0 && ends[i] === this.shape[i] && steps[i] === 1);
    const out = whole ? this : apply('slice', { starts, ends, steps }, this);
    return kept.length === this.rank ? out : out.reshape(kept.map((i) => out.shape[i]));
  }
  /** Reverses an axis. */
  flip(axis: number): Tensor {
    const a = normalizeAxis('flip', axis, this.rank);
    return this.slice(...range(a).map(() => null), [null, null, -1]);
  }
  /** Cuts an axis into pieces of the given sizes. */
  split(sizes: readonly number[], axis: number): Tensor[] {
    const a = normalizeAxis('split', axis, this.rank);
    if (sizes.reduce((x, y) => x + y, 0) !== this.shape[a])
      throw new ShapeError(
        'split',
        `expected sizes that add up to ${this.shape[a]}, got [${sizes.join(', ')}]`,
        'every entry of the axis belongs to one piece',
      );
    let at = 0;
    return sizes.map((n) => {
      at += n;
      return this.slice(...range(a).map(() => null), [at - n, at]);
    });
  }
  /** Adds entries of `value` before and after each axis. */
  pad(before: readonly number[], after: readonly number[], value = 0): Tensor {
    return [...before, ...after].every((n) => n === 0) && before.length === this.rank && after.length === this.rank
      ? this
      : apply('pad', { before: [...before], after: [...after], value }, this);
  }

  // --- indexing -----------------------------------------------------------------------------------------------------

  /** Rows of `axis` chosen by int32 or int64 indices: [..before, ...indices.shape, ..after]. */
  gather(indices: Tensor, axis = 0): Tensor {
    return apply('gather', { axis: normalizeAxis('gather', axis, this.rank) }, this, indices);
  }
  /**
   * This tensor with `updates` added at the rows of `axis` that the indices name; repeated indices add up. `unique`
   * promises that no index occurs twice, and is faster.
   */
  scatterAdd(indices: Tensor, updates: Tensor, axis = 0, options: { unique?: boolean } = {}): Tensor {
    const { unique = false } = options;
    return apply('scatterAdd', { axis: normalizeAxis('scatterAdd', axis, this.rank), unique }, this, indices, updates);
  }
  /** out[i][j] = this[i][indices[i][j]] for axis 1, and so on. */
  gatherElements(indices: Tensor, axis: number): Tensor {
    return apply('gatherElements', { axis: normalizeAxis('gatherElements', axis, this.rank) }, this, indices);
  }
  /** The inverse of gatherElements; reduction 'none' wants distinct indices. */
  scatterElements(indices: Tensor, updates: Tensor, axis: number, reduction: 'none' | 'add' = 'none'): Tensor {
    return apply(
      'scatterElements',
      { axis: normalizeAxis('scatterElements', axis, this.rank), reduction },
      this,
      indices,
      updates,
    );
  }
}

/** Applies a primitive with several results. Shape errors name the operation. */
export function applyAll<K extends OpName>(op: K, params: OpParams[K], ...inputs: Tensor[]): Tensor[] {
  for (const x of inputs) x.storage?.check(op);
  const types = shapeRules[op](op, inputs, params as never);
  const node = new Node(op, params, inputs, types) as unknown as Node;
  return types.map((_, i) => new Tensor(node, i));
}

/** Applies a primitive with one result. */
export function apply<K extends OpName>(op: K, params: OpParams[K], ...inputs: Tensor[]): Tensor {
  return applyAll(op, params, ...inputs)[0];
}

/** Makes a number a scalar of the tensor's type. */
function lift(value: TensorLike, like: { dtype: DType }): Tensor {
  if (value instanceof Tensor) return value;
  if (typeof value !== 'number' && typeof value !== 'boolean')
    throw new ArgumentError(
      'constant',
      `expected a tensor or a number as operand, got ${value === undefined ? 'undefined' : Object.prototype.toString.call(value)}`,
      'make it a tensor with tensor(...)',
    );
  checkDType('constant', like.dtype);
  return constant({ dtype: like.dtype, shape: [], data: fromNumbers('constant', like.dtype, [value]) });
}

type BinaryOp = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'max' | 'min' | 'mod' | 'equal' | 'less' | 'lessOrEqual';
function binary(op: BinaryOp, a: TensorLike, b: TensorLike): Tensor {
  const x = a instanceof Tensor ? a : lift(a, b as Tensor);
  return apply(op, {}, x, lift(b, x));
}

/** A tensor whose values are part of the graph. */
export function constant(value: TensorType & { data: TypedArray }): Tensor {
  return new Tensor(new Node('constant', { data: value.data }, [], [{ dtype: value.dtype, shape: value.shape }]));
}

/** A placeholder for a value that is given when the graph runs. */
export function input(type: TensorType, name = ''): Tensor {
  return new Tensor(new Node('input', { name }, [], [{ dtype: type.dtype, shape: [...type.shape] }]));
}

/** A concrete tensor that holds the given storage. */
export function fromStorage(storage: Storage): Tensor {
  const t = input(storage);
  t.storage = storage;
  return t;
}

/**
 * A concrete tensor from nested arrays, a flat typed array with a shape, or a number. Numbers give float32, booleans
 * bool, unless `dtype` says otherwise; a typed array gives its own type (Uint8Array: bool, Uint16Array: float16 bits)
 * and is not copied: leave it as it is afterwards.
 */
export function tensor(
  values: Nested | TypedArray,
  options: { shape?: readonly number[]; dtype?: DType } = {},
): Tensor {
  if (options.dtype !== undefined) checkDType('tensor', options.dtype);
  if (ArrayBuffer.isView(values)) {
    const own = arrayDType(values);
    if (!own)
      throw new ArgumentError(
        'tensor',
        `expected a Float32Array, Uint16Array, Int32Array, BigInt64Array or Uint8Array, got a ${Object.prototype.toString.call(values).slice(8, -1)}`,
        'convert it, for example by Float32Array.from(values)',
      );
    const dtype = options.dtype ?? own;
    checkArrayType('tensor', dtype, values);
    if (dtype === 'bool' && (values as Uint8Array).some((v) => v > 1))
      throw new ArgumentError(
        'tensor',
        'expected only 0 and 1 in a Uint8Array, which holds bool values, got others',
        'bytes such as those of an image become numbers by Float32Array.from(bytes)',
      );
    return fromStorage(new Storage(dtype, checkedShape(options.shape ?? [values.length], values.length), values));
  }
  const shape: number[] = [];
  for (let v: Nested = values; Array.isArray(v); v = (v as readonly Nested[])[0]) shape.push(v.length);
  const flat: (number | boolean)[] = [];
  const walk = (v: Nested, axis: number): void => {
    if (typeof v === 'number' || typeof v === 'boolean') {
      if (axis !== shape.length) ragged(shape);
      flat.push(v);
    } else {
      if (!Array.isArray(v))
        throw new ArgumentError(
          'tensor',
          `expected numbers, booleans or nested arrays of them, got ${typeof v === 'bigint' ? `${String(v)}n` : v === undefined ? 'undefined' : JSON.stringify(v)}`,
          'convert the values to numbers first; large integers come in a BigInt64Array',
        );
      if (axis >= shape.length || v.length !== shape[axis]) ragged(shape);
      for (const item of v as readonly Nested[]) walk(item, axis + 1);
    }
  };
  walk(values, 0);
  const dtype = options.dtype ?? (flat.length && typeof flat[0] === 'boolean' ? 'bool' : 'float32');
  return fromStorage(
    new Storage(dtype, checkedShape(options.shape ?? shape, flat.length), fromNumbers('tensor', dtype, flat)),
  );
}

function arrayDType(values: ArrayBufferView): DType | null {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof BigInt64Array) return 'int64';
  if (values instanceof Uint16Array) return 'float16';
  return values instanceof Uint8Array ? 'bool' : null;
}

function ragged(shape: number[]): never {
  throw new ShapeError(
    'tensor',
    `expected nested arrays of one length an axis, got a ragged one (first row: ${showShape(shape)})`,
    'pad the rows to one length',
  );
}

function checkedShape(shape: readonly number[], size: number): number[] {
  checkShape('tensor', shape);
  if (sizeOf(shape) !== size)
    throw new ShapeError(
      'tensor',
      `expected ${sizeOf(shape)} values for shape ${showShape(shape)}, got ${size}`,
      'check the shape',
    );
  return [...shape];
}

/** Evaluates expressions, several at once: afterwards each has its values. Without a runtime this is an error. */
export async function evaluate(...tensors: Tensor[]): Promise<void> {
  const open = tensors.filter((t) => !t.storage);
  if (!open.length) return;
  if (!evaluator)
    throw new ArgumentError(
      'evaluate',
      'expected a runtime, found none',
      "import 'omnilab' or 'omnilab/runtime', which registers one",
    );
  await evaluator(open);
}

// --- functions of several tensors -----------------------------------------------------------------------------------

/** condition ? a : b, element by element. */
export function where(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  const like = a instanceof Tensor ? a : b instanceof Tensor ? b : { dtype: 'float32' as const };
  return apply('where', {}, condition, lift(a, like), lift(b, like));
}

/** Joins tensors along an axis. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  if (!tensors.length)
    throw new ShapeError('concat', 'expected at least one tensor, got none', 'pass a non-empty list');
  return tensors.length === 1
    ? tensors[0]
    : apply('concat', { axis: normalizeAxis('concat', axis, tensors[0].rank) }, ...tensors);
}

/** Joins tensors along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  return concat(
    tensors.map((t) => t.unsqueeze(axis)),
    axis,
  );
}

/** The tensor as a value without gradient. */
export function stopGradient(x: Tensor): Tensor {
  return apply('stopGradient', {}, x);
}

/** A tensor of this shape, each element `value`. */
export function full(shape: readonly number[], value: number, dtype: DType = 'float32'): Tensor {
  return lift(value, { dtype }).expand(shape);
}
/** `full` of zeros. */
export const zeros = (shape: readonly number[], dtype: DType = 'float32'): Tensor => full(shape, 0, dtype);
/** `full` of ones. */
export const ones = (shape: readonly number[], dtype: DType = 'float32'): Tensor => full(shape, 1, dtype);
/** Zeros of the shape and type of `x`. */
export const zerosLike = (x: Tensor): Tensor => full(x.shape, 0, x.dtype);
/** Ones of the shape and type of `x`. */
export const onesLike = (x: Tensor): Tensor => full(x.shape, 1, x.dtype);

/** 0, 1, ..., n - 1. */
export function arange(n: number, dtype: DType = 'int32'): Tensor {
  checkShape('arange', [n]);
  checkDType('arange', dtype);
  return constant({ dtype, shape: [n], data: fromNumbers('arange', dtype, range(n)) });
}

/** float32 [..., classes]: 1 where the class equals the index. */
export function oneHot(indices: Tensor, classes: number, dtype: DType = 'float32'): Tensor {
  return indices.unsqueeze(-1).equal(arange(classes, indices.dtype)).cast(dtype);
}

/** bool [rows, columns]: true on and below diagonal `offset`. */
export function tril(rows: number, columns: number, offset = 0): Tensor {
  return arange(columns).unsqueeze(0).lessOrEqual(arange(rows).unsqueeze(1).add(offset));
}

/** All operands broadcast to one shape. */
export function broadcast(...tensors: Tensor[]): Tensor[] {
  const shape = broadcastShapes('broadcast', ...tensors.map((t) => t.shape));
  return tensors.map((t) => t.expand(shape));
}

function convParams(x: Tensor, o: Partial<ConvParams>): ConvParams {
  const n = Math.max(x.rank - 2, 0);
  const same = (v: number): number[] => new Array<number>(n).fill(v);
  return {
    strides: o.strides ?? same(1),
    pads: o.pads ?? [...same(0), ...same(0)],
    dilations: o.dilations ?? same(1),
    group: o.group ?? 1,
  };
}

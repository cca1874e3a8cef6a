/**
 * What TensorFlow.js does not have, or does not do exactly, computed in JavaScript on the host: integer arithmetic, the
 * error function, conversions between the element types, positions for indexing. In TensorFlow.js int64 is held as
 * int32 and float16 as float32 that is rounded to half precision after each operation.
 */
import { ArgumentError } from '../errors';
import { emptyArray, fromFloat16, toFloat16 } from '../graph/dtype';
import type { DType, TypedArray } from '../graph/dtype';
import { sizeOf, stridesOf } from '../graph/shape';
import type { Tf, TfTensor } from './tfjs-library';

type Values = ArrayLike<number>;

const HELD_AS = {
  float32: 'float32',
  float16: 'float32',
  int32: 'int32',
  int64: 'int32',
  bool: 'bool',
  uint8: 'int32',
} as const;

/** Integers wrap around as int32; an int64 that 32 bits cannot hold is an error. */
export function fitInteger(where: string, dtype: DType, value: number): number {
  const cut = value | 0;
  if (dtype === 'int64' && cut !== value)
    throw new ArgumentError(
      where,
      `expected an int64 between -2^31 and 2^31 - 1, got ${value}`,
      'the tfjs device holds int64 as int32: use device cpu for larger numbers',
    );
  return cut;
}

/** A tensor of TensorFlow.js with the given values, converted to how `dtype` is held. */
export function hold(tf: Tf, dtype: DType, shape: readonly number[], values: Values): TfTensor {
  const size = sizeOf(shape);
  if (dtype === 'float32') return tf.tensor(Float32Array.from(values), [...shape], 'float32');
  if (dtype === 'float16') {
    const out = new Float32Array(size);
    for (let i = 0; i < size; i++) out[i] = fromFloat16(toFloat16(values[i]));
    return tf.tensor(out, [...shape], 'float32');
  }
  if (dtype === 'bool') {
    const out = new Uint8Array(size);
    for (let i = 0; i < size; i++) out[i] = values[i] !== 0 ? 1 : 0;
    return tf.tensor(out, [...shape], 'bool');
  }
  const out = new Int32Array(size);
  for (let i = 0; i < size; i++) out[i] = fitInteger('tfjs', dtype, values[i]);
  return tf.tensor(out, [...shape], HELD_AS[dtype]);
}

/** From a host array of this package. */
export function upload(tf: Tf, dtype: DType, shape: readonly number[], data: TypedArray): TfTensor {
  const numbers =
    data instanceof BigInt64Array
      ? Array.from(data, Number)
      : dtype === 'float16'
        ? Float32Array.from(data as Uint16Array, fromFloat16)
        : (data as Float32Array);
  return hold(tf, dtype, shape, numbers);
}

/** To a host array of this package; always a copy. */
export function download(dtype: DType, t: TfTensor): TypedArray {
  const values = t.dataSync();
  const out = emptyArray(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    if (out instanceof BigInt64Array) out[i] = BigInt(values[i]);
    else out[i] = dtype === 'float16' ? toFloat16(values[i]) : values[i];
  }
  return out;
}

/** Half precision after an operation that was computed in single precision. */
export function roundHalf(tf: Tf, t: TfTensor): TfTensor {
  return hold(tf, 'float16', t.shape, t.dataSync());
}

/** A new tensor of `dtype` whose entries are `f` of the operands' entries at the same place. */
export function elementwise(
  tf: Tf,
  dtype: DType,
  shape: readonly number[],
  operands: readonly TfTensor[],
  f: (...v: number[]) => number,
): TfTensor {
  const [a, b] = operands.map((t) => t.dataSync());
  const out = new Float64Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = b ? f(a[i], b[i]) : f(a[i]);
  return hold(tf, dtype, shape, out);
}

/** Folds the rows of an integer matrix; `f` keeps every step exact. */
export function foldRows(
  tf: Tf,
  dtype: DType,
  x: TfTensor,
  start: number | null,
  f: (a: number, b: number) => number,
): TfTensor {
  const [rows, columns] = x.shape;
  const values = x.dataSync();
  const out = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let total = start ?? values[r * columns];
    for (let c = start === null ? 1 : 0; c < columns; c++)
      total = fitInteger('tfjs', dtype, f(total, values[r * columns + c]));
    out[r] = total;
  }
  return hold(tf, dtype, [rows], out);
}

/** Running sums along the middle axis of an integer [before, n, after]. */
export function cumulateIntegers(tf: Tf, dtype: DType, x: TfTensor, exclusive: boolean, reverse: boolean): TfTensor {
  const [before, n, after] = x.shape;
  const values = x.dataSync();
  const out = new Float64Array(values.length);
  for (let b = 0; b < before; b++)
    for (let a = 0; a < after; a++) {
      let total = 0;
      for (let j = 0; j < n; j++) {
        const at = (b * n + (reverse ? n - 1 - j : j)) * after + a;
        const next = fitInteger('tfjs', dtype, total + values[at]);
        out[at] = exclusive ? total : next;
        total = next;
      }
    }
  return hold(tf, dtype, x.shape, out);
}

/**
 * erf(x) = 2/sqrt(pi) exp(-x^2) sum over n of 2^n x^(2n+1) / (1 * 3 * ... * (2n+1)), all terms of one sign; from 6 on
 * it is 1 in single precision. (Abramowitz and Stegun 7.1.6; TensorFlow.js itself uses 7.1.26, good to 1.5e-7.)
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) >= 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Indices as non-negative positions on an axis of size `n`; throws for one that lies outside. */
export function positions(where: string, indices: TfTensor, n: number): Int32Array {
  const out = Int32Array.from(indices.dataSync());
  for (let i = 0; i < out.length; i++) {
    const at = out[i] < 0 ? out[i] + n : out[i];
    if (at < 0 || at >= n)
      throw new ArgumentError(where, `expected an index in [${-n}, ${n - 1}], got ${out[i]}`, 'check the indices');
    out[i] = at;
  }
  return out;
}

/** For each index along `axis`, the flat position in `shape` that it points at. */
export function elementPositions(where: string, indices: TfTensor, shape: readonly number[], axis: number): Int32Array {
  const out = positions(where, indices, shape[axis]);
  const own = stridesOf(indices.shape);
  const strides = stridesOf(shape);
  for (let i = 0; i < out.length; i++) {
    let flat = out[i] * strides[axis];
    for (let j = 0; j < own.length; j++)
      if (j !== axis) flat += (Math.floor(i / own[j]) % indices.shape[j]) * strides[j];
    out[i] = flat;
  }
  return out;
}

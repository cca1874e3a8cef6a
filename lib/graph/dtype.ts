/** Element types of tensors, the JavaScript arrays that hold them, and conversion between float32 and float16. */
import { ArgumentError } from '../errors';

/** The types of elements that the engine computes with; uint8 is held, moved and cast, not computed with. */
export const DTYPES = ['float32', 'float16', 'int32', 'int64', 'bool', 'uint8'] as const;
export type DType = (typeof DTYPES)[number];

/** Host arrays by type: float16 as its 16 bits in a Uint16Array, bool as 0 and 1 in a Uint8Array. */
export type TypedArray = Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array;

/** A tensor's values in host memory, row-major. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

const ARRAY_TYPES = {
  float32: Float32Array,
  float16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  uint8: Uint8Array,
} as const;

/** Size of an element, in bytes. */
export const BYTES_PER_ELEMENT: Record<DType, number> = {
  float32: 4,
  float16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  uint8: 1,
};

/** True of the types that can have a gradient. */
export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float16';
/** True of int32 and int64. */
export const isInteger = (dtype: DType): boolean => dtype === 'int32' || dtype === 'int64';

/** A zero-filled array for `size` elements of `dtype`. */
export function emptyArray(dtype: DType, size: number): TypedArray {
  return new ARRAY_TYPES[dtype](size);
}

/** A typed view on existing bytes; `byteOffset` must suit the element size. */
export function viewBytes(dtype: DType, buffer: ArrayBuffer, byteOffset: number, size: number): TypedArray {
  return new ARRAY_TYPES[dtype](buffer, byteOffset, size);
}

/** Throws unless `dtype` is one: callers in JavaScript, or with a cast, may pass any text. */
export function checkDType(where: string, dtype: DType): void {
  if (!DTYPES.includes(dtype))
    throw new ArgumentError(
      where,
      `expected a dtype among ${DTYPES.join(', ')}, got ${JSON.stringify(dtype)}`,
      'float64 is not there: use float32',
    );
}

/** Throws unless `data` is the array class that holds `dtype`. */
export function checkArrayType(where: string, dtype: DType, data: TypedArray): void {
  if (!(data instanceof ARRAY_TYPES[dtype]))
    throw new ArgumentError(
      where,
      `expected a ${ARRAY_TYPES[dtype].name} for dtype ${dtype}, got a ${Object.prototype.toString.call(data).slice(8, -1)}`,
      'pass the matching typed array, or plain numbers',
    );
}

const scratch = new DataView(new ArrayBuffer(4));

/** IEEE 754 binary16 bits of a number, rounded to nearest even. */
export function toFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 | (mantissa >>> 13) : 0);
  const e = exponent - 112;
  if (e >= 31) return sign | 0x7c00;
  if (e <= 0) {
    if (e < -10) return sign;
    // Subnormal: shift the mantissa with its implicit one into place.
    const full = mantissa | 0x800000;
    const shift = 14 - e;
    const half = full >>> shift;
    const rest = full & ((1 << shift) - 1);
    const middle = 1 << (shift - 1);
    return sign | (half + (rest > middle || (rest === middle && half & 1) ? 1 : 0));
  }
  const half = (e << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  // A carry out of the mantissa runs into the exponent, up to infinity, as it should.
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && half & 1) ? 1 : 0));
}

/** The number that IEEE 754 binary16 bits stand for. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + mantissa / 1024) : sign * 2 ** -14 * (mantissa / 1024);
}

/** Fills a host array of `dtype` from numbers (bigint accepted for int64). Integer types refuse fractions. */
export function fromNumbers(where: string, dtype: DType, values: ArrayLike<number | bigint | boolean>): TypedArray {
  const out = emptyArray(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (out instanceof BigInt64Array) {
      if (typeof value === 'number' && !Number.isInteger(value))
        throw new ArgumentError(where, `expected an integer, got ${value}`, "use dtype 'float32', or round first");
      out[i] = BigInt(value);
    } else {
      const number = Number(value);
      if (dtype === 'int32' && (number | 0) !== number)
        throw new ArgumentError(
          where,
          `expected a 32-bit integer, got ${number}`,
          "use dtype 'float32', or round first",
        );
      if (dtype === 'uint8' && (number & 255) !== number)
        throw new ArgumentError(where, `expected an integer from 0 to 255, got ${number}`, "use dtype 'int32'");
      if (dtype === 'bool') out[i] = number ? 1 : 0;
      else out[i] = dtype === 'float16' ? toFloat16(number) : number;
    }
  }
  return out;
}

/** The values as JavaScript numbers (int64 beyond 2^53 loses precision). */
export function toNumbers(tensor: HostTensor): Float64Array {
  const out = new Float64Array(tensor.data.length);
  for (let i = 0; i < out.length; i++) {
    const value = tensor.data[i];
    out[i] = tensor.dtype === 'float16' ? fromFloat16(value as number) : Number(value);
  }
  return out;
}

/**
 * The primitive operations: one enumeration with typed parameters. Every table of rules (shape, gradient, ONNX, tfjs)
 * is keyed by it, so that the compiler refuses an operation that lacks a rule. Names are ONNX's, in lower camel case.
 * All else (attention, norms, losses) is composed from these.
 */
import type { DType, TypedArray } from './dtype';

type None = Record<string, never>;
export interface ReduceParams {
  axes: number[];
  keepDims: boolean;
}
export interface ArgParams {
  axis: number;
  keepDims: boolean;
}
/** Spatial parameters, one entry an axis; `pads` is [begin..., end...] as in ONNX. */
export interface ConvParams {
  strides: number[];
  pads: number[];
  dilations: number[];
  group: number;
}

export interface OpParams {
  // Leaves
  input: { name: string };
  constant: { data: TypedArray };
  // Element-wise, one operand
  neg: None;
  abs: None;
  sign: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  erf: None;
  tanh: None;
  sigmoid: None;
  sin: None;
  cos: None;
  floor: None;
  ceil: None;
  round: None;
  not: None;
  isNaN: None;
  isInf: None;
  cast: { dtype: DType };
  // Element-wise, broadcasting
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  max: None;
  min: None;
  mod: None;
  equal: None;
  less: None;
  lessOrEqual: None;
  and: None;
  or: None;
  where: None;
  // Reductions
  reduceSum: ReduceParams;
  reduceMean: ReduceParams;
  reduceMax: ReduceParams;
  reduceMin: ReduceParams;
  reduceProd: ReduceParams;
  argMax: ArgParams;
  argMin: ArgParams;
  cumSum: { axis: number; exclusive: boolean; reverse: boolean };
  softmax: { axis: number };
  logSoftmax: { axis: number };
  topK: { axis: number; k: number; largest: boolean };
  // Linear algebra; transposition concerns the last two axes
  matMul: { transA: boolean; transB: boolean };
  conv: ConvParams;
  convTranspose: ConvParams & { outputPadding: number[] };
  // Layout
  transpose: { perm: number[] };
  reshape: { shape: number[] };
  expand: { shape: number[] };
  slice: { starts: number[]; ends: number[]; steps: number[] };
  concat: { axis: number };
  pad: { before: number[]; after: number[]; value: number };
  // Indexing
  gather: { axis: number };
  /** `unique`: no index occurs twice. */
  scatterAdd: { axis: number; unique: boolean };
  gatherElements: { axis: number };
  scatterElements: { axis: number; reduction: 'none' | 'add' };
  // Fused forms of compositions, there because a benchmark showed that they pay
  rmsNormalization: { epsilon: number };
  /** Half-split rotary embedding of [B, H, T, D] by tables [T, D / 2] or [B, T, D / 2], which have no gradient. */
  rotaryEmbedding: None;
  /**
   * x [..., in] times the transpose of a matrix [out, in] in the NF4 format, or with `transB` false dy [..., out] times
   * the matrix itself. Operands: x, two codes a byte (uint8 [out, in / 2], the first in the high half), one scale for
   * each block of equally many weights. Codes and scales have no gradient.
   */
  matMulNf4: { transB: boolean };
  // Gradient control; all return their first input
  stopGradient: None;
  barrier: None;
  customGradient: { backward: CustomBackward };
}

/** Opaque here; grad.ts knows its type. The writer and the engines ignore it. */
export type CustomBackward = (...args: never[]) => unknown;

export type OpName = keyof OpParams;

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Symbolic tensors, the primitive operations, differentiation, and the ONNX file format. */
export { fromFloat16, toFloat16, toNumbers } from './dtype';
export type { DType, HostTensor, TypedArray } from './dtype';
export { checkpoint, customGradient, grad, gradients, valueAndGrad } from './grad';
export { loadOnnx, readOnnx } from './onnx/reader';
export type { OnnxFunction, OnnxValue, ReadOptions } from './onnx/reader';
export { saveOnnx } from './onnx/save';
export type { SaveOptions } from './onnx/save';
export { writeOnnx } from './onnx/writer';
export type { OnnxModel, WriteOptions } from './onnx/writer';
export type { OpName, OpParams } from './ops';
export { buildProgram } from './program';
export type { Program } from './program';
export {
  arange,
  broadcast,
  concat,
  constant,
  evaluate,
  full,
  fromStorage,
  input,
  ones,
  onesLike,
  oneHot,
  stack,
  stopGradient,
  Tensor,
  tensor,
  tril,
  where,
  zeros,
  zerosLike,
} from './tensor';
export type { Nested, SliceRange, TensorLike } from './tensor';
export { countElements, flattenTree, mapLeaves, tensorsOf, treeMap, treeZip } from './tree';
export type { Params, Tree } from './tree';

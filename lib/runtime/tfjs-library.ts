/**
 * The part of TensorFlow.js that the second engine uses, and how it is found: `@tensorflow/tfjs-node-gpu` where the
 * user installed it, else the portable `@tensorflow/tfjs`. The types are written down here, so that programs which use
 * this package do not need TensorFlow.js to compile.
 */
import { DeviceError, MissingPackageError } from '../errors';
import { isInstalled, loadOptional } from '../optional';

/** A tensor of TensorFlow.js. */
export interface TfTensor {
  readonly shape: number[];
  readonly dtype: string;
  readonly size: number;
  dataSync(): Float32Array | Int32Array | Uint8Array;
  clone(): TfTensor;
  dispose(): void;
}

type Unary =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'square'
  | 'reciprocal'
  | 'tanh'
  | 'sigmoid'
  | 'sin'
  | 'cos'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'logicalNot'
  | 'isNaN'
  | 'isInf';
type Binary =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'maximum'
  | 'minimum'
  | 'equal'
  | 'less'
  | 'lessEqual'
  | 'logicalAnd'
  | 'logicalOr';
type Reduce = 'sum' | 'mean' | 'max' | 'min' | 'prod';

export type Tf = { [K in Unary]: (x: TfTensor) => TfTensor } & {
  [K in Binary]: (a: TfTensor, b: TfTensor) => TfTensor;
} & {
  [K in Reduce]: (x: TfTensor, axis: number, keepDims: boolean) => TfTensor;
} & {
  tensor(
    values: Float32Array | Int32Array | Uint8Array,
    shape: number[],
    dtype: 'float32' | 'int32' | 'bool',
  ): TfTensor;
  scalar(value: number, dtype: 'float32'): TfTensor;
  tidy<R>(body: () => R): R;
  memory(): { numTensors: number };
  backend(): object;
  ready(): Promise<void>;
  getBackend(): string;
  where(condition: TfTensor, a: TfTensor, b: TfTensor): TfTensor;
  argMax(x: TfTensor, axis: number): TfTensor;
  argMin(x: TfTensor, axis: number): TfTensor;
  cumsum(x: TfTensor, axis: number, exclusive: boolean, reverse: boolean): TfTensor;
  softmax(x: TfTensor): TfTensor;
  logSoftmax(x: TfTensor): TfTensor;
  topk(x: TfTensor, k: number, sorted: boolean): { values: TfTensor; indices: TfTensor };
  matMul(a: TfTensor, b: TfTensor, transA: boolean, transB: boolean): TfTensor;
  conv2d(x: TfTensor, w: TfTensor, strides: [number, number], pad: 'valid'): TfTensor;
  conv3d(x: TfTensor, w: TfTensor, strides: [number, number, number], pad: 'valid'): TfTensor;
  transpose(x: TfTensor, perm: number[]): TfTensor;
  reshape(x: TfTensor, shape: number[]): TfTensor;
  tile(x: TfTensor, repeats: number[]): TfTensor;
  reverse(x: TfTensor, axes: number[]): TfTensor;
  slice(x: TfTensor, begin: number[], size: number[]): TfTensor;
  concat(x: TfTensor[], axis: number): TfTensor;
  pad(x: TfTensor, widths: [number, number][], value: number): TfTensor;
  gather(x: TfTensor, indices: TfTensor, axis: number): TfTensor;
  scatterND(indices: TfTensor, updates: TfTensor, shape: number[]): TfTensor;
};

const GPU = '@tensorflow/tfjs-node-gpu';
const PORTABLE = '@tensorflow/tfjs';

/** A faithful message for a package that is there and does not load. */
function load(name: string): Tf {
  try {
    return loadOptional<Tf>('device tfjs', name);
  } catch (error) {
    if (error instanceof MissingPackageError) throw error;
    throw new DeviceError(
      'device tfjs',
      `expected ${name} to load, got: ${(error as Error).message.split('\n')[0]}`,
      name === GPU
        ? `mend its installation (it needs Node 22 or older, and CUDA), or remove it: ${PORTABLE} is then used`
        : `install it again: npm install ${PORTABLE}`,
      { cause: error },
    );
  }
}

let library: { tf: Tf; name: string } | null = null;

/**
 * Loads TensorFlow.js once. Throws MissingPackageError where it is not installed, DeviceError where it does not load.
 */
export function loadTensorFlow(): { tf: Tf; name: string } {
  if (library) return library;
  const name = isInstalled(GPU) ? GPU : PORTABLE;
  const tf = load(name);
  // The portable library greets on its first use, on stderr.
  const backend = tf.backend();
  if ('firstUse' in backend) backend.firstUse = false;
  library = { tf, name };
  return library;
}

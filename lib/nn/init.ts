/** Initial values of parameters, drawn on the host from a named random stream so that every device starts alike. */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { sizeOf } from '../graph/shape';

/** What initialisers need of a random stream (nn/random.ts). */
export interface Noise {
  normals(n: number): Float32Array;
  uniforms(n: number): Float32Array;
}

/** Normal values with mean 0 and the given standard deviation. */
export function normal(rng: Noise, shape: readonly number[], std: number): Tensor {
  return tensor(
    rng.normals(sizeOf(shape)).map((x) => x * std),
    { shape },
  );
}

/** Uniform values in [-bound, bound). */
export function uniform(rng: Noise, shape: readonly number[], bound: number): Tensor {
  return tensor(
    rng.uniforms(sizeOf(shape)).map((u) => (2 * u - 1) * bound),
    { shape },
  );
}

/** Concrete values, all alike (parameters must be concrete from the start, not expressions). */
export function filled(shape: readonly number[], value: number): Tensor {
  return tensor(new Float32Array(sizeOf(shape)).fill(value), { shape });
}

/** Uniform within 1 / sqrt(fan in): PyTorch's default for linear and convolution layers. */
export function fanInUniform(rng: Noise, shape: readonly number[], fanIn = sizeOf(shape.slice(1))): Tensor {
  return uniform(rng, shape, 1 / Math.sqrt(fanIn));
}

/** What samplers share. They run on the host, on whole batches of latents: their work is small beside the model's. */
import type { PredictionType } from '../../nn/noise-schedule';

/** One use of a sampler; DPM-Solver remembers earlier steps. */
export interface Sampler {
  /** The time step that the model is to be asked at, for each step. */
  readonly timesteps: Int32Array;
  /** Whether `step` needs noise. */
  readonly stochastic: boolean;
  /**
   * The sample after step `i` (counted from 0, in order), from the sample before it and the model's prediction there.
   * `noise`: normal values, one for each of the sample.
   */
  step(i: number, prediction: Float32Array, sample: Float32Array, noise?: Float32Array): Float32Array;
}

/** x_0 from a prediction at sqrt(a) = `signal`, sqrt(1 - a) = `rest`. */
export function predictedSample(
  type: PredictionType,
  prediction: number,
  sample: number,
  signal: number,
  rest: number,
): number {
  if (type === 'epsilon') return (sample - rest * prediction) / signal;
  return type === 'sample' ? prediction : signal * sample - rest * prediction;
}

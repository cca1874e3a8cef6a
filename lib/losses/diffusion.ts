/**
 * The loss of diffusion models: a squared error of what the model predicts of a noised sample
 *
 *   x_t = sqrt(a) x_0 + sqrt(1 - a) e,  L = mean over the batch of w(snr) * mean((prediction - target)²),  snr = a / (1 - a)
 *
 * target: e (Ho et al. 2020, equation 14), x_0, or v = sqrt(a) e - sqrt(1 - a) x_0 (Salimans & Ho 2022, appendix D).
 * With `snrGamma` the min-SNR weights (Hang et al. 2023, section 3.4): min(snr, gamma), which belongs to x_0, divided by
 * snr for e and by snr + 1 for v. Differences: none; without `snrGamma` all steps weigh alike, as in diffusers' scripts.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import type { PredictionType } from '../nn/noise-schedule';

export interface Noised {
  /** x_0 [B, ...]. */
  sample: Tensor;
  /** e, normal, of the same shape. */
  noise: Tensor;
  /** a of each row [B], float32. */
  alphaBar: Tensor;
}

/** sqrt(a) and sqrt(1 - a), shaped to multiply samples [B, ...]. */
function rates({ sample, noise, alphaBar }: Noised): { signal: Tensor; rest: Tensor } {
  if (!sameShape(sample.shape, noise.shape) || !sameShape(alphaBar.shape, sample.shape.slice(0, 1)))
    throw new ShapeError(
      'diffusion',
      `expected samples and noise of one shape [B, ...] and rates [B], got ${showShape(sample.shape)}, ${showShape(noise.shape)}, ${showShape(alphaBar.shape)}`,
      'give each row its own rate',
    );
  const a = alphaBar.reshape([alphaBar.size, ...sample.shape.slice(1).map(() => 1)]);
  return { signal: a.sqrt(), rest: a.neg().add(1).sqrt() };
}

/** x_t. */
export function addNoise(x: Noised): Tensor {
  const { signal, rest } = rates(x);
  return x.sample.mul(signal).add(x.noise.mul(rest));
}

/** What a model of this type is to predict. */
export function diffusionTarget(x: Noised, type: PredictionType): Tensor {
  if (type === 'epsilon') return x.noise;
  if (type === 'sample') return x.sample;
  const { signal, rest } = rates(x);
  return x.noise.mul(signal).sub(x.sample.mul(rest));
}

/** The min-SNR weights of rows with rates a [B]. */
export function minSnrWeights(alphaBar: Tensor, type: PredictionType, gamma: number): Tensor {
  const noise = alphaBar.neg().add(1);
  const snr = alphaBar.div(noise.maximum(1e-12));
  const least = snr.minimum(gamma);
  if (type === 'sample') return least;
  return type === 'epsilon' ? least.div(snr.maximum(1e-12)) : least.div(snr.add(1));
}

export interface DiffusionLossOptions {
  predictionType: PredictionType;
  /** gamma of the min-SNR weights, for example 5; none: all weights 1. */
  snrGamma?: number;
}

/** The loss of a prediction [B, ...]; `mse` is the unweighted error. */
export function diffusionLoss(
  prediction: Tensor,
  x: Noised,
  { predictionType, snrGamma }: DiffusionLossOptions,
): { loss: Tensor; metrics: { mse: Tensor } } {
  const target = diffusionTarget(x, predictionType);
  if (!sameShape(prediction.shape, target.shape))
    throw new ShapeError(
      'diffusionLoss',
      `expected a prediction ${showShape(target.shape)}, got ${showShape(prediction.shape)}`,
      'the model returns one value for each of the sample',
    );
  const errors = prediction.sub(target).square().reshape([x.alphaBar.size, -1]).mean(1);
  const mse = errors.mean();
  const loss = snrGamma ? errors.mul(minSnrWeights(x.alphaBar, predictionType, snrGamma)).mean() : mse;
  return { loss, metrics: { mse } };
}

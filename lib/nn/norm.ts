/** Normalisation layers. */
import { ArgumentError } from '../errors';
import { customGradient } from '../graph/grad';
import { apply } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { filled } from './init';

export type RmsNormParams = { weight: Tensor };
export type NormParams = { weight: Tensor; bias: Tensor };

/** Ones. */
export const rmsNormInit = (width: number): RmsNormParams => ({ weight: filled([width], 1) });

/** x / sqrt(mean(x²) + epsilon) * weight over the last axis (Zhang & Sennrich 2019). */
export function rmsNorm(p: RmsNormParams, x: Tensor, epsilon = 1e-5): Tensor {
  return apply('rmsNormalization', { epsilon }, x, p.weight);
}

/** Weights of one, biases of zero. */
export const layerNormInit = (width: number): NormParams => ({ weight: filled([width], 1), bias: filled([width], 0) });

/** (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis (Ba et al. 2016). */
export function layerNorm(p: NormParams, x: Tensor, epsilon = 1e-5): Tensor {
  return standardize(x, -1, epsilon).mul(p.weight).add(p.bias);
}

/** Weights of one, biases of zero, one for each channel. */
export const groupNormInit = layerNormInit;

/** Layer normalisation over groups of channels: x [N, C, ...], weight and bias [C] (Wu & He 2018). */
export function groupNorm(p: NormParams, x: Tensor, groups: number, epsilon = 1e-5): Tensor {
  const [n, c] = x.shape;
  if (!Number.isInteger(groups) || groups < 1 || c % groups)
    throw new ArgumentError(
      'groupNorm',
      `expected a number of channels divisible by ${groups}, got ${c}`,
      'choose a divisor of the channels',
    );
  const affine = [c, ...x.shape.slice(2).map(() => 1)];
  const y = standardize(x.reshape([n, groups, -1]), -1, epsilon).reshape(x.shape);
  return y.mul(p.weight.reshape(affine)).add(p.bias.reshape(affine));
}

/** (x - mean) / deviation, with its gradient, (dy - mean(dy) - y mean(dy y)) / deviation, in few passes. */
function standardize(x: Tensor, axis: number, epsilon: number): Tensor {
  const centred = x.sub(x.mean(axis, true));
  const scale = centred.square().mean(axis, true).add(epsilon).rsqrt();
  return customGradient(
    () => centred.mul(scale),
    (dy, y) => [
      dy
        .sub(dy.mean(axis, true))
        .sub(y.mul(dy.mul(y).mean(axis, true)))
        .mul(scale),
    ],
  )(x);
}

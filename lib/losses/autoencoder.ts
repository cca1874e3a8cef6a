/**
 * The loss of variational autoencoders (Kingma & Welling 2014, section 3; as latent diffusion uses it, Rombach et al. 2022,
 * appendix G):
 *
 *   L = reconstruction + klWeight * KL(q(z|x) || N(0, 1)),  KL = 1/2 (mean² + var - 1 - log var)
 *
 * Differences from latent diffusion's code: 1. both terms are means over entries (of samples and of latents), not sums over
 * a sample, so that weights do not change with sizes; 2. no perceptual and no adversarial term: the worlds here are drawn.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';

/** Mean over all entries of the divergence from the standard normal distribution, nats. */
export const klFromStandardNormal = (mean: Tensor, logVariance: Tensor): Tensor =>
  mean.square().add(logVariance.exp()).sub(1).sub(logVariance).mul(0.5).mean();

export interface AutoencoderLossOptions {
  /** Default l1. */
  reconstruction?: 'l1' | 'l2';
  /** Default 1e-6 of latent diffusion is for sums; for means 1e-4. */
  klWeight?: number;
}

export function autoencoderLoss(
  x: { target: Tensor; output: Tensor; mean: Tensor; logVariance: Tensor },
  { reconstruction = 'l1', klWeight = 1e-4 }: AutoencoderLossOptions = {},
): { loss: Tensor; metrics: { reconstruction: Tensor; mse: Tensor; kl: Tensor } } {
  if (!sameShape(x.target.shape, x.output.shape))
    throw new ShapeError(
      'autoencoderLoss',
      `expected an output ${showShape(x.target.shape)}, got ${showShape(x.output.shape)}`,
      'check the sizes of the samples',
    );
  const error = x.output.sub(x.target);
  const mse = error.square().mean();
  const distance = reconstruction === 'l1' ? error.abs().mean() : mse;
  const kl = klFromStandardNormal(x.mean, x.logVariance);
  return { loss: distance.add(kl.mul(klWeight)), metrics: { reconstruction: distance, mse, kl } };
}

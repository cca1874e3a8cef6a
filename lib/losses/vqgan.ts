/**
 * The objective of the VQ-GAN without its adversary (van den Oord et al. 2017, eq. 3; Esser et al. 2021, section 3.1):
 *
 *   L = mean (x - x')² + mean (codes - sg z)² + beta mean (sg codes - z)²,  beta 0.25
 *
 * Differences: 1. no perceptual and no adversarial term; 2. `released` puts beta on the codebook's term and 1 on the commitment, as
 * taming-transformers' first release and Chameleon in transformers do.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';

export interface VqganLossOptions {
  /** Default 0.25. */
  beta?: number;
  /** Which of the two terms beta weighs. */
  weighting?: 'paper' | 'released';
}

export function vqganLoss(
  x: { target: Tensor; output: Tensor; codebook: Tensor; commitment: Tensor },
  { beta = 0.25, weighting = 'paper' }: VqganLossOptions = {},
): { loss: Tensor; metrics: { reconstruction: Tensor; codebook: Tensor; commitment: Tensor } } {
  if (!sameShape(x.target.shape, x.output.shape))
    throw new ShapeError(
      'vqganLoss',
      `expected an output ${showShape(x.target.shape)}, got ${showShape(x.output.shape)}`,
      'check the sizes of the pictures',
    );
  const reconstruction = x.output.sub(x.target).square().mean();
  const { codebook, commitment } = x;
  const quantisation = weighting === 'paper' ? codebook.add(commitment.mul(beta)) : codebook.mul(beta).add(commitment);
  return { loss: reconstruction.add(quantisation), metrics: { reconstruction, codebook, commitment } };
}

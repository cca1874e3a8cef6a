/**
 * Estimates of the Kullback-Leibler divergence KL(pi || ref) from tokens that pi drew (Schulman 2020, "Approximating KL
 * divergence"), one a token, with d = log ref - log pi:
 *
 *   k1  -d               unbiased, may be negative
 *   k2  d² / 2           biased, small variance; its gradient is that of the divergence
 *   k3  exp(d) - d - 1   unbiased, never negative (GRPO: Shao et al. 2024, equation 4)
 *
 * Differences from verl (core_algos.kl_penalty): its limits for k3 (d to [-20, 20], the result to [-10, 10]) are an option;
 * its `abs`, and the suffix "+" that gives each the gradient of k2, are left out.
 */
import { ArgumentError } from '../errors';
import type { Tensor } from '../graph/tensor';

export const klEstimators = ['k1', 'k2', 'k3'] as const;
export type KlEstimator = (typeof klEstimators)[number];

/** log pi and log ref of the tokens (any one shape) to the estimate at each. Throws ArgumentError. */
export function klEstimate(
  logProbs: Tensor,
  refLogProbs: Tensor,
  estimator: KlEstimator = 'k3',
  /** verl's limits for k3. */
  limited = false,
): Tensor {
  if (estimator === 'k1') return logProbs.sub(refLogProbs);
  if (estimator === 'k2') return logProbs.sub(refLogProbs).square().mul(0.5);
  if (estimator !== 'k3')
    throw new ArgumentError(
      'klEstimate',
      `expected an estimator among ${klEstimators.join(', ')}, got "${String(estimator)}"`,
      'change the option estimator',
    );
  const difference = refLogProbs.sub(logProbs);
  const d = limited ? difference.clip(-20, 20) : difference;
  const k3 = d.exp().sub(d).sub(1);
  return limited ? k3.clip(-10, 10) : k3;
}

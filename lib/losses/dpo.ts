/**
 * Direct preference optimisation (Rafailov et al. 2023, equation 7):
 *
 *   loss = -log sigma( beta [ (log pi(y_w | x) - log ref(y_w | x)) - (log pi(y_l | x) - log ref(y_l | x)) ] )
 *
 * with log-probabilities summed over the tokens of the response, and beta 0.1. With r = log pi - log ref and
 * d = r_w - r_l the variants are
 *
 *   sigmoid   -(1 - e) log sigma(beta d) - e log sigma(-beta d)              e: label smoothing (Mitchell 2023, "cDPO")
 *   robust    [-(1 - e) log sigma(beta d) + e log sigma(-beta d)] / (1 - 2e) (Chowdhury et al. 2024, "rDPO")
 *   hinge     max(0, 1 - beta d)                                             (Zhao et al. 2023, "SLiC-HF")
 *   ipo       (r_w / |y_w| - r_l / |y_l| - 1 / (2 beta))^2                   (Azar et al. 2023, equation 17)
 *
 * Differences from TRL 1.16 (trl/trainer/dpo_trainer.py):
 * 1. `sigmoid` takes label smoothing, as "sigmoid" of TRL's CPO loss does; its DPO loss only has "robust".
 * 2. A function of log-probabilities: the model, the reference and the averaging over processes are the trainer's.
 * 3. Divergences other than the reverse KL, length desensitisation and WPO weights are left out.
 * 4. Token accuracy and entropy are not among the metrics: they are no functions of the log-probabilities.
 */
import { ArgumentError } from '../errors';
import type { Tensor } from '../graph/tensor';
import {
  checkNumber,
  checkPairs,
  preferenceMetrics,
  responseLengths,
  sequenceSums,
  smoothedLogistic,
} from './sequence';
import type { PairSums, PreferenceLoss, Responses } from './sequence';

/** The forms of the loss; the formulas stand above. */
export const dpoVariants = ['sigmoid', 'robust', 'hinge', 'ipo'] as const;
export type DpoVariant = (typeof dpoVariants)[number];

export interface DpoOptions {
  /** Strength of the pull towards the reference; for `ipo` its tau. Default 0.1 (the paper, appendix B; TRL). */
  beta?: number;
  /** The share of pairs that is taken to be the wrong way round, in [0, 0.5); `sigmoid` and `robust`. Default 0. */
  labelSmoothing?: number;
  variant?: DpoVariant;
}

export interface DpoInputs {
  chosen: Responses;
  rejected: Responses;
  /** Sums of the reference's token log-probabilities, [B] each. No gradient is meant to flow into them. */
  reference: PairSums;
}

/**
 * Loss, losses [B] and TRL's metrics of a batch of B pairs; rewards are beta (log pi - log ref). Throws ArgumentError
 * and ShapeError.
 */
export function dpo(inputs: DpoInputs, options: DpoOptions = {}): PreferenceLoss {
  const { beta = 0.1, labelSmoothing = 0, variant = 'sigmoid' } = options;
  checkNumber('dpo', 'beta', beta, beta > 0, '> 0');
  checkNumber('dpo', 'labelSmoothing', labelSmoothing, labelSmoothing >= 0 && labelSmoothing < 0.5, 'in [0, 0.5)');
  if (!dpoVariants.includes(variant))
    throw new ArgumentError(
      'dpo',
      `expected a variant among ${dpoVariants.join(', ')}, got "${String(variant)}"`,
      'change the option variant',
    );
  if (labelSmoothing && (variant === 'hinge' || variant === 'ipo'))
    throw new ArgumentError(
      'dpo',
      `expected no label smoothing with ${variant}, got ${labelSmoothing}`,
      'label smoothing is defined for sigmoid and robust',
    );
  const logps = { chosen: sequenceSums(inputs.chosen), rejected: sequenceSums(inputs.rejected) };
  const { reference } = inputs;
  checkPairs('dpo', logps.chosen, [logps.rejected, reference.chosen, reference.rejected]);
  const ratios = { chosen: logps.chosen.sub(reference.chosen), rejected: logps.rejected.sub(reference.rejected) };

  let losses: Tensor;
  const margin = ratios.chosen.sub(ratios.rejected).mul(beta);
  if (variant === 'sigmoid') losses = smoothedLogistic(margin, labelSmoothing);
  else if (variant === 'robust') {
    const clean = margin
      .neg()
      .softplus()
      .mul(1 - labelSmoothing);
    losses = clean.sub(margin.softplus().mul(labelSmoothing)).div(1 - 2 * labelSmoothing);
  } else if (variant === 'hinge') losses = margin.neg().add(1).relu();
  else {
    const mean = (side: 'chosen' | 'rejected'): Tensor =>
      ratios[side].div(responseLengths(inputs[side].mask).maximum(1));
    losses = mean('chosen')
      .sub(mean('rejected'))
      .sub(1 / (2 * beta))
      .square();
  }
  const rewards = { chosen: ratios.chosen.mul(beta), rejected: ratios.rejected.mul(beta) };
  return { loss: losses.mean(), losses, metrics: preferenceMetrics(inputs, rewards, logps) };
}

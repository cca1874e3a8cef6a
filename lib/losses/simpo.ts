/**
 * Simple preference optimisation (Meng, Xia and Chen 2024, equation 6): no reference, the mean log-probability of a
 * token as the reward, and a margin that the pair has to keep.
 *
 *   loss = -log sigma( beta [ log pi(y_w | x) / |y_w| - log pi(y_l | x) / |y_l| ] - gamma ) + sft_weight * NLL(y_w | x)
 *
 * The margin has two conventions. The paper's gamma (TRL: `simpo_gamma`) is subtracted after the product with beta; the
 * authors' code takes `gamma_beta_ratio` = gamma / beta and subtracts that before the product. So gamma = beta * ratio,
 * and this function takes either. Defaults are the authors' code's: beta 2.0 and ratio 0.25, that is gamma 0.5 (their
 * advice is to tune the ratio in [0, 1], from 0.5). TRL's trainer has beta 0.1 and gamma 0.5, a ratio of 5.
 *
 * Differences from TRL 1.16 (trl/experimental/cpo/cpo_trainer.py, loss_type "simpo"):
 * 1. A response without tokens counts as reward 0; there it gives NaN.
 * 2. `sftWeight` is TRL's `cpo_alpha`, 0 by default here and in the authors' code, 1 in TRL. The NLL is the mean over
 *    all chosen tokens of the batch in all three.
 * 3. `logits/...` are means over response tokens; TRL's CPO takes them over prompt and padding as well.
 * 4. The variant "alphapo" is left out.
 */
import { ArgumentError } from '../errors';
import { checkNumber, checkPairs, preferenceMetrics, sequenceMeans, smoothedLogistic, tokenMean } from './sequence';
import { stopGradient } from '../graph/tensor';
import type { PreferenceLoss, Responses } from './sequence';

export interface SimpoOptions {
  /** Scale of the reward. Default 2. */
  beta?: number;
  /** The target margin, in the reward's unit; not together with `gammaBetaRatio`. */
  gamma?: number;
  /** gamma / beta: the target margin in nats a token. Default 0.25. */
  gammaBetaRatio?: number;
  /** The share of pairs that is taken to be the wrong way round, in [0, 0.5). Default 0. */
  labelSmoothing?: number;
  /** Weight of the chosen responses' cross-entropy. Default 0. */
  sftWeight?: number;
}

export interface SimpoInputs {
  chosen: Responses;
  rejected: Responses;
}

/**
 * Loss, losses [B] and TRL's metrics of a batch of B pairs; rewards are beta times the mean log-probability, and
 * `logps/` are means over tokens. With a weight for it, the metric `nll_loss` is the cross-entropy of the chosen
 * responses. Throws ArgumentError and ShapeError.
 */
export function simpo(inputs: SimpoInputs, options: SimpoOptions = {}): PreferenceLoss {
  const { beta = 2, labelSmoothing = 0, sftWeight = 0 } = options;
  if (options.gamma !== undefined && options.gammaBetaRatio !== undefined)
    throw new ArgumentError(
      'simpo',
      `expected gamma or gammaBetaRatio, got both (${options.gamma} and ${options.gammaBetaRatio})`,
      'gamma = beta * gammaBetaRatio: give one of them',
    );
  checkNumber('simpo', 'beta', beta, beta > 0, '> 0');
  const gamma = options.gamma ?? beta * (options.gammaBetaRatio ?? 0.25);
  checkNumber('simpo', 'gamma', gamma, gamma >= 0, '>= 0');
  checkNumber('simpo', 'labelSmoothing', labelSmoothing, labelSmoothing >= 0 && labelSmoothing < 0.5, 'in [0, 0.5)');
  checkNumber('simpo', 'sftWeight', sftWeight, sftWeight >= 0, '>= 0');
  const logps = { chosen: sequenceMeans(inputs.chosen), rejected: sequenceMeans(inputs.rejected) };
  checkPairs('simpo', logps.chosen, [logps.rejected]);
  const margin = logps.chosen.sub(logps.rejected).mul(beta).sub(gamma);
  const losses = smoothedLogistic(margin, labelSmoothing);
  const rewards = { chosen: logps.chosen.mul(beta), rejected: logps.rejected.mul(beta) };
  const metrics = preferenceMetrics(inputs, rewards, logps);
  if (!sftWeight) return { loss: losses.mean(), losses, metrics };
  const nll = tokenMean(inputs.chosen.logProbs, inputs.chosen.mask).neg();
  return {
    loss: losses.mean().add(nll.mul(sftWeight)),
    losses,
    metrics: { ...metrics, nll_loss: stopGradient(nll) },
  };
}

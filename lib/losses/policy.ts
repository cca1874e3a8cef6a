/**
 * The clipped policy-gradient loss of PPO (Schulman et al. 2017, equation 7) as GRPO and its successors use it. At each token
 * that the policy wrote, with ratio w = exp(log pi - log old) and advantage A,
 *
 *   l = -min( min(w, delta) A, clip(w, 1 - low, 1 + high) A )           delta: two-sided clip (INTELLECT-2; TRL), else none
 *   l = min(l, -c A) where A < 0                                        c: dual clip (Ye et al. 2020, equation 5; verl)
 *   loss = aggregate( l + beta * KL(pi || ref) ) - entropyCoefficient * mean token entropy
 *
 * | method                              | options                                                              |
 * |-------------------------------------|----------------------------------------------------------------------|
 * | GRPO, DeepSeekMath, equation 3      | clip .2, kl k3 with beta .04, seq-mean-token-mean                     |
 * | GRPO, TRL's default "dapo"          | clip .2, no kl, token-mean                                            |
 * | Dr. GRPO                            | no kl, seq-mean-token-sum-norm, advantages without std                |
 * | DAPO (Yu et al. 2025, equation 8)   | clip .2 and .28, no kl, token-mean; verl's recipe: dualClip 10         |
 * | GSPO (Zheng et al. 2025, equation 5)| ratio 'sequence', seq-mean-token-mean, clip 3e-4 and 4e-4              |
 * | GRPO++ (this project)               | token advantages, dualClip 3, entropyCoefficient, kl k3, token-mean    |
 *
 * Differences:
 * 1. from TRL (GRPOTrainer._compute_loss): rows without a token are left out of the means (`countEmpty` takes them in);
 *    the importance-weighted KL, adaptive entropy coefficients, and CISPO, SAPO, VESPO and LUSPO are left out;
 * 2. from verl (compute_policy_loss_vanilla): its limit of 20 for |log pi - log old| is an option, `maxLogRatio`; its
 *    entropy term follows the loss's aggregation, ours is a mean over tokens, as in TRL.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { stopGradient, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { aggregate } from './aggregate';
import type { AggregateOptions } from './aggregate';
import { klEstimate } from './kl';
import type { KlEstimator } from './kl';
import { checkNumber, maskedSum, responseLengths, tokenMean } from './sequence';
import type { Metrics } from './sequence';

export interface PolicyInputs {
  /** log pi of each token, float32 [B, T]. */
  logProbs: Tensor;
  /** Those of the policy that drew the tokens. Absent: the same policy, so that every ratio is 1. */
  oldLogProbs?: Tensor;
  /** Those of the reference; needed for `kl`, and otherwise only looked at for the metric. */
  refLogProbs?: Tensor;
  /** [B], one a response, or [B, T]. */
  advantages: Tensor;
  /** bool or float32 [B, T]: the policy's own tokens. What the rest of the inputs holds elsewhere has no effect. */
  mask: Tensor;
  /** Entropies of the next-token distributions [B, T]; needed for the bonus, otherwise a metric. */
  entropies?: Tensor;
  /** Weights of the policy's term, [B, T] or [B, 1]: corrections for a sampler that is not the policy. */
  weights?: Tensor;
}

export interface PolicyOptions {
  /** Default 0.2. */
  clipLow?: number;
  /** Default: clipLow. */
  clipHigh?: number;
  /** c > 1; absent: no dual clip. */
  dualClip?: number;
  /** delta > 1 + clipHigh; absent: no limit. */
  delta?: number;
  /** A ratio a token, or one a sequence: exp of the mean of log-ratios. Default token. */
  ratio?: 'token' | 'sequence';
  /** Limit of |log pi - log old|; verl 20. Default none. */
  maxLogRatio?: number;
  kl?: { beta: number; estimator?: KlEstimator; limited?: boolean };
  /** Default 0. */
  entropyCoefficient?: number;
  aggregation?: AggregateOptions;
}

export interface PolicyLoss {
  loss: Tensor;
  /** Scalars, without gradient: see `policyLoss`. */
  metrics: Metrics;
}

function check(inputs: PolicyInputs, o: Required<Pick<PolicyOptions, 'clipLow' | 'clipHigh'>> & PolicyOptions): void {
  const { logProbs, advantages, mask } = inputs;
  const [rows] = logProbs.shape;
  const perToken = [mask, inputs.oldLogProbs, inputs.refLogProbs, inputs.entropies].filter((t) => t !== undefined);
  const fits =
    logProbs.rank === 2 &&
    perToken.every((t) => sameShape(t.shape, logProbs.shape)) &&
    (sameShape(advantages.shape, [rows]) || sameShape(advantages.shape, logProbs.shape)) &&
    (!inputs.weights || sameShape(inputs.weights.shape, logProbs.shape) || sameShape(inputs.weights.shape, [rows, 1]));
  if (!fits)
    throw new ShapeError(
      'policyLoss',
      `expected values a token [B, T] and advantages [B] or [B, T], got ${[logProbs, ...perToken, advantages].map((t) => showShape(t.shape)).join(', ')}`,
      'all are about the same tokens: those after the first',
    );
  const { clipLow, clipHigh, dualClip, delta, kl, entropyCoefficient = 0 } = o;
  checkNumber('policyLoss', 'clipLow', clipLow, clipLow >= 0 && clipLow <= 1, 'in [0, 1]');
  checkNumber('policyLoss', 'clipHigh', clipHigh, clipHigh >= 0, '>= 0');
  if (dualClip !== undefined) checkNumber('policyLoss', 'dualClip', dualClip, dualClip > 1, '> 1');
  if (delta !== undefined) checkNumber('policyLoss', 'delta', delta, delta > 1 + clipHigh, `> ${1 + clipHigh}`);
  if (kl) checkNumber('policyLoss', 'kl.beta', kl.beta, kl.beta >= 0, '>= 0');
  checkNumber('policyLoss', 'entropyCoefficient', entropyCoefficient, entropyCoefficient >= 0, '>= 0');
  for (const [given, needed, name] of [
    [inputs.refLogProbs, kl?.beta, 'refLogProbs'],
    [inputs.entropies, entropyCoefficient, 'entropies'],
  ] as const)
    if (needed && !given)
      throw new ShapeError(
        'policyLoss',
        `expected ${name}, got none`,
        'the options ask for a term that is made of them',
      );
}

/**
 * Loss and metrics of a batch. Metrics (TRL's names): policy_loss; clip_ratio/low_mean, high_mean, region_mean (shares of
 * tokens; of rows with ratio 'sequence'), low_min, high_max (of rows); approx_kl, the mean of log old - log pi (verl's ppo_kl); with their inputs kl and
 * entropy; with dual clip clip_ratio/dual_mean (verl's pg_clipfrac_lower). Throws ArgumentError and ShapeError.
 */
export function policyLoss(inputs: PolicyInputs, options: PolicyOptions = {}): PolicyLoss {
  const { clipLow = 0.2, clipHigh = clipLow, dualClip, delta, ratio = 'token', maxLogRatio, kl } = options;
  const { entropyCoefficient = 0, aggregation = {} } = options;
  check(inputs, { ...options, clipLow, clipHigh });
  const mask = inputs.mask.cast('bool');
  // Cleared before, not after: what is not finite outside of the mask would still spoil the gradient.
  const clear = (t: Tensor): Tensor => where(mask, t, 0);
  const logProbs = clear(inputs.logProbs);
  const old = inputs.oldLogProbs ? clear(stopGradient(inputs.oldLogProbs)) : stopGradient(logProbs);
  const given = stopGradient(inputs.advantages);
  const advantages = clear((given.rank === 1 ? given.unsqueeze(1) : given).expand(logProbs.shape));

  let logRatio = logProbs.sub(old);
  if (maxLogRatio !== undefined) logRatio = logRatio.clip(-maxLogRatio, maxLogRatio);
  const meanRatio = (): Tensor => maskedSum(logRatio, mask).div(responseLengths(mask).maximum(1));
  const w = (ratio === 'sequence' ? meanRatio().unsqueeze(1).expand(logProbs.shape) : logRatio).exp();
  const free = (delta === undefined ? w : w.minimum(delta)).mul(advantages).neg();
  const clipped = w
    .clip(1 - clipLow, 1 + clipHigh)
    .mul(advantages)
    .neg();
  const single = free.maximum(clipped);
  const negative = advantages.less(0);
  const limit = dualClip === undefined ? null : advantages.mul(-dualClip);
  let losses = limit ? where(negative, single.minimum(limit), single) : single;
  if (inputs.weights) losses = losses.mul(stopGradient(inputs.weights));

  const mean = (x: Tensor): Tensor => tokenMean(stopGradient(x), mask);
  const low = w.less(1 - clipLow).and(negative);
  const high = w.greater(1 + clipHigh).and(advantages.greater(0));
  const lengths = responseLengths(mask);
  const filled = lengths.greater(0);
  const perRow = (condition: Tensor): Tensor => maskedSum(condition.cast('float32'), mask).div(lengths.maximum(1));
  /** Of tokens; of rows where rows are what is clipped. */
  const share = (condition: Tensor): Tensor =>
    ratio === 'sequence'
      ? perRow(condition).sum().div(filled.cast('float32').sum().maximum(1))
      : mean(condition.cast('float32'));
  const metrics: Metrics = {
    'clip_ratio/low_mean': share(low),
    'clip_ratio/low_min': where(filled, perRow(low), 1).min(),
    'clip_ratio/high_mean': share(high),
    'clip_ratio/high_max': perRow(high).max(),
    'clip_ratio/region_mean': share(low.or(high)),
    approx_kl: mean(logRatio.neg()),
  };
  if (limit) metrics['clip_ratio/dual_mean'] = share(single.greater(limit).and(negative));
  if (inputs.refLogProbs) {
    const estimate = klEstimate(logProbs, clear(stopGradient(inputs.refLogProbs)), kl?.estimator, kl?.limited);
    metrics.kl = mean(estimate);
    if (kl?.beta) losses = losses.add(estimate.mul(kl.beta));
  }
  let loss = aggregate(losses, mask, aggregation);
  metrics.policy_loss = stopGradient(loss);
  if (inputs.entropies) {
    const entropy = tokenMean(clear(inputs.entropies), mask);
    metrics.entropy = stopGradient(entropy);
    if (entropyCoefficient) loss = loss.sub(entropy.mul(entropyCoefficient));
  }
  return { loss, metrics };
}

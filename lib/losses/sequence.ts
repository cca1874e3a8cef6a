/** Token log-probabilities [B, T] to one figure a response, and what the losses on preference pairs share. */
import { ArgumentError, ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { stopGradient, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

/** Responses in a padded batch. */
export type Responses = {
  /** log pi(token t | what is before it), float32 [B, T]. What it holds outside of the mask has no effect. */
  logProbs: Tensor;
  /** bool, float32 or integer [B, T]: true (non-zero) at the tokens of the response. */
  mask: Tensor;
  /** [B, T, V], aligned with `logProbs`; given, their mean over response tokens is among the metrics. */
  logits?: Tensor;
};

/** Sums over responses, policy or reference: float32 [B] each. */
export type PairSums = { chosen: Tensor; rejected: Tensor };

/** Scalars under the names that TRL logs. */
export type Metrics = Record<string, Tensor>;

export type PreferenceLoss = {
  /** Mean over the batch. */
  loss: Tensor;
  /** One a pair, [B], before terms that are no function of the pair alone. */
  losses: Tensor;
  metrics: Metrics;
};

function checkResponses(where: string, { logProbs, mask }: Responses): void {
  if (logProbs.rank !== 2 || !sameShape(logProbs.shape, mask.shape))
    throw new ShapeError(
      where,
      `expected log-probabilities and a mask of one shape [B, T], got ${showShape(logProbs.shape)} and ${showShape(mask.shape)}`,
      'both leave out the first token, which nothing predicts',
    );
}

/** Sum over the last axis of the values where the mask is true: [B, T] -> [B]. */
export const maskedSum = (values: Tensor, mask: Tensor): Tensor => where(mask.cast('bool'), values, 0).sum(-1);

/** Response tokens of each row, float32 [B]. */
export const responseLengths = (mask: Tensor): Tensor => mask.cast('bool').cast('float32').sum(-1);

/** log pi(response): sums of token log-probabilities, [B]. Throws ShapeError. */
export function sequenceSums(responses: Responses): Tensor {
  checkResponses('sequenceSums', responses);
  return maskedSum(responses.logProbs, responses.mask);
}

/** Means of token log-probabilities, [B]; a response without tokens has 0. Throws ShapeError. */
export function sequenceMeans(responses: Responses): Tensor {
  checkResponses('sequenceMeans', responses);
  return maskedSum(responses.logProbs, responses.mask).div(responseLengths(responses.mask).maximum(1));
}

/** Mean over all response tokens of the batch; without a single one 0. */
export function tokenMean(values: Tensor, mask: Tensor): Tensor {
  return maskedSum(values, mask).sum().div(responseLengths(mask).sum().maximum(1));
}

/**
 * What TRL logs about pairs: rewards and log-probabilities (each [B]) averaged, the share of pairs whose chosen
 * response has the larger reward, and the margin; mean logits where there are any.
 */
export function preferenceMetrics(
  pair: { chosen: Responses; rejected: Responses },
  rewards: PairSums,
  logps: PairSums,
): Metrics {
  const [chosen, rejected] = [stopGradient(rewards.chosen), stopGradient(rewards.rejected)];
  const metrics: Metrics = {
    'rewards/chosen': chosen.mean(),
    'rewards/rejected': rejected.mean(),
    'rewards/accuracies': chosen.greater(rejected).cast('float32').mean(),
    'rewards/margins': chosen.sub(rejected).mean(),
    'logps/chosen': stopGradient(logps.chosen).mean(),
    'logps/rejected': stopGradient(logps.rejected).mean(),
  };
  for (const side of ['chosen', 'rejected'] as const) {
    const { logits, mask } = pair[side];
    if (logits) metrics[`logits/${side}`] = tokenMean(stopGradient(logits).mean(-1), mask);
  }
  return metrics;
}

/** -(1 - smoothing) log sigma(x) - smoothing log sigma(-x). */
export function smoothedLogistic(x: Tensor, smoothing: number): Tensor {
  const loss = x.neg().softplus();
  return smoothing === 0 ? loss : loss.mul(1 - smoothing).add(x.softplus().mul(smoothing));
}

/** Throws ArgumentError unless `value` lies in the range. */
export function checkNumber(where: string, name: string, value: number, ok: boolean, range: string): void {
  if (!ok || !Number.isFinite(value))
    throw new ArgumentError(where, `expected ${name} ${range}, got ${value}`, `change the option ${name}`);
}

/** Both sides must be batches of one size. */
export function checkPairs(where: string, chosen: Tensor, others: Tensor[]): void {
  for (const t of others)
    if (!sameShape(t.shape, chosen.shape))
      throw new ShapeError(
        where,
        `expected one value a pair, ${showShape(chosen.shape)}, got ${showShape(t.shape)}`,
        'row i of chosen, rejected and reference belongs to pair i',
      );
}

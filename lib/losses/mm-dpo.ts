/**
 * MM-DPO: direct preference optimisation that weighs a response's modalities one by one, with the image and anchor terms of
 * mDPO. OmniAgent's card names it and publishes no formula: this one is this project's proposal [I].
 *
 *   r_m(y)  = sum over tokens t of y that belong to segment m of  log pi(t) - log ref(t)       m in {text, img, aud, vid, task}
 *   w~_m    = w_m p_m / sum_k w_k p_k          p_m = 1 if y_w or y_l has tokens of m, else 0; w~_text = 1 if none has any
 *   h       = sum_m w~_m ( r_m(y_w) - r_m(y_l) )
 *   loss    = -log sigma( beta h - gamma (R_w - R_l) )                                      preference, over modalities
 *           + lambda_img [image present] (-log sigma( beta (D(y_w | x) - D(y_w | x~)) ))    mDPO: conditional
 *           + lambda_anc (-log sigma( beta D(y_w | x) - delta ))                            mDPO: anchored
 *
 * where D is the log-ratio of a whole response (what DPO takes), x~ the prompt with a corrupted image, and R = sum_m w~_m R_m
 * the explicit reward from stored scores (gamma 0: without). With a single segment it is DPO; with lambdas of 1 as well, mDPO (Wang
 * et al. 2024, "mDPO: Conditional Preference Optimization for Multimodal Large Language Models").
 *
 * Differences from mDPO's code (luka-group/mDPO, mdpo_trainer.py):
 * 1. The first term is decomposed by modality.
 * 2. A pair without an image has no image term. The loss is the mean over all pairs, so that a pair weighs the same in any batch.
 * 3. The reference is given as sums: the model is the trainer's, and so is the corruption. (The paper crops the image, as the
 *    trainer here does; the published code hides its tokens instead.)
 * 4. delta, the explicit margin, means instead of sums and the lambdas are options; there they are 0, absent, absent and 1.
 */
import { ArgumentError, ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { constant, full, stack, stopGradient, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { SEGMENTS } from '../world/signals';
import type { Segment } from '../world/signals';
import { checkNumber, checkPairs, maskedSum, preferenceMetrics } from './sequence';
import type { PreferenceLoss, Responses } from './sequence';

/** A response and the segment of each of its tokens: integer [B, T], indices into SEGMENTS. */
export type SegmentedResponses = Responses & { segments: Tensor };

/** Sums by segment, float32 [B, 5] each: of reference log-probabilities, or of scores. */
export type SegmentPairs = { chosen: Tensor; rejected: Tensor };

export const defaultWeights: Readonly<Record<Segment, number>> = {
  text: 0.3,
  img: 0.2,
  aud: 0.15,
  vid: 0.15,
  task: 0.2,
};

export interface MmDpoOptions {
  /** Default 0.1 (DPO's and mDPO's). */
  beta?: number;
  /** Weights of the modalities, before those that are present are scaled to a sum of 1. Default `defaultWeights`. */
  weights?: Readonly<Record<Segment, number>>;
  /** Divide r_m by the number of tokens of m in the response: means instead of sums. Default false. */
  lengthNormalised?: boolean;
  /** gamma: share of the explicit reward's margin that the log-ratios have to keep. Needs `scores`. Default 0. */
  rewardMargin?: number;
  /** lambda of the image term. Default 1. */
  imageWeight?: number;
  /** lambda of the anchor. Default 1. */
  anchorWeight?: number;
  /** delta: what the chosen response's reward is to exceed. Default 0. */
  anchorMargin?: number;
}

/** Chosen responses once more, after a prompt whose image is corrupted: K rows, perhaps fewer than pairs. */
export type CorruptedImages = {
  /** int32 [K]: the pair of each row. */
  rows: Tensor;
  /** float32 [K]: 1, or 0 for a row that only fills the batch. */
  present: Tensor;
  /** [K, T] */
  responses: Responses;
  /** The reference's sums under the corrupted image, float32 [K]. */
  reference: Tensor;
};

export interface MmDpoInputs {
  chosen: SegmentedResponses;
  rejected: SegmentedResponses;
  /** Sums of the reference's token log-probabilities by segment, [B, 5] each. */
  reference: SegmentPairs;
  /** Scores R_m of the responses by segment, [B, 5] each; only for `rewardMargin`. */
  scores?: SegmentPairs;
  corrupted?: CorruptedImages;
}

/** Sums over the tokens of each segment: [B, 5]. What is no token of the response counts nowhere. Throws ShapeError. */
export function segmentSums({ logProbs, mask, segments }: SegmentedResponses): Tensor {
  for (const [name, t] of Object.entries({ mask, segments }))
    if (logProbs.rank !== 2 || !sameShape(logProbs.shape, t.shape))
      throw new ShapeError(
        'segmentSums',
        `expected log-probabilities and ${name} of one shape [B, T], got ${showShape(logProbs.shape)} and ${showShape(t.shape)}`,
        'all leave out the first token, which nothing predicts',
      );
  const counts = mask.cast('bool');
  const of = segments.cast('int32');
  return stack(
    SEGMENTS.map((_, m) => maskedSum(logProbs, counts.and(of.equal(m)))),
    1,
  );
}

/** Tokens of each segment: [B, 5]. */
const segmentLengths = (r: SegmentedResponses): Tensor => segmentSums({ ...r, logProbs: full(r.mask.shape, 1) });

/**
 * w~ [B, 5] from the tokens of each segment: the weights of what is present, with a sum of 1. Where nothing with a weight is
 * present the text has 1.
 */
export function presentWeights(
  lengths: { chosen: Tensor; rejected: Tensor },
  weights: Readonly<Record<Segment, number>>,
): Tensor {
  const row = Float32Array.from(SEGMENTS, (s) => weights[s]);
  const given = constant({ dtype: 'float32', shape: [1, row.length], data: row });
  const present = lengths.chosen.add(lengths.rejected).greater(0).cast('float32').mul(given);
  const total = present.sum(-1, true);
  const text = Float32Array.from(SEGMENTS, (s) => Number(s === 'text'));
  const onlyText = constant({ dtype: 'float32', shape: [1, text.length], data: text });
  return where(total.greater(0), present.div(where(total.greater(0), total, 1)), onlyText);
}

function checkOptions(o: MmDpoOptions): Required<MmDpoOptions> {
  const whole = {
    beta: 0.1,
    weights: defaultWeights,
    lengthNormalised: false,
    rewardMargin: 0,
    imageWeight: 1,
    anchorWeight: 1,
    anchorMargin: 0,
    ...o,
  };
  checkNumber('mmDpo', 'beta', whole.beta, whole.beta > 0, '> 0');
  for (const name of ['rewardMargin', 'imageWeight', 'anchorWeight'] as const)
    checkNumber('mmDpo', name, whole[name], whole[name] >= 0, '>= 0');
  checkNumber('mmDpo', 'anchorMargin', whole.anchorMargin, true, 'that is finite');
  for (const s of SEGMENTS) checkNumber('mmDpo', `weights.${s}`, whole.weights[s], whole.weights[s] >= 0, '>= 0');
  if (!SEGMENTS.some((s) => whole.weights[s] > 0))
    throw new ArgumentError('mmDpo', 'expected a weight above 0, got none', 'weigh at least one modality');
  return whole;
}

/**
 * Loss, losses of the pairs [B] (preference term) and metrics. Rewards are beta sum_m w~_m r_m(y); `rewards/<segment>/margins` is
 * the mean of beta (r_m(y_w) - r_m(y_l)) over the pairs that have the segment (0 if none has). Throws ArgumentError and ShapeError.
 */
export function mmDpo(inputs: MmDpoInputs, options: MmDpoOptions = {}): PreferenceLoss {
  const o = checkOptions(options);
  const { chosen, rejected, reference, scores, corrupted } = inputs;
  if (o.rewardMargin && !scores)
    throw new ArgumentError(
      'mmDpo',
      `expected scores for a reward margin of ${o.rewardMargin}, got none`,
      'give the scores by segment, or set rewardMargin to 0',
    );
  const sums = { chosen: segmentSums(chosen), rejected: segmentSums(rejected) };
  checkPairs('mmDpo', sums.chosen, [sums.rejected, reference.chosen, reference.rejected]);
  const lengths = { chosen: segmentLengths(chosen), rejected: segmentLengths(rejected) };
  const weights = presentWeights(lengths, o.weights);
  const ratios = { chosen: sums.chosen.sub(reference.chosen), rejected: sums.rejected.sub(reference.rejected) };
  const parts = {
    chosen: o.lengthNormalised ? ratios.chosen.div(lengths.chosen.maximum(1)) : ratios.chosen,
    rejected: o.lengthNormalised ? ratios.rejected.div(lengths.rejected.maximum(1)) : ratios.rejected,
  };
  const weighed = (side: 'chosen' | 'rejected'): Tensor => weights.mul(parts[side]).sum(-1).mul(o.beta);
  const rewards = { chosen: weighed('chosen'), rejected: weighed('rejected') };
  let margin = rewards.chosen.sub(rewards.rejected);
  if (o.rewardMargin && scores) {
    checkPairs('mmDpo', scores.chosen, [scores.rejected, reference.chosen]);
    const explicit = weights.mul(scores.chosen.sub(scores.rejected)).sum(-1);
    margin = margin.sub(explicit.mul(o.rewardMargin));
  }
  const losses = margin.neg().softplus();
  // What mDPO's terms see: the whole response, each token alike.
  const whole = ratios.chosen.sum(-1);
  const anchor = whole.mul(o.beta).sub(o.anchorMargin).neg().softplus();
  let loss = losses.mean().add(anchor.mean().mul(o.anchorWeight));
  const metrics = {
    ...preferenceMetrics(inputs, rewards, { chosen: sums.chosen.sum(-1), rejected: sums.rejected.sum(-1) }),
    'loss/preference': stopGradient(losses.mean()),
    'loss/anchor': stopGradient(anchor.mean()),
    ...segmentMetrics(parts, lengths, o.beta),
  };
  if (corrupted) {
    const { rows, present, responses, reference: other } = corrupted;
    const ratio = maskedSum(responses.logProbs, responses.mask).sub(other);
    const difference = whole.gather(rows).sub(ratio).mul(o.beta);
    // A row that only fills the batch may hold anything.
    const used = present.greater(0);
    const safe = where(used, difference, 0);
    const image = where(used, safe.neg().softplus(), 0).sum().div(whole.shape[0]);
    const count = present.sum().maximum(1);
    loss = loss.add(image.mul(o.imageWeight));
    Object.assign(metrics, {
      'loss/image': stopGradient(image),
      'rewards/image_margins': stopGradient(safe.sum().div(count)),
      'rewards/image_accuracies': stopGradient(safe.greater(0).cast('float32').sum().div(count)),
      image_pairs: stopGradient(present.sum()),
    });
  }
  return { loss, losses, metrics };
}

/** Margins by segment, over the pairs that have it. */
function segmentMetrics(
  parts: { chosen: Tensor; rejected: Tensor },
  lengths: { chosen: Tensor; rejected: Tensor },
  beta: number,
): Record<string, Tensor> {
  const present = lengths.chosen.add(lengths.rejected).greater(0).cast('float32');
  const margins = stopGradient(parts.chosen.sub(parts.rejected)).mul(beta).sum(0).div(present.sum(0).maximum(1));
  return Object.fromEntries(SEGMENTS.map((s, m) => [`rewards/${s}/margins`, margins.slice(m)]));
}

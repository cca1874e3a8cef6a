/** Losses, one file each: pure functions of tensors. */
export { discountedReturns, groupAdvantages, tokenAdvantages } from './advantages';
export type { GroupAdvantageOptions, StandardizeOptions, TokenAdvantageOptions } from './advantages';
export { aggregate, aggregations } from './aggregate';
export type { AggregateOptions, Aggregation } from './aggregate';
export { alignmentLoss } from './alignment';
export type { AlignmentOptions } from './alignment';
export { crossEntropy, tokenLogProbs } from './cross-entropy';
export type { CrossEntropy } from './cross-entropy';
export { dpo, dpoVariants } from './dpo';
export type { DpoInputs, DpoOptions, DpoVariant } from './dpo';
export { tokenEntropies } from './entropy';
export { infoNce } from './info-nce';
export type { InfoNce, InfoNceOptions } from './info-nce';
export { defaultWeights, mmDpo, presentWeights, segmentSums } from './mm-dpo';
export type { CorruptedImages, MmDpoInputs, MmDpoOptions, SegmentedResponses, SegmentPairs } from './mm-dpo';
export { klEstimate, klEstimators } from './kl';
export type { KlEstimator } from './kl';
export { overlongPenalty } from './overlong';
export type { OverlongOptions } from './overlong';
export { policyLoss } from './policy';
export type { PolicyInputs, PolicyLoss, PolicyOptions } from './policy';
export {
  maskedSum,
  preferenceMetrics,
  responseLengths,
  sequenceMeans,
  sequenceSums,
  smoothedLogistic,
  tokenMean,
} from './sequence';
export type { Metrics, PairSums, PreferenceLoss, Responses } from './sequence';
export { simpo } from './simpo';
export type { SimpoInputs, SimpoOptions } from './simpo';
export { autoencoderLoss, klFromStandardNormal } from './autoencoder';
export type { AutoencoderLossOptions } from './autoencoder';
export { addNoise, diffusionLoss, diffusionTarget, minSnrWeights } from './diffusion';
export type { DiffusionLossOptions, Noised } from './diffusion';
export { melDistance, multiResolutionStft, stftResolutions } from './stft';
export type { StftLoss } from './stft';
export { perceptionLoss, perceptionMask } from './perception';
export type { PerceptionInputs, PerceptionOptions } from './perception';
export { vqganLoss } from './vqgan';
export type { VqganLossOptions } from './vqgan';

/** Layers as functions of (parameters, input), initial values, optimisers, schedules. */
export { accumulate, accumulatorAdd, accumulatorInit, accumulatorMean } from './accumulate';
export type { Accumulated, CountedLoss } from './accumulate';
export { adamW, adamWDefaults, adamWInit, adamWScalars } from './adamw';
export type { AdamWConfig, AdamWOptions, AdamWScalars, AdamWState } from './adamw';
export { attention, mergeHeads, splitHeads } from './attention';
export type { AttentionOptions } from './attention';
export { attentionBlock, attentionBlockInit } from './attention-block';
export type { AttentionBlockConfig, AttentionBlockParams } from './attention-block';
export { clipByGlobalNorm, clipFactor, globalNorm } from './clip';
export {
  conv,
  conv1d,
  conv1dInit,
  conv2d,
  conv2dInit,
  conv3d,
  conv3dInit,
  convTranspose1d,
  convTranspose1dInit,
  convTranspose2d,
  convTranspose2dInit,
  convTranspose3d,
  convTranspose3dInit,
} from './conv';
export type { ConvInitOptions, ConvLayerParams, ConvOptions, ConvTransposeOptions, PerAxis } from './conv';
export { dropout } from './dropout';
export { griffinLim, inverseMelWeights, istft, melToMagnitudes } from './griffin-lim';
export type { GriffinLimOptions } from './griffin-lim';
export { fanInUniform, filled, normal, uniform } from './init';
export type { Noise } from './init';
export { embedding, embeddingInit, linear, linearInit } from './linear';
export type { EmbeddingParams, Linear4BitParams, LinearParams, LoraParams } from './linear';
export { dequantise4Bit, is4Bit, load4Bit, quantise4Bit } from './linear-4bit';
export type { Quantisation, Scales8Bit, Weight4Bit } from './linear-4bit';
export { foldLora, fromPeftNames, loraInit, loraTargets, mergeLora, toPeftNames, unmergeLora, withLora } from './lora';
export type { LoraAdapter, LoraConfig } from './lora';
export { lengthMask, maskedPositions, paddingMask } from './mask';
export type { PaddingSide } from './mask';
export {
  hertzToMel,
  logMelSpectrogram,
  melConfigs,
  melFilterBank,
  melFrames,
  melSchema,
  melToHertz,
  melWeights,
} from './mel';
export type { MelConfig } from './mel';
export { geluMlp, geluMlpInit, swiglu, swigluInit } from './mlp';
export type { GeluMlpParams, SwigluParams } from './mlp';
export { muon, muonDefaults, orthogonalize } from './muon';
export type { MuonConfig, MuonMatrix } from './muon';
export { groupNorm, groupNormInit, layerNorm, layerNormInit, rmsNorm, rmsNormInit } from './norm';
export type { NormParams, RmsNormParams } from './norm';
export { avgPool, globalAvgPool, maxPool, resizeNearest, upsampleNearest } from './pool';
export type { PoolOptions } from './pool';
export { downsample, resampleInit, resBlock, resBlockInit, upsample } from './res-block';
export type { ResampleParams, ResBlockOptions, ResBlockParams, SpatialAxes } from './res-block';
export { ropeAngles, rotate } from './rope';
export type { RopeAngles } from './rope';
export { temporalConv, temporalConvInit, temporalTransformer, temporalTransformerInit } from './temporal';
export type { TemporalConvParams, TemporalTransformerParams } from './temporal';
export { learningRateAt } from './schedule';
export type { ScheduleConfig } from './schedule';
export { philox, Random } from './random';
export type { RandomState } from './random';
export { pickModules, replaceModules } from './modules';
export type { SavedModules } from './modules';
export { spectrogram, stft, stftFrames, windowOf } from './stft';
export type { SpectrogramOptions, StftConfig, WindowKind } from './stft';
export {
  decoderLayer,
  decoderLayerInit,
  encoderLayer,
  encoderLayerInit,
  multiheadAttention,
} from './transformer-layer';
export type {
  DecoderLayerParams,
  EncoderLayerParams,
  MultiheadAttentionParams,
  TransformerLayerConfig,
} from './transformer-layer';
export { alphasCumprod, noiseBetas, noiseSchedule, noiseScheduleSchema } from './noise-schedule';
export type { NoiseScheduleConfig, PredictionType } from './noise-schedule';
export {
  crossAttention,
  crossAttentionInit,
  geglu,
  gegluInit,
  spatialTransformer,
  spatialTransformerInit,
  transformerBlock,
  transformerBlockInit,
} from './spatial-transformer';
export type {
  CrossAttentionParams,
  GegluParams,
  SpatialTransformerParams,
  TransformerBlockParams,
} from './spatial-transformer';
export { kMeans } from './k-means';

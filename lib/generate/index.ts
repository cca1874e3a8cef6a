/** Generation: batched sampling with a cache of keys and values; media by diffusion. */
export { generate } from './generate';
export { decode, fold, prefill, takeRows, WINDOW } from './llama-cache';
export type { KvCache, MediaRows, Prediction } from './llama-cache';
export type { FinishReason, GenerateOptions, Generation, LlamaModel, MediaSpan, Prompt, TokenEvent } from './options';
export { freeze } from './programs';
export type { FrozenModel } from './programs';
export { argMax, checkSampling, draw, restrict, warp } from './sample';
export type { Distribution, SamplingOptions } from './sample';
export * from './diffusion';
export { decodeBlocks, encodeConversations, projectMedia, respond } from './omni';
export type { Block, ChatMessage, DecodeOptions, OmniModel, OmniResponse, RespondOptions } from './omni';
export { loadOmniModel } from './omni-load';
export type { LoadOptions } from './omni-load';
export { GENERATION_MODES, modeConstraint } from './interleaved';
export type { GenerationMode, ModeOptions } from './interleaved';
export { rollouts, stretches } from './rollouts';
export type { Rollout, RolloutOptions, RolloutPrompt } from './rollouts';
export { inferSubset } from './omni-r1/infer';
export type { InferOptions, InferResult, SubsetSummary } from './omni-r1/infer';
export { decodeInterleaved, splitInterleaved, truncateImages } from './omni-r1/interleaved-model';
export type {
  DecodedImage,
  InterleavedModel,
  InterleavedOptions,
  InterleavedSegment,
  Trajectory,
} from './omni-r1/interleaved-model';
export { interleavedModel, loadInterleavedModel } from './omni-r1/load';
export { encodePrompt, IMAGE_PLACEHOLDER } from './omni-r1/prompt';
export type { PromptOptions } from './omni-r1/prompt';
export { chatCompletion, ServerError } from './openai';
export type { ChatContent, ChatRequest, ServerOptions } from './openai';

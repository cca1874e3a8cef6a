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

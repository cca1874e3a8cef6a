/** Recipes: one readable file a training stage, on a loop that resumes. */
export { batchIndices, groupedIndices, padBatch, windowBatch } from './batches';
export type { TokenBatch, TokenExample } from './batches';
export { memoryContext } from './context';
export type { TrainContext, TrainMetrics } from './context';
export { trainDpo } from './dpo';
export { trainLoop } from './loop';
export { optimizerSchema } from './optimizer';
export type { OptimizerConfig } from './optimizer';
export type { PreferenceOptions, PreferencePair } from './preference';
export { pretrain } from './pretrain';
export type { PretrainOptions } from './pretrain';
export { sft, tunedModel } from './sft';
export type { SftOptions, Tuned } from './sft';
export { trainSimpo } from './simpo';
export { fromHost, toHost } from './state';

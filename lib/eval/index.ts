/** Measures of trained models. */
export { perplexities, perplexityOf, perplexityPools, sampleLosses } from './perplexity';
export type { LabelledExample, SampleLoss } from './perplexity';

/** Measures of trained models. */
export { directionVerdict } from './direction';
export type { DirectionOptions, Verdict } from './direction';
export { perplexities, perplexityOf, perplexityPools, sampleLosses } from './perplexity';
export type { LabelledExample, SampleLoss } from './perplexity';

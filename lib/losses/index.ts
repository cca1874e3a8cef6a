/** Losses, one file each: pure functions of tensors. */
export { crossEntropy, tokenLogProbs } from './cross-entropy';
export type { CrossEntropy } from './cross-entropy';

/** Rewards for reinforcement learning: pure functions of a response. */
export { accuracyReward, finalAnswer, formatReward, gradeAnswer } from './accuracy';
export { gradeText } from './answer-text';
export type { TextThresholds } from './answer-text';
export { computeScore, fromRewardKwargs } from './compute-score';
export type { Rollout, Score, ScoreOptions } from './compute-score';
export { isZero } from './expression-zero';
export { latexToText } from './latex-text';
export { gradeMath } from './math-answer';
export {
  aggregate,
  aggregations,
  energyToScore,
  imageSegments,
  perceptionReward,
  variation1d,
  variation2d,
} from './perception';
export type { Aggregation, Matrix, Perception, PerceptionOptions, StatesForPerception } from './perception';
export { sequenceRatio } from './sequence-ratio';

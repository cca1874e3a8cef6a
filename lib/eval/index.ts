/** Measures of trained models. */
export { directionVerdict } from './direction';
export type { DirectionOptions, Verdict } from './direction';
export { attributeMetrics, estimate, MEDIA_ATTRIBUTES, mediaAttributes, mediumAttributes } from './media-attributes';
export type { AttributeReport, AttributeValues, Estimate, GeneratedMedium, MediaAttribute } from './media-attributes';
export { perplexities, perplexityOf, perplexityPools, sampleLosses } from './perplexity';
export type { LabelledExample, SampleLoss } from './perplexity';
export { taskFaults, taskMetrics } from './agent-tasks';
export { answerSamples, promptOf } from './answer-samples';
export type { Answer, AnswerOptions } from './answer-samples';
export { captionAccuracy } from './caption-accuracy';
export { attentionProbe } from './attention-probe';
export type { ProbeData, ProbeOptions } from './attention-probe';
export { encodeViews, JOINT_VIEWS, probeMetrics, retrievalMetrics } from './joint-encoder';
export type { EncodedScenes, JointView, ProbedScenes } from './joint-encoder';
export { retrieval } from './retrieval';
export type { Retrieval } from './retrieval';
export { bootstrap } from './bootstrap';
export type { BootstrapOptions, Interval } from './bootstrap';
export { AGENTIC_CHECKS, EMITTED, HUMAN_PARTS } from './evaluated';
export type { AgenticCheck, Emitted, EvaluatedSample, HumanPart, JudgedAnswer } from './evaluated';
export {
  agenticChecks,
  agenticPrompts,
  emittedKinds,
  freshTriples,
  humanParts,
  judgeAnswer,
  modalityOverlap,
  rewardOf,
  wordOverlap,
} from './judge-answers';
export {
  agenticScore,
  answerFigures,
  CROSS_MODAL,
  crossModalScore,
  INDICES,
  indexFigures,
  normalisedEntropy,
  tokenDiversity,
} from './novel-indices';
export type { Index } from './novel-indices';
export { dominates, nonDominated, rewardKlPareto, RKP_EPSILON, winRate } from './pareto';
export type { Better } from './pareto';
export { logitsKl, policyDrift } from './drift';
export type { Drift } from './drift';
export {
  answerIn,
  benchRows,
  modelBackend,
  modelJudge,
  predictShard,
  readPredictions,
  ruleJudge,
  scorePredictions,
  serverBackend,
  taskOf,
} from './omni-bench';
export type { Backend, BenchRow, BenchScore, Judge, Prediction, TaskScore } from './omni-bench';

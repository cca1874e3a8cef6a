/**
 * All experiments, and the notebooks that show them. Importing this registers the experiments (each module of this folder is
 * imported here for that), so that they can be run by name.
 */
import './omniagent/ablation';
import './omniagent/data';
import './omniagent/epochs';
import './omniagent/evaluation';
import './omniagent/mm-dpo-weights';
import './omniagent/search';
import './omniagent/stage0-audio';
import './omniagent/stage0-backbone';
import './omniagent/stage0-encoder';
import './omniagent/stage0-image';
import './omniagent/stage0-video';
import './omniagent/stage1-encode';
import './omniagent/stage2-decode';
import './omniagent/stage3-sft';
import './omniagent/stage4-dpo';
import './omniagent/stage4-grpo';
import './omniagent/stage4-grpo-plus-plus';
import './omniagent/stage4-mm-dpo';
import './omniagent/stage4-online-grpo';
import './omniagent/stage4-simpo';
import './omni-r1/base';
import './omni-r1/data';
import './omni-r1/perpo';
import './omni-r1/pesft';
import './omni-r1/rewards';
import './omni-r1/vqgan';
import './omni-r1/zero';
import './omni-r1/zero-perpo';

export { OmniAgentModel } from './agent';
export { notebooks } from './notebooks';
export {
  ablationStudy,
  categoryBreakdown,
  epochComparison,
  novelIndicesComparison,
  paretoPlot,
  radarChart,
  rlComparison,
  runCurve,
  trainingCurves,
} from './omniagent/charts';
export { judgeClaims } from './omniagent/claims';
export type { EpochResults, JudgedClaim } from './omniagent/claims';
export { judgeR1Claims, r1Seed } from './omni-r1/claims';
export type { R1Seed } from './omni-r1/claims';
export {
  accuracyOf,
  accuracyTable,
  collectR1,
  pictureTable,
  r1Answers,
  r1Measures,
  r1Run,
  syntheticTable,
  tauTable,
  tokenizerTable,
  variationTable,
} from './omni-r1/results';
export type { R1Graded, R1Measures, R1Results } from './omni-r1/results';
export { TAUS } from './omni-r1/rewards';
export { answerGallery, errorTable, readPictureScores, rolloutGallery } from './omni-r1/show';
export { paperR1, paperR1Claims, R1_MODELS } from './paper/omni-r1';
export { CLAIM_RULE } from './omniagent/decide';
export { languageModelSize } from './omniagent/model-size';
export { METHOD_NAMES, METHODS, methodsOf } from './omniagent/methods';
export type { Method } from './omniagent/methods';
export { collectResults, differencesFrom, meanOf, methodsIn, valuesOf } from './omniagent/results';
export type { Difference, Results } from './omniagent/results';
export {
  differenceTable,
  generationTable,
  indicesTable,
  relatedWorkTable,
  rkpTable,
  table1,
  table2,
  table3,
} from './omniagent/tables';
export * from './paper/omniagent';
export { bringsWhatWasAsked, heldOutRequests, openCheckpoint, writeRequestMedium } from './omniagent/requests';
export type { HeldOutRequest } from './omniagent/requests';
export {
  changedAnswers,
  exampleGroup,
  heldOutResult,
  heldOutTable,
  partsTable,
  readMethod,
  seedCurves,
  stabilityTable,
} from './omniagent/rl-report';
export type { HeldOutResult, RlRuns } from './omniagent/rl-report';
export { settingsTable } from './omniagent/settings';
export {
  agentMeasures,
  captionMeasures,
  CHAIN_TARGETS,
  DECODER_TARGETS,
  mediaMeasures,
  retrievalMatrix,
  retrievalMeasures,
} from './omniagent/targets';
export type { AgentRuns } from './omniagent/targets';
export {
  currentDevice,
  currentFigures,
  currentProfile,
  currentSeeds,
  readSamples,
  run,
  runSeeds,
  watch,
} from '../pipeline';

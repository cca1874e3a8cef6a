/** Omni-R1's laptop world: four Uni-Tasks, five visual actions, oracles. See README.md beside this file. */
export { ACTIONS, executeAction, formatAction, parseAction, parseActions } from './actions';
export type { Action, ActionName, Predict } from './actions';
export { CELL, CELLS, COLOUR_NAMES, SIDE } from './canvas';
export { KINDS, makeR1Sample, omniBenchSamples, r1Sample } from './generate';
export { judgeStep, NEAR, pictureDistance } from './oracle';
export type { StepVerdict } from './oracle';
export { BENCH_COUNTS, describe as describeFigure, describePlaces, UNI_TASKS } from './sample';
export type { R1Sample, Step, UniTask } from './sample';
export {
  finalAnswer,
  imagePlaceholder,
  interleavedTrace,
  problemImage,
  questionText,
  reasoningImage,
  textChain,
} from './trace';

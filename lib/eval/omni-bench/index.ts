/** Omni-Bench: rows from Parquet files, predictions, judges and scores. */
export { answerIn, modelJudge, ruleJudge } from './judge';
export type { Judge } from './judge';
export { modelBackend, predictShard, serverBackend } from './predict';
export type { Backend, ReadyRow, SamplingOptions, Shard } from './predict';
export { errorPrediction, isError, readPredictions, ResultsFile, rowKey } from './results';
export type { Prediction } from './results';
export { benchRows, countRows } from './rows';
export type { BenchRow, LostFile, RowHead, RowOptions } from './rows';
export { scorePredictions, TASK_COLUMNS, taskOf } from './score';
export type { BenchScore, ScoreOptions, TaskScore, Verdict } from './score';

/** The graph of experiments: definitions, identities, runs that resume. */
export type { Checkpoint, Json } from './checkpoint';
export type { Context } from './context';
export { defineExperiment, getExperiment, listExperiments, registerExperiment } from './experiment';
export type { Experiment, ExperimentSpec, Metrics, ParentRef } from './experiment';
export { plan } from './identity';
export type { Plan } from './identity';
export type { Manifest } from './manifest';
export type { LogRow } from './metrics-log';
export { figuresDir, projectRoot, runsDir } from './paths';
export { DEFAULT_SEEDS, parseProfile, PROFILES } from './profile';
export type { Profile } from './profile';
export { setDefaultProgress, showOn } from './progress';
export type { OnProgress, ProgressBar, RunDisplay, RunEvent } from './progress';
export { currentDevice, currentProfile, currentSeeds, run, runSeeds } from './run';
export type { RunOptions } from './run';
export { Run } from './run-result';

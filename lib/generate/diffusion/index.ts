/** Sampling of diffusion models: schedules of steps, samplers, guidance, and media from captions. */
export { ddim } from './ddim';
export { dpmSolver } from './dpm-solver';
export type { DpmSolverOptions } from './dpm-solver';
export { generateMedia, releaseMediaPrograms } from './generate-media';
export type { GenerateMediaOptions } from './generate-media';
export { guided, withGuidance } from './guidance';
export { mediaHead } from './media-heads';
export type { MediaHead } from './media-heads';
export type { Sampler } from './sampler';
export { samplingTimesteps } from './timesteps';

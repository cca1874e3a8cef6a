/** A run as a caller names it: what `run(name, { seed, config })` is called with. */

export interface RunRequest {
  name: string;
  seed: number;
  /** Values that replace those of the experiment's configuration, at any depth. */
  config?: Record<string, unknown>;
}

/** Experiments, each with all of the seeds. */
export const seedRequests = (names: readonly string[], seeds: readonly number[]): RunRequest[] =>
  names.flatMap((name) => seeds.map((seed) => ({ name, seed })));

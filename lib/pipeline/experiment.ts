/**
 * Experiments and their registry. An experiment is a name, a configuration for each profile, the experiments that it
 * builds on, and a function that trains or evaluates something and returns its metrics.
 */
import type { z } from 'zod';
import { ArgumentError } from '../errors';
import { closest } from './closest';
import type { Context } from './context';
import type { Metrics } from './manifest';
import type { Profile } from './profile';

/** An experiment that another one builds on: with its own configuration and the child's seed, unless said otherwise. */
export interface ParentRef {
  name: string;
  /** Values that replace those of the parent's own configuration. */
  config?: Record<string, unknown>;
  seed?: number;
}

export interface ExperimentSpec<C> {
  /** Words separated by slashes, as in "omniagent/stage4/dpo". */
  name: string;
  /** One line for lists. */
  description?: string;
  /** What it builds on. Each is made before it, and `ctx.parent(name)` gives it. */
  parents?: readonly (string | ParentRef)[] | ((config: C, profile: Profile) => readonly (string | ParentRef)[]);
  /** `__filename` of the module that defines it: its code and that of what it imports is part of its identity. */
  module: string;
  /** What a configuration may hold. */
  schema: z.ZodType<C>;
  config: (profile: Profile) => C;
  /** The work. It saves checkpoints and goes on from the last one, writes files into `ctx.dir`, and returns metrics. */
  run: (ctx: Context<C>) => Promise<Metrics>;
}

/** An experiment of any configuration, as the registry keeps it. */
export type Experiment = ExperimentSpec<unknown>;

const registry = new Map<string, Experiment>();

const NAME = /^[a-z0-9][a-z0-9_.-]*(\/[a-z0-9][a-z0-9_.-]*)*$/;

/** Checks an experiment's name and registers it. Throws ArgumentError for a malformed name. */
export function defineExperiment<C>(spec: ExperimentSpec<C>): ExperimentSpec<C> {
  if (!NAME.test(spec.name))
    throw new ArgumentError(
      'defineExperiment',
      `expected lower-case words, digits, "-", "_" and "." separated by slashes, got "${spec.name}"`,
      'name it as in "omniagent/stage4/dpo"',
    );
  registerExperiment(spec as unknown as Experiment);
  return spec;
}

/**
 * Makes an experiment known by its name. Loading its module again (a notebook does) replaces it; another module may
 * not take the name.
 */
export function registerExperiment(experiment: Experiment): void {
  const known = registry.get(experiment.name);
  if (known && known.module !== experiment.module)
    throw new ArgumentError(
      'registerExperiment',
      `"${experiment.name}" is defined in ${known.module} and in ${experiment.module}`,
      'give one of them another name',
    );
  registry.set(experiment.name, experiment);
}

/** All experiments by name. */
export function listExperiments(): Experiment[] {
  return [...registry.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** The experiment of a name. Throws ArgumentError with the closest names if there is none. */
export function getExperiment(name: string): Experiment {
  const experiment = registry.get(name);
  if (!experiment)
    throw new ArgumentError('getExperiment', `there is no experiment "${name}"`, closest(name, [...registry.keys()]));
  return experiment;
}

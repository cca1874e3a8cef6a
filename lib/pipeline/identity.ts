/**
 * What a run is: an experiment with its configuration, seed, code and parents, reduced to a hash. Equal hashes give
 * equal results, so a run that is present need not be made again. Neither the profile (it only chooses the
 * configuration) nor the device is part of it.
 */
import { ArgumentError } from '../errors';
import { canonicalJson, sha256 } from './canonical-json';
import { codeVersion } from './code-version';
import { getExperiment } from './experiment';
import type { Experiment } from './experiment';
import type { Profile } from './profile';

/** A run that could be made, and those it builds on. */
export interface Plan {
  readonly experiment: Experiment;
  readonly profile: Profile;
  readonly seed: number;
  /** Validated. */
  readonly config: unknown;
  readonly codeVersion: string;
  /** By the name under which the experiment asked for them. */
  readonly parents: readonly Plan[];
  /** 16 hexadecimal digits: the name of the run's folder. */
  readonly hash: string;
}

/** A copy of `base` in which the values of `changes` replace those of the same name, at any depth of plain objects. */
function merge(base: unknown, changes: Record<string, unknown>): unknown {
  const out = { ...(base as Record<string, unknown>) };
  for (const [key, value] of Object.entries(changes)) {
    const plain = (v: unknown) => typeof v === 'object' && v !== null && !Array.isArray(v);
    out[key] = plain(value) && plain(out[key]) ? merge(out[key], value as Record<string, unknown>) : value;
  }
  return out;
}

function validConfig(experiment: Experiment, profile: Profile, changes: Record<string, unknown>): unknown {
  const parsed = experiment.schema.safeParse(merge(experiment.config(profile), changes));
  if (parsed.success) {
    const config = parsed.data as object;
    // A schema may drop what it does not know; a change that has no effect must not pass unnoticed.
    for (const key of Object.keys(changes))
      if (!Object.hasOwn(config, key))
        throw new ArgumentError(
          `configuration of ${experiment.name}`,
          `there is no "${key}"`,
          `it has ${Object.keys(config).join(', ')}`,
        );
    return config;
  }
  const issue = parsed.error.issues[0];
  throw new ArgumentError(
    `configuration of ${experiment.name}`,
    `${issue.path.join('.') || 'the whole'}: ${issue.message}`,
    `change it in the call, or in the experiment's values for profile ${profile}`,
  );
}

/**
 * Works out a run and its parents without making any. `config` replaces values of the experiment's own configuration.
 * Throws ArgumentError for unknown names, configurations that the schema refuses, and circles.
 */
export function plan(
  name: string,
  profile: Profile,
  seed: number,
  config: Record<string, unknown> = {},
  path: readonly string[] = [],
): Plan {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ArgumentError(name, `expected a seed among 0, 1, 2, ..., got ${seed}`, 'give a whole number');
  const experiment = getExperiment(name);
  if (path.includes(name))
    throw new ArgumentError(
      name,
      `it builds on itself: ${[...path, name].join(' -> ')}`,
      'take one of the parents away',
    );
  const valid = validConfig(experiment, profile, config);
  const { parents: given = [] } = experiment;
  const parents = (typeof given === 'function' ? given(valid, profile) : given).map((parent) => {
    const ref = typeof parent === 'string' ? { name: parent } : parent;
    return plan(ref.name, profile, ref.seed ?? seed, ref.config, [...path, name]);
  });
  const code = codeVersion(experiment.module);
  const hash = sha256(
    canonicalJson(
      { name, config: valid, seed, code, parents: parents.map((p) => `${p.experiment.name}/${p.hash}`) },
      `configuration of ${name}`,
    ),
  ).slice(0, 16);
  return { experiment, profile, seed, config: valid, codeVersion: code, parents, hash };
}

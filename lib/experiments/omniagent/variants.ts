/** Configurations of a method that differ from its own in the length of the training: more or fewer epochs, or a share of the steps. */
import { ArgumentError } from '../../errors';
import { getExperiment } from '../../pipeline/experiment';
import type { Profile } from '../../pipeline/profile';
import { METHODS } from './methods';
import type { Method } from './methods';

interface Trained {
  optimizer: { steps: number; batchSize: number; learningRate: number };
  /** Passes over the pairs; trainings on rewards have a number of prompts instead. */
  epochs?: number;
  prompts?: number;
}

function ownConfig(method: Method, profile: Profile): Trained {
  const { experiment } = METHODS[method];
  const config = getExperiment(experiment).config(profile) as Partial<Trained>;
  if (!config.optimizer?.steps || !(config.epochs ?? config.prompts))
    throw new ArgumentError(
      `configuration of ${experiment}`,
      'expected optimizer.steps, and epochs or prompts, got a configuration without',
      'the experiments on epochs and on learning rates change them',
    );
  return config as Trained;
}

/** The same data, seen `epochs` times: the steps go with the epochs. */
export function withEpochs(method: Method, profile: Profile, epochs: number): Record<string, unknown> {
  const { optimizer, epochs: own, prompts } = ownConfig(method, profile);
  const steps = Math.max(
    1,
    own ? Math.floor((optimizer.steps * epochs) / own) : Math.round((prompts! * epochs) / optimizer.batchSize),
  );
  if (steps === optimizer.steps) return {};
  return { ...(own ? { epochs } : {}), optimizer: { steps } };
}

/** A share of the steps, and a multiple of the learning rate. */
export function withShare(
  method: Method,
  profile: Profile,
  { share, rate = 1 }: { share: number; rate?: number },
): Record<string, unknown> {
  const { optimizer } = ownConfig(method, profile);
  return {
    optimizer: {
      steps: Math.max(1, Math.round(optimizer.steps * share)),
      // 3e-4 rather than 0.00030000000000000003: the value is part of the run's identity.
      ...(rate === 1 ? {} : { learningRate: Number((optimizer.learningRate * rate).toPrecision(6)) }),
    },
  };
}

/**
 * Profiles: the sizes at which everything runs. One code path serves all; a profile only changes sizes, data and
 * devices.
 */
import { ArgumentError } from '../errors';
import { closest } from './closest';

/** smoke: minutes; laptop: the default, everything real on a CPU; gpu: one GPU; paper: the real backbones. */
export const PROFILES = ['smoke', 'laptop', 'gpu', 'paper'] as const;
export type Profile = (typeof PROFILES)[number];

/** How many seeds an experiment is run with where the caller does not say. */
export const DEFAULT_SEEDS: Record<Profile, number> = { smoke: 1, laptop: 3, gpu: 3, paper: 3 };

/** Checks a profile's name. Throws ArgumentError for an unknown one. */
export function parseProfile(name: string): Profile {
  const profile = PROFILES.find((p) => p === name);
  if (!profile)
    throw new ArgumentError('profile', `expected ${PROFILES.join(', ')}, got "${name}"`, closest(name, PROFILES));
  return profile;
}

/**
 * How well generated media show what was asked for. The oracles of OmniWorld look at each medium, and what they find is
 * compared with the objects expected, attribute by attribute: `attributeAccuracy` matches the objects by the best assignment.
 *
 * | attribute                  | value of one medium                                                       |
 * |----------------------------|---------------------------------------------------------------------------|
 * | shape, colour, size, place | share of the expected objects that are there and have it right            |
 * | motion                     | likewise; only where the modality shows motion (clips)                    |
 * | count                      | 1 if as many objects are found as are expected                            |
 * | exact                      | 1 if every attribute of every object is right and nothing else is there   |
 *
 * An estimate is the mean over media, each weighing alike, with Wilson's 95 % score interval (Wilson 1927, "Probable
 * inference, the law of succession, and statistical inference"). Differences from its textbook use: (1) the shares are not all 0
 * or 1; no value in [0, 1] varies more than a yes or no of the same mean, so the interval is wide enough. (2) The media, not the
 * objects in them, are counted, since objects of one medium are not independent.
 */
import { ArgumentError } from '../errors';
import { attributeAccuracy, chanceAccuracy, MODALITIES, perceive, showsMotion } from '../world';
import type { Medium } from '../io/media';
import { MEDIA_ATTRIBUTES } from './media-attribute-names';
import type { MediaAttribute } from './media-attribute-names';
import type { Modality, SceneObject } from '../world';

export { MEDIA_ATTRIBUTES };
export type { MediaAttribute };
/** What one medium got, each from 0 to 1. */
export type AttributeValues = Partial<Record<MediaAttribute, number>>;

/** What was asked for, and the medium that was generated for it. */
export interface GeneratedMedium {
  expected: readonly SceneObject[];
  medium: Medium;
}

/** A mean with its 95 % interval, and how many media it is taken over. */
export interface Estimate {
  mean: number;
  low: number;
  high: number;
  n: number;
}

/** The estimates of one modality. */
export interface AttributeReport {
  modality: Modality;
  media: number;
  /** Expected objects in them all. */
  objects: number;
  accuracy: Partial<Record<MediaAttribute, Estimate>>;
  /** What renderings of unrelated scenes would get (world, `chanceAccuracy`). */
  chance: AttributeValues;
}

/** The 97.5 % quantile of the normal distribution. */
const Z = 1.959963984540054;

/** The mean of values in [0, 1] with Wilson's 95 % interval. Throws ArgumentError for none, and for values outside. */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const wrong = values.find((v) => !(v >= 0 && v <= 1));
  if (!n || wrong !== undefined)
    throw new ArgumentError(
      'estimate',
      `expected at least one value, each from 0 to 1, got ${n ? String(wrong) : 'none'}`,
      'generate and measure at least one medium',
    );
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const share = 1 + Z ** 2 / n;
  const centre = (mean + Z ** 2 / (2 * n)) / share;
  const half = (Z * Math.sqrt((mean * (1 - mean)) / n + Z ** 2 / (4 * n ** 2))) / share;
  // At 0 and 1 rounding would put the mean outside by an ulp.
  return { mean, low: Math.max(0, Math.min(mean, centre - half)), high: Math.min(1, Math.max(mean, centre + half)), n };
}

const chances = new Map<boolean, AttributeValues>();
/** `chanceAccuracy`, computed once. */
function chanceOf(motion: boolean): AttributeValues {
  let chance = chances.get(motion);
  if (!chance) chances.set(motion, (chance = chanceAccuracy({ motion })));
  return chance;
}

/** What the oracles see of each medium, compared with what was expected of it. */
export function mediumAttributes({ expected, medium }: GeneratedMedium): AttributeValues {
  if (!expected.length)
    throw new ArgumentError(
      'mediumAttributes',
      'expected at least one object that the medium should show, got none',
      'a scene has one to three objects',
    );
  return attributeAccuracy(expected, perceive(medium), { motion: showsMotion(medium.modality) });
}

/** The estimates of each modality that is there, in the order image, audio, video. Throws ArgumentError for no media. */
export function mediaAttributes(samples: readonly GeneratedMedium[]): AttributeReport[] {
  if (!samples.length)
    throw new ArgumentError('mediaAttributes', 'expected at least one medium, got none', 'generate some media first');
  return MODALITIES.flatMap((modality) => {
    const own = samples.filter((s) => s.medium.modality === modality);
    if (!own.length) return [];
    const values = own.map(mediumAttributes);
    const measured = MEDIA_ATTRIBUTES.filter((a) => values[0][a] !== undefined);
    return [
      {
        modality,
        media: own.length,
        objects: own.reduce((n, s) => n + s.expected.length, 0),
        accuracy: Object.fromEntries(measured.map((a) => [a, estimate(values.map((v) => v[a]!))])),
        chance: chanceOf(showsMotion(modality)),
      },
    ];
  });
}

/**
 * The reports as flat metrics of a run: `video/shape`, `video/shape_low`, `video/shape_high` (the interval), `video/shape_chance`,
 * ..., `video/media`, `video/objects`.
 */
export function attributeMetrics(reports: readonly AttributeReport[]): Record<string, number> {
  return Object.fromEntries(
    reports.flatMap(({ modality, media, objects, accuracy, chance }): [string, number][] => [
      ...MEDIA_ATTRIBUTES.flatMap((a): [string, number][] => {
        const found = accuracy[a];
        if (!found) return [];
        const name = `${modality}/${a}`;
        return [
          [name, found.mean],
          [`${name}_low`, found.low],
          [`${name}_high`, found.high],
          [`${name}_chance`, chance[a]!],
        ];
      }),
      [`${modality}/media`, media],
      [`${modality}/objects`, objects],
    ]),
  );
}

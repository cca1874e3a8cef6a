/** How well found objects agree with expected ones, attribute by attribute; and what chance would give. */
import { Random } from '../nn/random';
import { drawScene } from './scene';
import type { SceneObject } from './scene';

/** Shares, 0 to 1. */
export interface AttributeAccuracy {
  /** Of the expected objects, those whose attribute was found. */
  shape: number;
  colour: number;
  size: number;
  /** Cell of the grid. */
  place: number;
  /** Only where motion counts (clips). */
  motion?: number;
  /** 1 if as many objects were found as expected. */
  count: number;
  /** 1 if everything is right: all attributes of all objects, and none too many. */
  exact: number;
}

const ATTRIBUTES = ['shape', 'colour', 'size', 'place', 'motion'] as const;
type Attribute = (typeof ATTRIBUTES)[number];

/** What was found of an object; from a text perhaps not everything. Motion that is not told is none. */
type Found = Partial<SceneObject>;

const agrees = (attribute: Attribute, a: SceneObject, b: Found): boolean =>
  attribute === 'place'
    ? a.cell[0] === b.cell?.[0] && a.cell[1] === b.cell[1]
    : a[attribute] === (attribute === 'motion' ? (b.motion ?? 'still') : b[attribute]);

/** All ways to give each of `n` expected objects another one of `m` found ones, or none (-1). */
function* assignments(n: number, m: number, taken: readonly number[] = []): Generator<readonly number[]> {
  if (taken.length === n) {
    yield taken;
    return;
  }
  for (let j = 0; j < m; j++) if (!taken.includes(j)) yield* assignments(n, m, [...taken, j]);
  // An object goes without a partner only where there are too few.
  if (taken.filter((j) => j < 0).length < n - m) yield* assignments(n, m, [...taken, -1]);
}

/**
 * Compares found objects with expected ones, under the assignment of one to another that agrees in the most attributes.
 * An expected object that has no partner counts as wrong in all of them.
 */
export function attributeAccuracy(
  expected: readonly SceneObject[],
  found: readonly Found[],
  { motion = false }: { motion?: boolean } = {},
): AttributeAccuracy {
  const attributes = motion ? ATTRIBUTES : ATTRIBUTES.slice(0, 4);
  let best: number[] = attributes.map(() => 0);
  let most = -1;
  // A rambling text may tell of any number of objects.
  for (const partners of assignments(expected.length, Math.min(found.length, 8))) {
    const hits = attributes.map(
      (a) => expected.filter((object, i) => partners[i] >= 0 && agrees(a, object, found[partners[i]])).length,
    );
    const total = hits.reduce((x, y) => x + y, 0);
    if (total > most) [most, best] = [total, hits];
  }
  const shares = best.map((hits) => (expected.length ? hits / expected.length : 1));
  const count = Number(expected.length === found.length);
  return {
    ...(Object.fromEntries(attributes.map((a, i) => [a, shares[i]])) as Record<Exclude<Attribute, 'motion'>, number>),
    count,
    exact: Number(count && shares.every((s) => s === 1)),
  };
}

/** Mean of several accuracies. An empty list gives zeros. */
export function meanAccuracy(list: readonly AttributeAccuracy[]): AttributeAccuracy {
  const mean = { shape: 0, colour: 0, size: 0, place: 0, count: 0, exact: 0 } as Required<AttributeAccuracy>;
  const keys = Object.keys(list.length ? list[0] : mean) as (keyof AttributeAccuracy)[];
  for (const key of keys) mean[key] = list.reduce((sum, a) => sum + (a[key] ?? 0), 0) / Math.max(1, list.length);
  return mean;
}

/**
 * Chance: the mean accuracy of scenes drawn without looking, against other drawn scenes. Higher than one in the number of
 * values, since the best assignment is taken, and lower where objects lack a partner.
 */
export function chanceAccuracy({ motion = false, samples = 20000, seed = 0 } = {}): AttributeAccuracy {
  const random = new Random(seed, 'chance');
  const draw = (): SceneObject[] => drawScene(random).objects;
  return meanAccuracy(Array.from({ length: samples }, () => attributeAccuracy(draw(), draw(), { motion })));
}

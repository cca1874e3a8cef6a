/**
 * A scene: one to three objects in different cells of a 3x3 grid, on a tinted, noisy background. Everything that a
 * rendering (text, and later picture, sound and clip) shows is in here, so that a record can be checked against it.
 */
import { z } from 'zod';
import type { Random } from '../nn/random';
import { COLOURS, MOTIONS, SHAPES, SIZES, cellCode } from './lexicon';
import { splitOf } from './splits';
import type { Split } from './splits';

const coordinate = z.int().min(0).max(2);

/** One object of a scene. */
export const objectSchema = z.strictObject({
  shape: z.enum(SHAPES),
  colour: z.enum(COLOURS),
  /** [row, column] from the top left. */
  cell: z.tuple([coordinate, coordinate]),
  size: z.enum(SIZES),
  motion: z.enum(MOTIONS),
});

/** A scene. */
export const sceneSchema = z.strictObject({
  /** In reading order of their cells. */
  objects: z.array(objectSchema).min(1).max(3),
  background: z.strictObject({
    /** Mean red, green and blue, 0 to 1. */
    tint: z.tuple([z.number(), z.number(), z.number()]),
    /** Seed of the noise on it. */
    noise: z.int().min(0),
  }),
});

export type SceneObject = z.infer<typeof objectSchema>;
export type Scene = z.infer<typeof sceneSchema>;

/** Orders objects by cell, in reading order: the order within every scene. */
export const inReadingOrder = (objects: readonly SceneObject[]): SceneObject[] =>
  [...objects].sort((a, b) => a.cell[0] * 3 + a.cell[1] - (b.cell[0] * 3 + b.cell[1]));

/** Objects as a short code: the identity of a scene (its background aside). Without motion for senses that miss it. */
export const objectsCode = (objects: readonly SceneObject[], motion = true): string =>
  inReadingOrder(objects)
    .map((o) => `${o.shape} ${o.colour} ${o.size} ${cellCode(o.cell)}${motion ? ` ${o.motion}` : ''}`)
    .join(', ');

export interface SceneOptions {
  /** Number of objects; 1, 2 or 3 with probabilities 0.5, 0.35 and 0.15 by default. */
  count?: number;
  /** The split that the scene belongs to: drawn again until it does. */
  split?: Split;
}

function drawObject(random: Random, place: number): SceneObject {
  return {
    shape: random.choice(SHAPES),
    colour: random.choice(COLOURS),
    cell: [Math.floor(place / 3), place % 3],
    size: random.choice(SIZES),
    motion: random.choice(MOTIONS),
  };
}

/** Draws a scene. */
export function drawScene(random: Random, { count, split }: SceneOptions = {}): Scene {
  for (;;) {
    const n = count ?? random.weighted([1, 2, 3], [0.5, 0.35, 0.15]);
    const cells = random.permutation(9).slice(0, n);
    const objects = inReadingOrder(Array.from(cells, (cell) => drawObject(random, cell)));
    // Without motion: a still picture of a test scene must not occur in training either.
    if (split && splitOf(objectsCode(objects, false)) !== split) continue;
    // Dark enough that every colour stands out; three decimals, so that a record stays short.
    const tint = () => Math.round(random.uniform() * 250) / 1000;
    return { objects, background: { tint: [tint(), tint(), tint()], noise: random.uint32() } };
  }
}

/** A scene with one attribute of one object changed (the corruption `wrong_attribute`). */
export function changeAttribute(random: Random, objects: readonly SceneObject[], motion: boolean): SceneObject[] {
  const changed = objects.map((o) => ({ ...o }));
  const object = random.choice(changed);
  const other = <T>(list: readonly T[], not: T): T => random.choice(list.filter((x) => x !== not));
  switch (random.choice(['shape', 'colour', 'size', 'cell', ...(motion ? (['motion'] as const) : [])] as const)) {
    case 'shape':
      object.shape = other(SHAPES, object.shape);
      break;
    case 'colour':
      object.colour = other(COLOURS, object.colour);
      break;
    case 'size':
      object.size = other(SIZES, object.size);
      break;
    case 'motion':
      object.motion = other(MOTIONS, object.motion);
      break;
    case 'cell': {
      const taken = new Set(objects.map((o) => cellCode(o.cell)));
      const free = Array.from({ length: 9 }, (_, i): [number, number] => [Math.floor(i / 3), i % 3]);
      object.cell = random.choice(free.filter((c) => !taken.has(cellCode(c))));
    }
  }
  return inReadingOrder(changed);
}

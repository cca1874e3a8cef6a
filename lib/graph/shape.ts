/** Arithmetic on shapes: sizes, strides, axes, broadcasting. Shapes are static lists of non-negative integers. */
import { ShapeError } from '../errors';

export type Shape = readonly number[];

/** The number of elements; 1 for a scalar. */
export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
/** A shape as messages show it: [2, 3]. */
export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;
/** True where rank and all sizes are equal. */
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);
/** 0, 1, ..., n - 1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/** A possibly negative axis made non-negative. */
export function normalizeAxis(where: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || a < 0 || a >= rank)
    throw new ShapeError(
      where,
      `expected an axis in [${-rank}, ${rank - 1}], got ${axis}`,
      `the tensor has rank ${rank}`,
    );
  return a;
}

/** Axes as sorted, distinct, non-negative numbers; undefined means all of them. */
export function normalizeAxes(where: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return range(rank);
  const list = (typeof axes === 'number' ? [axes] : [...axes]).map((a) => normalizeAxis(where, a, rank));
  if (new Set(list).size !== list.length)
    throw new ShapeError(where, `expected distinct axes, got [${list.join(', ')}]`, 'name each axis once');
  return list.sort((a, b) => a - b);
}

/** The shape to which all of `shapes` broadcast by NumPy's rule; throws where they do not. */
export function broadcastShapes(where: string, ...shapes: Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes)
    shape.forEach((d, i) => {
      const j = rank - shape.length + i;
      if (d === 1 || d === out[j]) return;
      if (out[j] !== 1)
        throw new ShapeError(
          where,
          `expected shapes that broadcast, got ${shapes.map(showShape).join(' and ')}`,
          'axes are compared from the right; each pair must be equal, or one of the two must be 1',
        );
      out[j] = d;
    });
  return out;
}

/** The axes of `to` along which `from` was stretched (or that it lacks): those to sum over in a gradient. */
export function stretchedAxes(from: Shape, to: Shape): number[] {
  const lead = to.length - from.length;
  return range(to.length).filter((i) => i < lead || (from[i - lead] === 1 && to[i] !== 1));
}

/** Checks that every entry is a non-negative integer. */
export function checkShape(where: string, shape: Shape): void {
  if (!shape.every((d) => Number.isInteger(d) && d >= 0))
    throw new ShapeError(
      where,
      `expected a shape of non-negative integers, got ${showShape(shape)}`,
      'check the arithmetic that made it',
    );
}

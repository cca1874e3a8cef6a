/**
 * How attributes look: the colours' values, the outlines of shapes, where cells lie and how far things move. The
 * renderers draw from these tables and the oracles match against them.
 */
import type { Cell, Colour, Motion, Shape, Size } from './lexicon';

/** Red, green and blue of each colour, 0 to 1: far apart, and from every background (whose tints stay below 0.25). */
export const RGB: Record<Colour, readonly [number, number, number]> = {
  red: [0.9, 0.1, 0.12],
  orange: [1, 0.52, 0.05],
  yellow: [1, 0.93, 0.15],
  green: [0.1, 0.72, 0.18],
  cyan: [0.1, 0.88, 0.92],
  blue: [0.15, 0.28, 1],
  purple: [0.68, 0.18, 0.88],
  white: [1, 1, 1],
};

/** Radius in sides of a cell. */
export const RADIUS: Record<Size, number> = { small: 0.28, large: 0.46 };

/** How far a moving object goes during a clip, in sides of a cell; half of it before its cell's middle, half after. */
export const TRAVEL = 0.5;

/** Direction of each motion as [x, y], y downwards. */
export const DIRECTION: Record<Motion, readonly [number, number]> = {
  still: [0, 0],
  left: [-1, 0],
  right: [1, 0],
  up: [0, -1],
  down: [0, 1],
};

/** An outline's corners, as [x, y] in units of the radius, y downwards. */
type Outline = readonly (readonly [number, number])[];

/** `n` corners around the middle, the first at the top, their distances by turns from `radii`. */
const around = (n: number, radii: readonly number[], turn = 0): Outline =>
  Array.from({ length: n }, (_, i) => {
    const angle = (2 * Math.PI * (i + turn)) / n - Math.PI / 2;
    const r = radii[i % radii.length];
    return [r * Math.cos(angle), r * Math.sin(angle)] as const;
  });

const ARM = 0.33;

/** The circle is the only shape without corners. */
const OUTLINES: Record<Exclude<Shape, 'circle'>, Outline> = {
  square: around(4, [1.25], 0.5),
  // A little lower than its corners' mean, so that it fills its cell as the others do.
  triangle: around(3, [1.2]).map(([x, y]) => [x, y + 0.2] as const),
  star: around(10, [1.12, 0.46]),
  cross: [
    [-ARM, -1],
    [ARM, -1],
    [ARM, -ARM],
    [1, -ARM],
    [1, ARM],
    [ARM, ARM],
    [ARM, 1],
    [-ARM, 1],
    [-ARM, ARM],
    [-1, ARM],
    [-1, -ARM],
    [-ARM, -ARM],
  ],
};

/** No outline reaches further from its middle than this, in radii. */
export const REACH = 1.25;

/** Signed distance of a point from an outline, negative inside: nearest edge, and parity of the edges on one side. */
function distanceTo(outline: Outline, x: number, y: number): number {
  let nearest = Infinity;
  let inside = false;
  let [ax, ay] = outline[outline.length - 1];
  for (const [bx, by] of outline) {
    const [ex, ey] = [bx - ax, by - ay];
    const t = Math.max(0, Math.min(1, ((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey)));
    const [dx, dy] = [x - ax - t * ex, y - ay - t * ey];
    nearest = Math.min(nearest, dx * dx + dy * dy);
    if (ay > y !== by > y && x < ax + ((y - ay) * ex) / ey) inside = !inside;
    [ax, ay] = [bx, by];
  }
  return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
}

/** Signed distance from the edge of a shape of radius 1 around the origin, in radii. */
export const shapeDistance = (shape: Shape, x: number, y: number): number =>
  shape === 'circle' ? Math.hypot(x, y) - 1 : distanceTo(OUTLINES[shape], x, y);

/** The middle of an object as [x, y] in sides of the picture; `phase` from -0.5 (a clip's begin) to 0.5 (its end). */
export function positionOf(cell: Cell, motion: Motion, phase: number): [number, number] {
  const [dx, dy] = DIRECTION[motion];
  return [(cell[1] + 0.5 + dx * phase * TRAVEL) / 3, (cell[0] + 0.5 + dy * phase * TRAVEL) / 3];
}

/** The phase of frame `frame` of `frames`: evenly spaced, symmetric about the middle. A picture shows phase 0. */
export const phaseOf = (frame: number, frames: number): number => (frame + 0.5) / frames - 0.5;

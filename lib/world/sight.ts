/**
 * Finds the objects in frames by analysis through synthesis: every object that could be there is laid over what was
 * found so far, in the renderer's own way, and the one that explains most of the rest is taken; then each is looked at
 * again, given the others. Nothing is learned, and a rendered scene is found exactly (numbers in this folder's README).
 */
import { RGB } from './appearance';
import { COLOURS, MOTIONS, SHAPES, SIZES } from './lexicon';
import type { Cell } from './lexicon';
import { masksOf } from './masks';
import type { Mask } from './masks';
import type { SceneObject } from './scene';

/** Frames [frames, 3, side, side]. */
interface Frames {
  data: Float32Array;
  side: number;
  frames: number;
  /** Blur of the objects, in pixels of a side of 32. */
  blur: number;
}

/** An object, and how strongly it stands out: 1 as rendered, less where a picture is pale. */
interface Found {
  object: SceneObject;
  strength: number;
  /** By how much it lessens the squared error; not above 0 where it is too faint to count. */
  gain: number;
}

/** What counts as an object must stand out by this part of its due contrast. */
const FAINTEST = 0.4;
const STRONGEST = 1.15;
/** Blurs that are tried, in pixels of a side of 32 (standard deviation): generated pictures are softer than rendered ones. */
const BLURS = [0, 0.8, 1.4];
/** Objects are explained if about them no more than this multiple of the error elsewhere is left (or little at all). */
const EXPLAINED = 1.15;
const LITTLE = 0.0002;
/** A cell is looked at if it holds this part of the rest that the fullest cell holds. */
const FULLNESS = 0.02;

/** After every cell: what is asked about it sees all objects from above. */
const NOWHERE: Cell = [3, 0];

const before = (a: Cell, b: Cell): boolean => a[0] * 3 + a[1] < b[0] * 3 + b[1];

/** Lays an object over frames: into `light` its colour, where `dim` is given only by what that lets through. */
function lay({ object, strength }: Found, target: Frames, light: Float32Array, dim?: Float32Array): void {
  const { side, frames } = target;
  const pixels = side * side;
  const rgb = RGB[object.colour];
  masksOf(object, side, frames, target.blur).forEach(({ x, y, width, height, cover }, f) => {
    for (let j = 0; j < height; j++)
      for (let i = 0; i < width; i++) {
        const a = strength * cover[j * width + i];
        if (!a) continue;
        const at = (y + j) * side + x + i;
        for (let c = 0; c < 3; c++) light[(f * 3 + c) * pixels + at] += a * (rgb[c] - light[(f * 3 + c) * pixels + at]);
        if (dim) dim[f * pixels + at] *= 1 - a;
      }
  });
}

/** What is seen without the object in question: below it, through what lies above it, and what is left to explain. */
interface View {
  below: Float32Array;
  /** Part of the light from below that what lies above lets through, [frames, side, side]. */
  through: Float32Array;
  rest: Float32Array;
}

function viewOf(target: Frames, ground: readonly number[], others: readonly Found[], cell: Cell): View {
  const { data, side, frames } = target;
  const pixels = side * side;
  const below = new Float32Array(data.length);
  for (let i = 0; i < frames * 3; i++) below.fill(ground[i % 3], i * pixels, (i + 1) * pixels);
  const through = new Float32Array(frames * pixels).fill(1);
  for (const other of others) if (before(other.object.cell, cell)) lay(other, target, below);
  const shown = below.slice();
  for (const other of others) if (!before(other.object.cell, cell)) lay(other, target, shown, through);
  const rest = shown;
  for (let i = 0; i < rest.length; i++) rest[i] = data[i] - rest[i];
  return { below, through, rest };
}

/**
 * Sums over a mask's pixels, for each channel: with w the weight of the object's light, r the rest and b what lies below,
 * sum r w, sum w w, sum r w b, sum w w b, sum w w b b. The gain of any colour follows from them.
 */
function sumsOf(masks: readonly Mask[], { side }: Frames, { below, through, rest }: View): Float64Array {
  const sums = new Float64Array(15);
  const pixels = side * side;
  for (let f = 0; f < masks.length; f++) {
    const { x, y, width, height, cover } = masks[f];
    for (let j = 0; j < height; j++)
      for (let i = 0; i < width; i++) {
        const a = cover[j * width + i];
        if (!a) continue;
        const at = (y + j) * side + x + i;
        const w = a * through[f * pixels + at];
        for (let c = 0; c < 3; c++) {
          const k = (f * 3 + c) * pixels + at;
          const r = rest[k] * w;
          const b = below[k] * w;
          sums[c * 5] += r;
          sums[c * 5 + 1] += w * w;
          sums[c * 5 + 2] += r * below[k];
          sums[c * 5 + 3] += w * b;
          sums[c * 5 + 4] += b * b;
        }
      }
  }
  return sums;
}

/** The same where nothing else is near: only the ground lies below, and nothing above. */
function plainSumsOf(
  masks: readonly Mask[],
  { side }: Frames,
  rest: Float32Array,
  ground: readonly number[],
): Float64Array {
  const pixels = side * side;
  let [red, green, blue, square] = [0, 0, 0, 0];
  for (let f = 0; f < masks.length; f++) {
    const { x, y, width, height, cover } = masks[f];
    for (let j = 0; j < height; j++) {
      let k = f * 3 * pixels + (y + j) * side + x;
      for (let i = j * width; i < (j + 1) * width; i++, k++) {
        const w = cover[i];
        red += w * rest[k];
        green += w * rest[k + pixels];
        blue += w * rest[k + 2 * pixels];
        square += w * w;
      }
    }
  }
  const sums = new Float64Array(15);
  [red, green, blue].forEach((r, c) => {
    const b = ground[c];
    sums.set([r, square, r * b, square * b, square * b * b], c * 5);
  });
  return sums;
}

const near = (a: Cell, b: Cell): boolean => Math.abs(a[0] - b[0]) < 2 && Math.abs(a[1] - b[1]) < 2;

/** The object in a cell that explains most, given the others. */
function bestIn(cell: Cell, target: Frames, ground: readonly number[], others: readonly Found[]): Found {
  const view = viewOf(target, ground, others, cell);
  const alone = !others.some(({ object }) => near(object.cell, cell));
  let best: Found | undefined;
  for (const shape of SHAPES)
    for (const size of SIZES)
      for (const motion of target.frames > 1 ? MOTIONS : (['still'] as const)) {
        const base = { shape, cell: [cell[0], cell[1]] as [number, number], size, motion };
        const masks = masksOf(base, target.side, target.frames, target.blur);
        const s = alone ? plainSumsOf(masks, target, view.rest, ground) : sumsOf(masks, target, view);
        for (const colour of COLOURS) {
          // Squared error without the object less that with it: 2 strength cross - strength^2 energy.
          let cross = 0;
          let energy = 0;
          RGB[colour].forEach((v, c) => {
            cross += v * s[c * 5] - s[c * 5 + 2];
            energy += v * v * s[c * 5 + 1] - 2 * v * s[c * 5 + 3] + s[c * 5 + 4];
          });
          const strength = Math.max(FAINTEST, Math.min(STRONGEST, cross / energy));
          const gain = strength * (2 * cross - strength * energy);
          if (!best || gain > best.gain)
            best = {
              object: { ...base, colour },
              strength,
              gain: cross > FAINTEST * energy ? gain : Math.min(0, gain),
            };
        }
      }
  return best as Found;
}

/** For each pixel of each frame, the part of it that no object covers, to a distance that `blur` sets. */
function uncovered(target: Frames, objects: readonly Found[], blur: number): Float32Array {
  const free = new Float32Array(target.frames * target.side ** 2).fill(1);
  const light = new Float32Array(target.data.length);
  for (const object of objects) lay(object, { ...target, blur }, light, free);
  return free;
}

/** The ground's colour: mean of what no object covers, at first the median of everything. */
function groundOf(target: Frames, objects: readonly Found[]): number[] {
  const { data, side, frames } = target;
  const pixels = side * side;
  const free = uncovered(target, objects, target.blur);
  return [0, 1, 2].map((c) => {
    const values: number[] = [];
    for (let f = 0; f < frames; f++)
      for (let i = 0; i < pixels; i++) if (free[f * pixels + i] > 0.99) values.push(data[(f * 3 + c) * pixels + i]);
    if (objects.length && values.length) return values.reduce((a, b) => a + b, 0) / values.length;
    return Float32Array.from(values).sort()[values.length >> 1] ?? 0;
  });
}

/** Mean squared error about the objects, and elsewhere. */
function errorOf(
  target: Frames,
  ground: readonly number[],
  objects: readonly Found[],
): { here: number; elsewhere: number } {
  const { rest } = viewOf(target, ground, objects, NOWHERE);
  const free = uncovered(target, objects, 2);
  const pixels = target.side ** 2;
  const sums = [0, 0, 0, 0];
  for (let k = 0; k < rest.length; k++) {
    const far = free[Math.floor(k / (3 * pixels)) * pixels + (k % pixels)] > 0.99 ? 2 : 0;
    sums[far] += rest[k] * rest[k];
    sums[far + 1]++;
  }
  return { here: sums[0] / Math.max(1, sums[1]), elsewhere: sums[2] / Math.max(1, sums[3]) };
}

/** Cells that hold enough of the rest to be worth a look. */
function fullCells(target: Frames, ground: readonly number[], objects: readonly Found[]): Cell[] {
  const { side, frames } = target;
  const { rest } = viewOf(target, ground, objects, NOWHERE);
  const held = new Float64Array(9);
  for (let k = 0; k < rest.length; k++) {
    const [y, x] = [Math.floor((k % (side * side)) / side), k % side];
    held[Math.floor((y * 3) / side) * 3 + Math.floor((x * 3) / side)] += rest[k] * rest[k];
  }
  // In each frame of 32 x 32, the smallest object in the least contrast holds over 5.
  const least = Math.max(1.5 * frames * (side / 32) ** 2, FULLNESS * Math.max(...held));
  return Array.from(held.keys())
    .filter((i) => held[i] >= least)
    .map((i): Cell => [Math.floor(i / 3), i % 3])
    .filter((cell) => !objects.some(({ object: o }) => o.cell[0] === cell[0] && o.cell[1] === cell[1]));
}

const order = (objects: readonly Found[]): Found[] =>
  [...objects].sort((a, b) => (before(a.object.cell, b.object.cell) ? -1 : 1));

const same = (a: Found, b: Found): boolean =>
  JSON.stringify(a.object) === JSON.stringify(b.object) && Math.abs(a.strength - b.strength) < 0.02;

/** Looks at each object again, given the others, until nothing changes. */
function lookAgain(target: Frames, objects: Found[]): void {
  for (let pass = 0, changed = objects.length > 1; changed && pass < 4; pass++) {
    changed = false;
    const ground = groundOf(target, objects);
    for (const [i, old] of objects.entries()) {
      const others = objects.filter((_, j) => j !== i);
      const again = bestIn(old.object.cell, target, ground, others);
      if (again.gain <= 0 || same(again, old)) continue;
      objects[i] = again;
      changed = true;
    }
  }
}

/** Up to three objects at one blur. */
function findAt(target: Frames): { objects: Found[]; ground: readonly number[] } {
  let objects: Found[] = [];
  for (;;) {
    const ground = groundOf(target, objects);
    let best: Found | undefined;
    if (objects.length < 3)
      for (const cell of fullCells(target, ground, objects)) {
        const found = bestIn(cell, target, ground, objects);
        if (found.gain > (best?.gain ?? 0)) best = found;
      }
    if (!best) return { objects, ground };
    objects = order([...objects, best]);
    lookAgain(target, objects);
  }
}

/** Up to three objects in frames [frames, 3, side, side], in reading order. */
export function findObjects(data: Float32Array, side: number, frames: number): SceneObject[] {
  let best: Found[] = [];
  let least = Infinity;
  for (const blur of BLURS) {
    const target = { data, side, frames, blur };
    const { objects, ground } = findAt(target);
    const { rest } = viewOf(target, ground, objects, NOWHERE);
    const left = rest.reduce((sum, r) => sum + r * r, 0);
    if (left < least) [least, best] = [left, objects];
    const { here, elsewhere } = errorOf(target, ground, objects);
    if (here < EXPLAINED * elsewhere + LITTLE) break;
  }
  return best.map(({ object }) => object);
}

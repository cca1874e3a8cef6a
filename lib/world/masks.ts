/** Coverage masks: how much of each pixel an object covers, anti-aliased by its distance from the edge. */
import { RADIUS, REACH, phaseOf, positionOf, shapeDistance } from './appearance';
import type { Motion, Shape, Size } from './lexicon';

/** Coverage (0 to 1) of a rectangle of pixels of a square picture; outside of it there is none. */
export interface Mask {
  /** Left column and upper row of the rectangle. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** Row by row. */
  cover: Float32Array;
}

type Kind = readonly [number, number, Shape, Size, Motion];

function makeMask([row, column, shape, size, motion]: Kind, side: number, phase: number): Mask {
  const [cx, cy] = positionOf([row, column], motion, phase).map((p) => p * side);
  const radius = (RADIUS[size] * side) / 3;
  const bound = radius * REACH + 1;
  const x = Math.max(0, Math.floor(cx - bound));
  const y = Math.max(0, Math.floor(cy - bound));
  const width = Math.min(side, Math.ceil(cx + bound)) - x;
  const height = Math.min(side, Math.ceil(cy + bound)) - y;
  const cover = new Float32Array(width * height);
  for (let j = 0; j < height; j++)
    for (let i = 0; i < width; i++) {
      const d = shapeDistance(shape, (x + i + 0.5 - cx) / radius, (y + j + 0.5 - cy) / radius) * radius;
      cover[j * width + i] = Math.max(0, Math.min(1, 0.5 - d));
    }
  return { x, y, width, height, cover };
}

/** The mask after a Gaussian blur of standard deviation `sigma` pixels, in a larger rectangle. */
function blurred(mask: Mask, side: number, sigma: number): Mask {
  const reach = Math.ceil(2.5 * sigma);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const total = weights.reduce((a, b) => a + b, 0);
  const x = Math.max(0, mask.x - reach);
  const y = Math.max(0, mask.y - reach);
  const width = Math.min(side, mask.x + mask.width + reach) - x;
  const height = Math.min(side, mask.y + mask.height + reach) - y;
  const rows = new Float32Array(mask.height * width);
  for (let j = 0; j < mask.height; j++)
    for (let i = 0; i < width; i++)
      for (let k = -reach; k <= reach; k++) {
        const from = x + i + k - mask.x;
        if (from >= 0 && from < mask.width)
          rows[j * width + i] += (weights[k + reach] / total) * mask.cover[j * mask.width + from];
      }
  const cover = new Float32Array(width * height);
  for (let j = 0; j < height; j++)
    for (let k = -reach; k <= reach; k++) {
      const from = y + j + k - mask.y;
      if (from < 0 || from >= mask.height) continue;
      for (let i = 0; i < width; i++) cover[j * width + i] += (weights[k + reach] / total) * rows[from * width + i];
    }
  return { x, y, width, height, cover };
}

const known = new Map<string, Mask[]>();

/**
 * The masks of an object in each of `frames` frames of `side` x `side` pixels (one frame: at its cell's middle, as in a
 * picture), blurred by `blur` pixels of a side of 32. They are kept, since there are few: do not write into them.
 */
export function masksOf(
  object: { cell: readonly [number, number]; shape: Shape; size: Size; motion: Motion },
  side: number,
  frames: number,
  blur = 0,
): readonly Mask[] {
  const motion = frames === 1 ? 'still' : object.motion;
  const kind: Kind = [object.cell[0], object.cell[1], object.shape, object.size, motion];
  const key = `${kind.join(' ')} ${side} ${frames} ${blur}`;
  let masks = known.get(key);
  if (!masks) {
    const make = (phase: number): Mask => {
      const mask = makeMask(kind, side, phase);
      return blur ? blurred(mask, side, (blur * side) / 32) : mask;
    };
    if (motion === 'still') masks = new Array<Mask>(frames).fill(make(0));
    else masks = Array.from({ length: frames }, (_, f) => make(phaseOf(f, frames)));
    // Unusual sizes must not fill the memory.
    if (known.size > 4000) known.clear();
    known.set(key, masks);
  }
  return masks;
}

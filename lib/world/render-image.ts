/** The picture of a scene: a tinted, softly noisy background, and anti-aliased objects in the middle of their cells. */
import { ArgumentError } from '../errors';
import type { Picture } from '../io/media';
import { RGB } from './appearance';
import { masksOf } from './masks';
import type { Scene } from './scene';

/** Cells of the lattice of soft noise, over the picture's side. */
const LATTICE = 4;
/** Greatest departures from the tint: of the soft noise, and of the grain of single pixels. */
const SOFT = 0.04;
const GRAIN = 0.015;

/** A hash of two integers as a number in [-1, 1): the same on every machine. */
export function noiseAt(seed: number, index: number): number {
  let h = Math.imul(index + 1, 0x9e3779b1) ^ seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) | 0) / 2 ** 31;
}

/** Fills one frame [3, side, side] with the background. */
function paintBackground(out: Float32Array, { background }: Scene, side: number): void {
  const { tint, noise } = background;
  const n = LATTICE + 1;
  const lattice = Float64Array.from({ length: n * n }, (_, i) => SOFT * noiseAt(noise, i));
  for (let y = 0; y < side; y++) {
    const v = ((y + 0.5) / side) * LATTICE;
    const row = Math.floor(v);
    for (let x = 0; x < side; x++) {
      const u = ((x + 0.5) / side) * LATTICE;
      const column = Math.floor(u);
      const at = row * n + column;
      const [p, q] = [u - column, v - row];
      const soft =
        (lattice[at] * (1 - p) + lattice[at + 1] * p) * (1 - q) +
        (lattice[at + n] * (1 - p) + lattice[at + n + 1] * p) * q;
      const light = soft + GRAIN * noiseAt(noise, 1000 + y * side + x);
      for (let c = 0; c < 3; c++) out[(c * side + y) * side + x] = Math.max(0, tint[c] + light);
    }
  }
}

/** Paints a scene's frames [frames, 3, side, side]; later objects, in reading order, cover earlier ones. */
export function paintFrames(scene: Scene, side: number, frames: number): Float32Array {
  const pixels = side * side;
  const data = new Float32Array(frames * 3 * pixels);
  paintBackground(data.subarray(0, 3 * pixels), scene, side);
  for (let f = 1; f < frames; f++) data.copyWithin(f * 3 * pixels, 0, 3 * pixels);
  for (const object of scene.objects) {
    const rgb = RGB[object.colour];
    masksOf(object, side, frames).forEach(({ x, y, width, height, cover }, f) => {
      for (let c = 0; c < 3; c++)
        for (let j = 0; j < height; j++) {
          const row = (f * 3 + c) * pixels + (y + j) * side + x;
          for (let i = 0; i < width; i++) {
            const a = cover[j * width + i];
            if (a) data[row + i] += a * (rgb[c] - data[row + i]);
          }
        }
    });
  }
  return data;
}

/** @throws ArgumentError for sides that show nothing or are absurd */
export function checkSide(where: string, side: number): void {
  if (!(Number.isInteger(side) && side >= 8 && side <= 1024))
    throw new ArgumentError(
      where,
      `expected a size from 8 to 1024, got ${side}`,
      'give the side in pixels, such as 32',
    );
}

/** The picture of a scene, `size` x `size`; motion does not show. Same scene, same bytes. @throws ArgumentError */
export function renderImage(scene: Scene, { size = 48 }: { size?: number } = {}): Picture {
  checkSide('renderImage', size);
  return { width: size, height: size, data: paintFrames(scene, size, 1) };
}

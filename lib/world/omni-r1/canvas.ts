/**
 * Drawing for Omni-R1's pictures: 64x64 pixels, thought of as 8x8 cells, so that what a figure is made of (a bar's piece, a
 * tile's corner, a line's piece) fills cells and has few forms. Rectangles lie on whole pixels; discs and polygons have their edges
 * smoothed.
 */
import type { Picture } from '../../io/media';
import type { Random } from '../../nn/random';

export type Rgb = readonly [number, number, number];

export const SIDE = 64;
export const CELL = 8;
export const CELLS = SIDE / CELL;

/** Colours that questions speak of. */
export const COLOURS = {
  red: [0.85, 0.12, 0.12],
  green: [0.1, 0.6, 0.2],
  blue: [0.15, 0.3, 0.85],
  yellow: [0.95, 0.8, 0.1],
  purple: [0.55, 0.2, 0.7],
} as const satisfies Record<string, Rgb>;
export type Colour = keyof typeof COLOURS;
export const COLOUR_NAMES = Object.keys(COLOURS) as Colour[];

/** What actions draw with; no figure has it. */
export const INK: Rgb = [1, 0.35, 0.65];
/** Axes, walls, outlines. */
export const DARK: Rgb = [0.25, 0.25, 0.3];
export const GREY: Rgb = [0.6, 0.66, 0.72];
const WHITE: Rgb = [1, 1, 1];

/** Digits 0 to 9, three pixels wide and five high, rows from the top, bits from the left. */
const DIGITS = [
  [7, 5, 5, 5, 7],
  [2, 6, 2, 2, 7],
  [7, 1, 7, 4, 7],
  [7, 1, 7, 1, 7],
  [5, 5, 7, 1, 1],
  [7, 4, 7, 1, 7],
  [7, 4, 7, 5, 7],
  [7, 1, 1, 1, 1],
  [7, 5, 7, 5, 7],
  [7, 5, 7, 1, 7],
];

/** Points of a pixel's row that are asked for, and where the outermost are. */
const SAMPLES = 4;
const FIRST = 0.5 / SAMPLES;
const LAST = (SAMPLES - 0.5) / SAMPLES;

export class Canvas {
  constructor(readonly picture: Picture = { width: SIDE, height: SIDE, data: new Float32Array(3 * SIDE * SIDE) }) {}

  /** A canvas on a copy of the picture. */
  static on({ width, height, data }: Picture): Canvas {
    return new Canvas({ width, height, data: data.slice() });
  }

  private blend(x: number, y: number, colour: Rgb, share: number): void {
    const { width, height, data } = this.picture;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    for (let c = 0; c < 3; c++) {
      const at = (c * height + y) * width + x;
      data[at] += share * (colour[c] - data[at]);
    }
  }

  /** Pixels from (x0, y0) to before (x1, y1); what lies outside is left out. */
  rect(x0: number, y0: number, x1: number, y1: number, colour: Rgb): this {
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) this.blend(x, y, colour, 1);
    return this;
  }

  /** What `inside` says of points, a convex region's, with edges smoothed, within pixels (x0, y0) to (x1, y1). */
  private region([x0, y0, x1, y1]: readonly number[], inside: (x: number, y: number) => boolean, colour: Rgb): this {
    for (let y = Math.max(0, Math.floor(y0)); y < Math.min(this.picture.height, Math.ceil(y1)); y++)
      for (let x = Math.max(0, Math.floor(x0)); x < Math.min(this.picture.width, Math.ceil(x1)); x++) {
        // All points lie between the outermost four.
        const whole =
          inside(x + FIRST, y + FIRST) &&
          inside(x + LAST, y + FIRST) &&
          inside(x + FIRST, y + LAST) &&
          inside(x + LAST, y + LAST);
        let count = whole ? SAMPLES ** 2 : 0;
        for (let i = 0; i < SAMPLES && !whole; i++)
          for (let j = 0; j < SAMPLES; j++) if (inside(x + (i + 0.5) / SAMPLES, y + (j + 0.5) / SAMPLES)) count++;
        if (count) this.blend(x, y, colour, count / SAMPLES ** 2);
      }
    return this;
  }

  disc(cx: number, cy: number, radius: number, colour: Rgb): this {
    const box = [cx - radius, cy - radius, cx + radius, cy + radius];
    return this.region(box, (x, y) => (x - cx) ** 2 + (y - cy) ** 2 <= radius ** 2, colour);
  }

  /** Pointing up, in the square of the given half side about the centre. */
  triangle(cx: number, cy: number, half: number, colour: Rgb): this {
    const inside = (x: number, y: number): boolean =>
      y <= cy + half && Math.abs(x - cx) <= (y - (cy - half)) / 2 && y >= cy - half;
    return this.region([cx - half, cy - half, cx + half, cy + half], inside, colour);
  }

  /** A straight stroke, ends cut square to the axis of the longer extent. */
  line(x0: number, y0: number, x1: number, y1: number, width: number, colour: Rgb): this {
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length === 0) return this;
    const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
    const h = width / 2;
    const inside = (x: number, y: number): boolean => {
      const along = (x - x0) * ux + (y - y0) * uy;
      return along >= 0 && along <= length && Math.abs((x - x0) * uy - (y - y0) * ux) <= h;
    };
    return this.region(
      [Math.min(x0, x1) - h, Math.min(y0, y1) - h, Math.max(x0, x1) + h, Math.max(y0, y1) + h],
      inside,
      colour,
    );
  }

  /** A digit in white on a disc of one cell's size. */
  label(cx: number, cy: number, digit: number, colour: Rgb): this {
    this.disc(cx, cy, CELL / 2, colour);
    const [left, top] = [Math.round(cx) - 1, Math.round(cy) - 2];
    DIGITS[digit].forEach((row, y) => {
      for (let x = 0; x < 3; x++)
        if ((row >> (2 - x)) & 1) this.rect(left + x, top + y, left + x + 1, top + y + 1, WHITE);
    });
    return this;
  }
}

/** How much darker each row of cells is than the one above, and how much less red and more blue each column than the one before. */
const SHADE = 0.035;

/**
 * A light ground with a little tint and grain, both drawn from the stream. Light falls from above, and warm light from the left, so that
 * an image token tells its place. Nothing else does: tokens know each other by their distance, and a small model does not learn from
 * this where something lies (README.md).
 */
export function ground(random: Random): Canvas {
  const canvas = new Canvas();
  const tint = [0, 1, 2].map(() => 0.97 + 0.012 * random.uniform());
  const { data } = canvas.picture;
  // Grain needs no good random numbers, and many of them: a linear congruential generator (Numerical Recipes' constants).
  let state = random.uint32();
  for (let c = 0; c < 3; c++) {
    const columns = Array.from({ length: CELLS }, (_, i) => [i, (CELLS - 1) / 2, CELLS - 1 - i][c]);
    for (let y = 0; y < SIDE; y++) {
      const row = Math.floor(y / CELL);
      for (let x = 0; x < SIDE; x++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const steps = row + columns[Math.floor(x / CELL)];
        data[(c * SIDE + y) * SIDE + x] = Math.min(1, tint[c] - SHADE * steps + 0.03 * (state / 2 ** 32 - 0.5));
      }
    }
  }
  return canvas;
}

/** Shapes of one cell, at cell (column, row). */
export const SHAPES = ['circle', 'square', 'triangle'] as const;
export type Shape = (typeof SHAPES)[number];

export function drawShape(canvas: Canvas, shape: Shape, colour: Colour, column: number, row: number): Canvas {
  const [x, y] = [column * CELL, row * CELL];
  const rgb = COLOURS[colour];
  const [cx, cy] = [x + CELL / 2, y + CELL / 2];
  if (shape === 'circle') return canvas.disc(cx, cy, 3.2, rgb);
  if (shape === 'square') return canvas.rect(x + 1, y + 1, x + 7, y + 7, rgb);
  return canvas.triangle(cx, cy, 3.5, rgb);
}

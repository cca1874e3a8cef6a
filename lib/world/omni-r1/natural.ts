/**
 * Natural-scene perception (stands for V*): small objects strewn over a picture, and a cross among them, whose colour is asked for. The
 * step enlarges the quarter of the picture that it is in.
 */
import type { Picture } from '../../io/media';
import { executeAction, formatAction } from './actions';
import type { Action } from './actions';
import { Canvas, CELL, CELLS, COLOUR_NAMES, COLOURS, drawShape, ground, SHAPES } from './canvas';
import type { Colour, Shape } from './canvas';
import type { Generator } from './sample';

const OBJECTS = 5;
/**
 * Always a cross, two cells wide and high: a small model does not learn in minutes to find what a question names, nor one token among
 * 64 (README.md).
 */
const TARGET = 'cross';
const WIDE = 2;
/** Cells of the part that is enlarged, and where such a part may begin. */
const PART = 4;
const STARTS = [0, 4];

interface Thing {
  shape: Shape;
  colour: Colour;
  column: number;
  row: number;
}

const zoom = (x: number, y: number): Action => ({
  name: 'ZOOM-in',
  x: x / CELLS,
  y: y / CELLS,
  w: PART / CELLS,
  h: PART / CELLS,
});

/** In the square of two cells at (column, row), with a margin of a pixel: bars four pixels wide. */
function drawTarget(canvas: Canvas, colour: Colour, column: number, row: number): void {
  const [x, y] = [column * CELL, row * CELL];
  canvas.rect(x + 6, y + 1, x + 10, y + 15, COLOURS[colour]).rect(x + 1, y + 6, x + 15, y + 10, COLOURS[colour]);
}

export const findColour: Generator = (random, paint) => {
  // The target stands in one of the parts whole.
  const [column, row] = [0, 1].map(() => WIDE * random.int(CELLS / WIDE));
  const colour = random.choice(COLOUR_NAMES);
  const covered = (cell: number): boolean =>
    Math.floor((cell % CELLS) / WIDE) * WIDE === column && Math.floor(cell / CELLS / WIDE) * WIDE === row;
  const things = random
    .permutation(CELLS * CELLS)
    .filter((cell) => !covered(cell))
    .slice(0, OBJECTS)
    // In reading order: one figure has one key.
    .sort((a, b) => a - b)
    .map((cell): Thing => ({
      shape: random.choice(SHAPES),
      colour: random.choice(COLOUR_NAMES),
      column: cell % CELLS,
      row: Math.floor(cell / CELLS),
    }));
  const base = ground(paint).picture;
  const draw = (target: Colour | null): Picture => {
    const canvas = Canvas.on(base);
    for (const t of things) drawShape(canvas, t.shape, t.colour, t.column, t.row);
    if (target) drawTarget(canvas, target, column, row);
    return canvas.picture;
  };
  const image = draw(colour);
  const start = (cell: number): number => STARTS.findLast((s) => s <= cell)!;
  const action = zoom(start(column), start(row));
  const others = STARTS.flatMap((x) => STARTS.map((y) => zoom(x, y))).filter(
    (other) => formatAction(other) !== formatAction(action),
  );
  return {
    key: `find ${colour} ${column} ${row} ${things.map((t) => `${t.colour} ${t.shape} ${t.column} ${t.row}`).join()}`,
    question: `What colour is the ${TARGET}?<image>`,
    image,
    steps: [{ action, image: executeAction(image, action), of: TARGET, says: `objects: ${colour} ${TARGET}.` }],
    answer: colour,
    figure: 'objects',
    facts: [`${colour} ${TARGET}`, ...things.map((t) => `${t.colour} ${t.shape}`)],
    // The colour comes last: it is asked for.
    located: [`${TARGET} ${formatAction(action)} ${colour}`],
    predict: () => null,
    // The target in other colours, or gone, the other parts of the picture, and the picture itself.
    alternatives: () => [
      ...[...COLOUR_NAMES.filter((c) => c !== colour), null].map((c) => executeAction(draw(c), action)),
      ...others.map((other) => executeAction(image, other)),
      image,
    ],
  };
};

/**
 * Natural-scene perception (stands for V*): small objects strewn over a picture; one of them is a cross, and its colour is asked
 * for. The step enlarges the part of the picture that it is in.
 */
import type { Picture } from '../../io/media';
import { executeAction, formatAction } from './actions';
import type { Action } from './actions';
import { Canvas, CELLS, COLOUR_NAMES, drawShape, ground, SHAPES } from './canvas';
import type { Colour, Shape } from './canvas';
import type { Generator } from './sample';

const OBJECTS = 6;
/** What is looked for, always the same: a small model does not learn in minutes to look for what a question names (README.md). */
const TARGET: Shape = 'cross';
/** Cells of the part that is enlarged, and where such a part may begin. */
const PART = 4;
const STARTS = [0, 2, 4];

interface Thing {
  shape: Shape;
  colour: Colour;
  column: number;
  row: number;
}

/** The part whose middle is nearest to a cell. */
const startFor = (cell: number): number =>
  STARTS.reduce((best, s) => (Math.abs(s + 1.5 - cell) < Math.abs(best + 1.5 - cell) ? s : best));

const zoomOn = ({ column, row }: { column: number; row: number }): Action => ({
  name: 'ZOOM-in',
  x: startFor(column) / CELLS,
  y: startFor(row) / CELLS,
  w: PART / CELLS,
  h: PART / CELLS,
});

export const findColour: Generator = (random, paint) => {
  const others = SHAPES.filter((s) => s !== TARGET);
  const cells = random.permutation(CELLS * CELLS).slice(0, OBJECTS);
  const things = cells.map((cell, i): Thing => ({
    shape: i === 0 ? TARGET : random.choice(others),
    colour: random.choice(COLOUR_NAMES),
    column: cell % CELLS,
    row: Math.floor(cell / CELLS),
  }));
  const [asked] = things;
  const base = ground(paint).picture;
  const draw = (list: readonly Thing[]): Picture => {
    const canvas = Canvas.on(base);
    for (const t of list) drawShape(canvas, t.shape, t.colour, t.column, t.row);
    return canvas.picture;
  };
  const image = draw(things);
  const action = zoomOn(asked);
  const inOrder = [...things].sort((a, b) => a.row - b.row || a.column - b.column);
  const fact = ({ colour, shape }: Thing): string => `${colour} ${shape}`;
  return {
    key: `find ${inOrder.map((t) => `${t.colour} ${t.shape} ${t.column} ${t.row}`).join()}`,
    question: `What colour is the ${TARGET}?<image>`,
    image,
    steps: [{ action, image: executeAction(image, action), of: TARGET, says: `objects: ${fact(asked)}.` }],
    answer: asked.colour,
    figure: 'objects',
    facts: inOrder.map(fact),
    // The only one that its shape alone names; the colour comes last.
    located: [`${TARGET} ${formatAction(action)} ${asked.colour}`],
    predict: () => null,
    // The object in other colours, the other parts of the picture, and the picture itself.
    alternatives: () => [
      ...COLOUR_NAMES.filter((c) => c !== asked.colour).map((colour) =>
        executeAction(draw(things.map((t, i) => (i ? t : { ...t, colour }))), action),
      ),
      ...STARTS.flatMap((x) =>
        STARTS.filter(
          (y) => x / CELLS !== (action as { x: number }).x || y / CELLS !== (action as { y: number }).y,
        ).map((y) =>
          executeAction(image, { name: 'ZOOM-in', x: x / CELLS, y: y / CELLS, w: PART / CELLS, h: PART / CELLS }),
        ),
      ),
      image,
    ],
  };
};

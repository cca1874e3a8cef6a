/**
 * Diagrammatic mathematics (stands for Geometry3K and MathVista): a length, an angle, a count in a drawn figure, each made easy by
 * an auxiliary line (LINE).
 */
import { executeAction } from './actions';
import type { Action } from './actions';
import { CELL, CELLS, COLOURS, DARK, GREY, ground } from './canvas';
import type { Generator } from './sample';

const at = (cell: number): number => cell / CELLS;

/**
 * An L: a rectangle from which the top right corner is cut away. The line goes on from the inner corner to the left side; how long
 * it is, in cells, is asked for.
 */
export const cutLength: Generator = (random, paint) => {
  const [width, height] = [4 + random.int(3), 4 + random.int(3)];
  const [notchWidth, notchHeight] = [1 + random.int(width - 1), 1 + random.int(height - 1)];
  const [left, top] = [1 + random.int(CELLS - 1 - width), 1 + random.int(CELLS - 1 - height)];
  const canvas = ground(paint);
  canvas.rect(left * CELL, (top + notchHeight) * CELL, (left + width) * CELL, (top + height) * CELL, GREY);
  canvas.rect(left * CELL, top * CELL, (left + width - notchWidth) * CELL, (top + notchHeight) * CELL, GREY);
  const image = canvas.picture;
  const length = width - notchWidth;
  const [x, y] = [left, top + notchHeight];
  const horizontal = (row: number, cells: number): Action => ({
    name: 'LINE',
    x1: at(x),
    y1: at(row),
    x2: at(x + cells),
    y2: at(row),
  });
  const action = horizontal(y, length);
  const facts = [`wide ${width}`, `high ${height}`, `cut ${length}`];
  return {
    key: `cut ${left} ${top} ${width} ${height} ${notchWidth} ${notchHeight}`,
    question: 'How long is the cut?<image>',
    image,
    figure: 'shape',
    facts,
    predict: () => null,
    steps: [{ action, image: executeAction(image, action), says: `shape: cut ${length}.` }],
    answer: String(length),
    alternatives: () => [
      ...[1, 2, 3, 4, 5]
        .filter((n) => n !== length && x + n <= CELLS)
        .map((n) => executeAction(image, horizontal(y, n))),
      ...[1, 2, 3, 4, 5, 6, 7].filter((row) => row !== y).map((row) => executeAction(image, horizontal(row, length))),
      image,
    ],
  };
};

/** The ends of rays, eighths of a turn apart, seen from the vertex, on a square of four cells' side; y downwards. */
const ENDS = [
  [2, 0],
  [2, -2],
  [0, -2],
  [-2, -2],
  [-2, 0],
  [-2, 2],
  [0, 2],
  [2, 2],
] as const;

/** Two rays from a vertex; the line joins their ends. */
export const angleSize: Generator = (random, paint) => {
  const [first, eighths] = [random.int(8), 1 + random.int(3)];
  const [x, y] = [2 + random.int(5), 2 + random.int(5)];
  const end = (i: number): [number, number] => [x + ENDS[i % 8][0], y + ENDS[i % 8][1]];
  const canvas = ground(paint);
  for (const i of [first, first + eighths])
    canvas.line(x * CELL, y * CELL, end(i)[0] * CELL, end(i)[1] * CELL, 2, DARK);
  const image = canvas.picture;
  const join = (i: number, j: number): Action => {
    const [[x1, y1], [x2, y2]] = [end(i), end(j)];
    return { name: 'LINE', x1: at(x1), y1: at(y1), x2: at(x2), y2: at(y2) };
  };
  const action = join(first, first + eighths);
  const degrees = String(eighths * 45);
  return {
    key: `angle ${x} ${y} ${first} ${eighths}`,
    question: 'How wide is the angle?<image>',
    image,
    figure: 'angle',
    facts: [degrees],
    predict: () => null,
    steps: [{ action, image: executeAction(image, action), says: `angle: ${degrees}.` }],
    answer: degrees,
    alternatives: () => [
      ...ENDS.flatMap((_, i) =>
        [1, 2, 3].filter((n) => i !== first || n !== eighths).map((n) => executeAction(image, join(i, i + n))),
      ),
      image,
    ],
  };
};

/** Dots on both sides of the middle, which the line is drawn through; those on its left are counted. */
export const dotCount: Generator = (random, paint) => {
  const [left, right] = [1 + random.int(6), 1 + random.int(6)];
  const canvas = ground(paint);
  // Every other row and column, so that dots never touch each other or the line.
  const places = (side: number, count: number): number[][] =>
    random
      .permutation(12)
      .slice(0, count)
      .map((k) => [side * 4 + (k % 3) + (side ? 1 : 0), 2 * Math.floor(k / 3)]);
  const dots = [...places(0, left), ...places(1, right)];
  for (const [x, y] of dots) canvas.disc((x + 0.5) * CELL, (y + 0.5) * CELL, 3, COLOURS.blue);
  const image = canvas.picture;
  const vertical = (x: number): Action => ({ name: 'LINE', x1: at(x), y1: 0, x2: at(x), y2: 1 });
  const action = vertical(4);
  return {
    key: `dots ${dots
      .map(([x, y]) => x + y * CELLS)
      .sort((a, b) => a - b)
      .join()}`,
    question: 'How many dots are left of the middle?<image>',
    image,
    figure: 'dots',
    facts: [`left ${left}`, `right ${right}`],
    predict: () => null,
    steps: [{ action, image: executeAction(image, action), says: `dots: left ${left}.` }],
    answer: String(left),
    alternatives: () => [...[2, 3, 5, 6].map((x) => executeAction(image, vertical(x))), image],
  };
};

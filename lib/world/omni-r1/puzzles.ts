/**
 * Vision-operational tasks (stand for ViC-Bench): what a puzzle looks like after a move (PRED), and a question about that: tiles that
 * slide, blocks that are stacked, a runner in a maze.
 */
import type { Picture } from '../../io/media';
import { executeAction } from './actions';
import type { Action } from './actions';
import { Canvas, CELL, CELLS, COLOUR_NAMES, COLOURS, DARK, drawShape, ground, GREY } from './canvas';
import type { Colour } from './canvas';
import type { Draft, Generator } from './sample';

const DIRECTIONS = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const;
type Direction = keyof typeof DIRECTIONS;
const DIRECTION_NAMES = Object.keys(DIRECTIONS) as Direction[];

/** One PRED: the picture of each possible text, the true one, and what else it might have been. */
function prediction(
  image: Picture,
  states: ReadonlyMap<string, Picture>,
  text: string,
): Pick<Draft, 'steps' | 'predict' | 'alternatives'> & { says: (words: string) => void } {
  const predict = (t: string): Picture | null => states.get(t) ?? null;
  const action: Action = { name: 'PRED', text };
  const step = { action, image: executeAction(image, action, predict), says: '' };
  return {
    steps: [step],
    predict,
    alternatives: () => [...[...states].filter(([t]) => t !== text).map(([, p]) => p), image],
    says: (words) => (step.says = words),
  };
}

const TILES = 3;
/** Tiles are two cells wide; a cell of margin is around them. */
const tileAt = (i: number): number => (1 + 2 * i) * CELL;

/** "Slide up. Which tile moves?": the tile below the hole moves up into it. */
export const slideTile: Generator = (random, paint) => {
  const tiles = Array.from({ length: TILES * TILES }, () => random.choice(COLOUR_NAMES));
  const hole = random.int(TILES * TILES);
  const [holeX, holeY] = [hole % TILES, Math.floor(hole / TILES)];
  const base = ground(paint).picture;
  const draw = (list: readonly Colour[], empty: number): Picture => {
    const canvas = Canvas.on(base);
    list.forEach((colour, k) => {
      const [x, y] = [tileAt(k % TILES), tileAt(Math.floor(k / TILES))];
      if (k === empty) canvas.rect(x + 1, y + 1, x + 2 * CELL - 1, y + 2 * CELL - 1, DARK);
      else canvas.rect(x + 1, y + 1, x + 2 * CELL - 1, y + 2 * CELL - 1, COLOURS[colour]);
    });
    return canvas.picture;
  };
  const moves = new Map<string, { from: number; picture: Picture }>();
  for (const name of DIRECTION_NAMES) {
    const [dx, dy] = DIRECTIONS[name];
    const [x, y] = [holeX - dx, holeY - dy];
    if (x < 0 || y < 0 || x >= TILES || y >= TILES) continue;
    const from = y * TILES + x;
    const after = tiles.map((c, k) => (k === hole ? tiles[from] : c));
    moves.set(name, { from, picture: draw(after, from) });
  }
  const image = draw(tiles, hole);
  const move = random.choice([...moves.keys()]);
  const moved = tiles[moves.get(move)!.from];
  const { says, ...rest } = prediction(image, new Map([...moves].map(([k, m]) => [k, m.picture])), move);
  says(`tiles: ${moved}.`);
  const facts = tiles.map((c, k) => (k === hole ? 'empty' : c));
  return {
    ...rest,
    key: `slide ${facts.join()}`,
    question: `Slide ${move}. Which tile moves?<image>`,
    image,
    answer: moved,
    figure: 'tiles',
    facts,
  };
};

const STACK_COLUMNS = [1, 3, 5];
const STACK_HIGH = 5;

/** "Move 1 to 3. What is on top of 1?": the upper block of one stack goes onto another; what it leaves is asked for. */
export const moveBlock: Generator = (random, paint) => {
  const stacks = STACK_COLUMNS.map(() => Array.from({ length: 2 + random.int(3) }, () => random.choice(COLOUR_NAMES)));
  const [from, to] = random.permutation(stacks.length);
  const base = ground(paint).picture;
  const draw = (list: readonly (readonly Colour[])[]): Picture => {
    const canvas = Canvas.on(base);
    list.forEach((stack, i) =>
      stack.forEach((colour, k) => {
        const [x, y] = [STACK_COLUMNS[i] * CELL, (6 - k) * CELL];
        canvas.rect(x, y, x + CELL, y + CELL - 1, COLOURS[colour]);
      }),
    );
    canvas.rect(0, 7 * CELL, CELLS * CELL, 7 * CELL + 2, DARK);
    return canvas.picture;
  };
  const states = new Map<string, Picture>();
  stacks.forEach((stack, i) =>
    stacks.forEach((_, j) => {
      if (i === j || stacks[j].length >= STACK_HIGH) return;
      const after = stacks.map((s, k) => (k === i ? s.slice(0, -1) : k === j ? [...s, stack.at(-1)!] : s));
      states.set(`${i + 1} to ${j + 1}`, draw(after));
    }),
  );
  const image = draw(stacks);
  const text = `${from + 1} to ${to + 1}`;
  const { says, ...rest } = prediction(image, states, text);
  const answer = stacks[from].at(-2)!;
  says(`stacks: top ${answer}.`);
  return {
    ...rest,
    key: `stack ${stacks.map((s) => s.join()).join('|')}`,
    question: `Move ${text}. What is on top of ${from + 1}?<image>`,
    image,
    answer,
    figure: 'stacks',
    // From the top down.
    facts: stacks.map((s) => [...s].reverse().join(' ')),
  };
};

/** "Go right. What is reached?": the runner goes on to the first coin or, before a wall, stops; a wall all around. */
export const runMaze: Generator = (random, paint) => {
  const inner = CELLS - 2;
  const cells = new Map<number, Colour | 'wall'>();
  const key = (x: number, y: number): number => y * CELLS + x;
  const [runX, runY] = [1 + random.int(inner), 1 + random.int(inner)];
  for (const [k, cell] of random.permutation(inner * inner).entries()) {
    const [x, y] = [1 + (cell % inner), 1 + Math.floor(cell / inner)];
    if (k < 12 && (x !== runX || y !== runY)) cells.set(key(x, y), k < 8 ? random.choice(COLOUR_NAMES) : 'wall');
  }
  const base = ground(paint).picture;
  const draw = (x: number, y: number): Picture => {
    const canvas = Canvas.on(base);
    canvas.rect(0, 0, CELLS * CELL, CELL, GREY).rect(0, 7 * CELL, CELLS * CELL, CELLS * CELL, GREY);
    canvas.rect(0, CELL, CELL, 7 * CELL, GREY).rect(7 * CELL, CELL, CELLS * CELL, 7 * CELL, GREY);
    for (const [place, what] of cells) {
      const [cx, cy] = [place % CELLS, Math.floor(place / CELLS)];
      if (cx === x && cy === y) continue;
      if (what === 'wall') canvas.rect(cx * CELL, cy * CELL, (cx + 1) * CELL, (cy + 1) * CELL, GREY);
      else drawShape(canvas, 'circle', what, cx, cy);
    }
    canvas.rect(x * CELL + 1, y * CELL + 1, (x + 1) * CELL - 1, (y + 1) * CELL - 1, DARK);
    return canvas.picture;
  };
  const run = (name: Direction): { x: number; y: number; coin: string } => {
    const [dx, dy] = DIRECTIONS[name];
    let [x, y] = [runX, runY];
    for (;;) {
      const [nx, ny] = [x + dx, y + dy];
      const what = cells.get(key(nx, ny));
      if (what === 'wall' || nx < 1 || ny < 1 || nx > inner || ny > inner) return { x, y, coin: 'wall' };
      [x, y] = [nx, ny];
      if (what) return { x, y, coin: what };
    }
  };
  const image = draw(runX, runY);
  const ends = new Map(DIRECTION_NAMES.map((name) => [name as string, run(name)]));
  const move = random.choice(DIRECTION_NAMES);
  const end = ends.get(move)!;
  const states = new Map([...ends].map(([name, { x, y }]) => [name, draw(x, y)]));
  const { says, ...rest } = prediction(image, states, move);
  says(`maze: ${move} ${end.coin}.`);
  return {
    ...rest,
    key: `maze ${runX} ${runY} ${[...cells].sort(([a], [b]) => a - b).join(';')}`,
    question: `Go ${move}. What is reached?<image>`,
    image,
    answer: end.coin,
    figure: 'maze',
    facts: DIRECTION_NAMES.map((name) => `${name} ${ends.get(name)!.coin}`),
  };
};

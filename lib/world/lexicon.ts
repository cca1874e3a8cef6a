/**
 * The words of OmniWorld: for each value of an attribute, every way to say it. The grammar writes from these tables
 * and the parser reads with them, so the two cannot disagree.
 */

export const SHAPES = ['circle', 'square', 'triangle', 'star', 'cross'] as const;
export const COLOURS = ['red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple', 'white'] as const;
export const SIZES = ['small', 'large'] as const;
export const MOTIONS = ['still', 'left', 'right', 'up', 'down'] as const;

export type Shape = (typeof SHAPES)[number];
export type Colour = (typeof COLOURS)[number];
export type Size = (typeof SIZES)[number];
export type Motion = (typeof MOTIONS)[number];
/** A cell of the 3x3 grid: [row, column], each 0 to 2, from the top left. */
export type Cell = readonly [number, number];

/** Nouns. */
export const SHAPE_WORDS: Record<Shape, readonly string[]> = {
  circle: ['circle', 'disc', 'dot'],
  square: ['square', 'box', 'block'],
  triangle: ['triangle', 'wedge'],
  star: ['star', 'starburst'],
  cross: ['cross', 'plus sign'],
};

/** Words for each colour, the plainest first. */
export const COLOUR_WORDS: Record<Colour, readonly string[]> = {
  red: ['red', 'scarlet'],
  orange: ['orange', 'amber'],
  yellow: ['yellow', 'golden'],
  green: ['green', 'emerald'],
  cyan: ['cyan', 'turquoise'],
  blue: ['blue', 'azure'],
  purple: ['purple', 'violet'],
  white: ['white', 'ivory'],
};

/** Words for each size, the plainest first. */
export const SIZE_WORDS: Record<Size, readonly string[]> = {
  small: ['small', 'little', 'tiny'],
  large: ['large', 'big', 'huge'],
};

/** Participles, after a comma or "is". Silence also means still. */
export const MOTION_WORDS: Record<Motion, readonly string[]> = {
  still: ['standing still', 'at rest', 'not moving'],
  left: ['moving left', 'drifting to the left', 'sliding leftwards'],
  right: ['moving right', 'drifting to the right', 'sliding rightwards'],
  up: ['moving up', 'rising', 'climbing upwards'],
  down: ['moving down', 'falling', 'sinking downwards'],
};

const ROWS = [['top', 'upper'], ['middle'], ['bottom', 'lower']] as const;
const COLUMNS = ['left', 'middle', 'right'] as const;
const ORDINALS = ['one', 'two', 'three'] as const;

/** Every phrase for a place, by row and column. */
export const PLACE_WORDS: readonly (readonly (readonly string[])[])[] = [0, 1, 2].map((row) =>
  [0, 1, 2].map((column) => {
    const byNumber = `in row ${ORDINALS[row]} of column ${ORDINALS[column]}`;
    const side = COLUMNS[column];
    if (row === 1 && column === 1) return ['in the middle', 'in the centre', 'at the centre', byNumber];
    if (row === 1) return [`on the ${side}`, `on the ${side} side`, `in the middle of the ${side} edge`, byNumber];
    const [plain, other] = ROWS[row];
    if (column === 1)
      return [`at the ${plain}`, `in the ${plain} middle`, `in the middle of the ${other} edge`, byNumber];
    return [`in the ${plain} ${side}`, `in the ${other} ${side} corner`, `at the ${plain} on the ${side}`, byNumber];
  }),
);

/** Places in canonical captions (caption.ts), by row and column: always two words. */
export const CAPTION_PLACES: readonly (readonly string[])[] = ['top', 'middle', 'bottom'].map((row) =>
  COLUMNS.map((column) => `${row} ${column}`),
);

/** Motions in canonical captions: always one word. */
export const CAPTION_MOTIONS: Record<Motion, string> = {
  still: 'still',
  left: 'leftward',
  right: 'rightward',
  up: 'upward',
  down: 'downward',
};

/** Places told from the object before: a step of [rows, columns] to a neighbouring cell. */
export const RELATIONS: readonly { words: string; step: Cell }[] = [
  { words: 'just above it', step: [-1, 0] },
  { words: 'just below it', step: [1, 0] },
  { words: 'just to the left of it', step: [0, -1] },
  { words: 'just to the right of it', step: [0, 1] },
];

/** Statements of how many objects there are. */
export const COUNT_WORDS: readonly (readonly string[])[] = [
  ['one object', 'a single object'],
  ['two objects', 'a pair of objects'],
  ['three objects', 'a trio of objects'],
];

/** Short code of a cell, as in chess: column a to c, row 1 (top) to 3. */
export const cellCode = ([row, column]: Cell): string => `${'abc'[column]}${row + 1}`;

/** What is done to make a medium, the same words in requests and in plans. */
export const MEDIA_VERBS = {
  image: ['draw', 'paint'],
  audio: ['play', 'record'],
  video: ['film', 'animate'],
} as const;

/** Names of the media. */
export const MEDIA_NOUNS = {
  image: ['picture', 'image'],
  audio: ['sound', 'recording'],
  video: ['clip', 'video'],
} as const;

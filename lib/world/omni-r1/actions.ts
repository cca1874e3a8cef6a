/**
 * The five visual actions of Omni-R1 (paper, appendix A) as text, and what each draws. Coordinates are shares of the picture that
 * the action is applied to, from its top left corner. Every action yields exactly one picture.
 *
 *   ZOOM-in(x, y, w, h)     the part, enlarged to the whole (each pixel repeated; the paper resizes to 512x512)
 *   BBOX(x, y, w, h)        a frame around the part: two pixels, outside of it
 *   MARK(x, y, id)          a numbered disc
 *   LINE(x1, y1, x2, y2)    a stroke of two pixels
 *   PRED(text)              the next state; what it shows is the sample's to say, see `Predict`
 *
 * What lies outside of [0, 1], has no extent or is no number is a format error, as the paper has it.
 */
import { FormatError } from '../../errors';
import type { Picture } from '../../io/media';
import { Canvas, INK } from './canvas';

export const ACTIONS = ['ZOOM-in', 'BBOX', 'MARK', 'LINE', 'PRED'] as const;
export type ActionName = (typeof ACTIONS)[number];

export type Action =
  | { name: 'ZOOM-in' | 'BBOX'; x: number; y: number; w: number; h: number }
  | { name: 'MARK'; x: number; y: number; id: number }
  | { name: 'LINE'; x1: number; y1: number; x2: number; y2: number }
  | { name: 'PRED'; text: string };

/** The picture of the state that a text announces, or null where it announces none. */
export type Predict = (text: string) => Picture | null;

/** `0.125,0.5,0.125,0.375`. */
export function argumentsOf(a: Action): string {
  if (a.name === 'PRED') return a.text;
  if (a.name === 'MARK') return [a.x, a.y, a.id].join();
  if (a.name === 'LINE') return [a.x1, a.y1, a.x2, a.y2].join();
  return [a.x, a.y, a.w, a.h].join();
}

/** `BBOX(0.125,0.5,0.125,0.375)`. */
export const formatAction = (a: Action): string => `${a.name}(${argumentsOf(a)})`;

const PATTERN = /(ZOOM-in|BBOX|MARK|LINE|PRED)\(([^()]*)\)/g;
const NUMBER = /^\d*\.?\d+$/;

/** The actions in a text, in order. Throws FormatError for the first that is malformed, degenerate or out of range. */
export function parseActions(text: string): Action[] {
  return [...text.matchAll(PATTERN)].map(([whole, name, inside]) => parse(whole, name as ActionName, inside));
}

/** One action, the whole of the text. Throws FormatError. */
export function parseAction(text: string): Action {
  const found = [...text.trim().matchAll(PATTERN)];
  if (found.length !== 1 || found[0][0] !== text.trim())
    throw new FormatError(
      'action',
      `expected one action, got "${text.slice(0, 60)}"`,
      `actions are ${ACTIONS.join(', ')}`,
    );
  return parse(found[0][0], found[0][1] as ActionName, found[0][2]);
}

function parse(whole: string, name: ActionName, inside: string): Action {
  const bad = (expected: string, help: string): never => {
    throw new FormatError('action', `expected ${expected}, got ${whole.slice(0, 80)}`, help);
  };
  if (name === 'PRED') {
    const text = inside.trim();
    return text ? { name, text } : bad('a text in PRED', 'say what the next state is');
  }
  const parts = inside.split(',').map((p) => p.trim());
  const count = name === 'MARK' ? 3 : 4;
  if (parts.length !== count || parts.some((p) => !NUMBER.test(p)))
    bad(`${count} numbers`, 'coordinates lie in [0, 1]');
  const [a, b, c, d] = parts.map(Number);
  const inRange = (...values: number[]): boolean => values.every((v) => v >= 0 && v <= 1);
  if (name === 'MARK') {
    if (!inRange(a, b) || !Number.isInteger(c) || c > 9) bad('a place in [0, 1] and a digit', 'MARK(x, y, id)');
    return { name, x: a, y: b, id: c };
  }
  if (name === 'LINE') {
    if (!inRange(a, b, c, d) || (a === c && b === d)) bad('two different points in [0, 1]', 'LINE(x1, y1, x2, y2)');
    return { name, x1: a, y1: b, x2: c, y2: d };
  }
  // Rounding of decimals may lead a little beyond the edge.
  if (!inRange(a, b) || c <= 0 || d <= 0 || a + c > 1 + 1e-9 || b + d > 1 + 1e-9)
    bad('a box inside the picture with an extent', `${name}(x, y, w, h)`);
  return { name, x: a, y: b, w: c, h: d };
}

/** The action's picture. Throws FormatError for a PRED that announces no state of this sample. */
export function executeAction(before: Picture, action: Action, predict: Predict = () => null): Picture {
  const { width, height } = before;
  const px = (v: number): number => Math.round(v * width);
  const py = (v: number): number => Math.round(v * height);
  if (action.name === 'PRED') {
    const after = predict(action.text);
    if (!after)
      throw new FormatError(
        'action',
        `expected a state of this puzzle, got PRED(${action.text})`,
        'name a possible move',
      );
    return after;
  }
  if (action.name === 'ZOOM-in') return zoom(before, action.x, action.y, action.w, action.h);
  const canvas = Canvas.on(before);
  if (action.name === 'MARK') canvas.label(action.x * width, action.y * height, action.id, INK);
  else if (action.name === 'LINE')
    canvas.line(action.x1 * width, action.y1 * height, action.x2 * width, action.y2 * height, 2, INK);
  else {
    const [x0, y0, x1, y1] = [px(action.x), py(action.y), px(action.x + action.w), py(action.y + action.h)];
    canvas
      .rect(x0 - 2, y0 - 2, x1 + 2, y0, INK)
      .rect(x0 - 2, y1, x1 + 2, y1 + 2, INK)
      .rect(x0 - 2, y0, x0, y1, INK)
      .rect(x1, y0, x1 + 2, y1, INK);
  }
  return canvas.picture;
}

function zoom({ width, height, data }: Picture, x: number, y: number, w: number, h: number): Picture {
  const out = new Float32Array(data.length);
  for (let c = 0; c < 3; c++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const fromX = Math.min(width - 1, Math.floor((x + ((column + 0.5) / width) * w) * width));
        const fromY = Math.min(height - 1, Math.floor((y + ((row + 0.5) / height) * h) * height));
        out[(c * height + row) * width + column] = data[(c * height + fromY) * width + fromX];
      }
  return { width, height, data: out };
}

/**
 * Structured images (stands for ArxivQA and ChartQA): bar, pie and line charts; a value, an extreme, a sum is read off. Steps frame
 * a part (BBOX) or mark a place (MARK).
 */
import type { Picture } from '../../io/media';
import { executeAction, formatAction } from './actions';
import type { Action } from './actions';
import { Canvas, CELL, CELLS, COLOUR_NAMES, COLOURS, DARK, ground } from './canvas';
import type { Colour } from './canvas';
import type { Random } from '../../nn/random';
import type { Draft, Generator, Step } from './sample';

/** Bars stand in these columns of cells, on the axis in the last row; values are cells. */
const BAR_COLUMNS = [1, 3, 5];
const HIGHEST = 6;
const at = (cell: number): number => cell / CELLS;

interface Bar {
  colour: Colour;
  value: number;
}

function bars(random: Random, paint: Random): { list: Bar[]; image: Picture; draft: BarDraft } {
  const colours = random.permutation(COLOUR_NAMES.length).map((i) => COLOUR_NAMES[i]);
  const values = random.permutation(HIGHEST);
  const list = BAR_COLUMNS.map((_, i): Bar => ({ colour: colours[i], value: values[i] + 1 }));
  const canvas = ground(paint);
  list.forEach(({ colour, value }, i) => {
    const x = BAR_COLUMNS[i] * CELL;
    canvas.rect(x, (7 - value) * CELL, x + CELL, 7 * CELL, COLOURS[colour]);
  });
  canvas.rect(0, 7 * CELL, CELLS * CELL, 7 * CELL + 2, DARK);
  const facts = list.map((b, i) => `${i + 1} ${b.colour} ${b.value}`);
  return {
    list,
    image: canvas.picture,
    draft: {
      key: `bars ${facts.join()}`,
      image: canvas.picture,
      figure: 'bars',
      facts,
      located: list.map((b, i) => `${i + 1} ${formatAction(frame(i, b))} ${b.value}`),
      predict: () => null,
    },
  };
}
type BarDraft = Pick<Draft, 'key' | 'image' | 'figure' | 'facts' | 'located' | 'predict'>;

const frame = (i: number, { value }: Bar): Action => ({
  name: 'BBOX',
  x: at(BAR_COLUMNS[i]),
  y: at(7 - value),
  w: at(1),
  h: at(value),
});

/** "How high is bar 2?" */
export const barValue: Generator = (random, paint) => {
  const { list, image, draft } = bars(random, paint);
  const i = random.int(list.length);
  const asked = list[i];
  const actions = list.map((b, k) => frame(k, b));
  const says = `bars: ${draft.facts[i]}.`;
  return {
    ...draft,
    question: `How high is bar ${i + 1}?<image>`,
    steps: [{ action: actions[i], image: executeAction(image, actions[i]), of: String(i + 1), says }],
    answer: String(asked.value),
    alternatives: () => [...actions.filter((_, k) => k !== i).map((a) => executeAction(image, a)), image],
  };
};

/** "What is bar 3 plus bar 1?" One bar is framed, then the other too. */
export const barSum: Generator = (random, paint) => {
  const { list, image, draft } = bars(random, paint);
  const order = random.permutation(list.length);
  const steps: Step[] = [];
  for (const i of order.slice(0, 2)) {
    const action = frame(i, list[i]);
    steps.push({
      action,
      image: executeAction(steps.at(-1)?.image ?? image, action),
      of: String(i + 1),
      says: `bars: ${draft.facts[i]}.`,
    });
  }
  const [a, b] = order.map((i) => list[i]);
  return {
    ...draft,
    question: `What is bar ${order[0] + 1} plus bar ${order[1] + 1}?<image>`,
    steps,
    answer: String(a.value + b.value),
    alternatives: (step) => {
      const before = step ? steps[step - 1].image : image;
      const wrong = list.map((_, k) => k).filter((k) => k !== order[step] && !(step && k === order[0]));
      return [...wrong.map((k) => executeAction(before, frame(k, list[k]))), before];
    },
  };
};

/** "Which bar is highest?" */
export const barHighest: Generator = (random, paint) => {
  const { list, image, draft } = bars(random, paint);
  const actions = list.map((b, k): Action => ({
    name: 'MARK',
    x: at(BAR_COLUMNS[k] + 0.5),
    y: at(6.5 - b.value),
    id: 1,
  }));
  const i = list.reduce((best, b, k) => (b.value > list[best].value ? k : best), 0);
  return {
    ...draft,
    question: 'Which bar is highest?<image>',
    steps: [{ action: actions[i], image: executeAction(image, actions[i]), says: `bars: ${draft.facts[i]}.` }],
    answer: list[i].colour,
    alternatives: () => [...actions.filter((_, k) => k !== i).map((a) => executeAction(image, a)), image],
  };
};

/** Three colours on four quarters: the one that has two is the largest. */
export const pieLargest: Generator = (random, paint) => {
  const [largest, ...others] = random.permutation(COLOUR_NAMES.length).map((i) => COLOUR_NAMES[i]);
  const quarters = [largest, largest, others[0], others[1]];
  const placed = random.permutation(4).map((k) => quarters[k]);
  const canvas = ground(paint);
  const middle = (CELLS * CELL) / 2;
  placed.forEach((colour, k) => {
    const disc = Canvas.on(canvas.picture).disc(middle, middle, 3 * CELL, COLOURS[colour]).picture;
    copyQuarter(disc, canvas.picture, k);
  });
  const image = canvas.picture;
  const marks = placed.map((_, k): Action => ({
    name: 'MARK',
    x: at(k % 2 ? 4.5 : 3.5),
    y: at(k < 2 ? 3.5 : 4.5),
    id: 1,
  }));
  const i = placed.indexOf(largest);
  return {
    key: `pie ${placed.join()}`,
    question: 'Which share is largest?<image>',
    image,
    figure: 'pie',
    facts: placed,
    predict: () => null,
    steps: [{ action: marks[i], image: executeAction(image, marks[i]), says: `pie: ${largest}, ${largest}.` }],
    answer: largest,
    alternatives: () => [...marks.filter((_, k) => placed[k] !== largest).map((a) => executeAction(image, a)), image],
  };
};

/** Quarters in reading order: top left, top right, bottom left, bottom right. */
function copyQuarter(from: Picture, to: Picture, k: number): void {
  const half = to.width / 2;
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < half; y++)
      for (let x = 0; x < half; x++) {
        const place = (c * to.height + y + (k < 2 ? 0 : half)) * to.width + x + (k % 2 ? half : 0);
        to.data[place] = from.data[place];
      }
}

const frameAt = (x: number, y: number): Action => ({ name: 'BBOX', x: at(x), y: at(y), w: at(2), h: at(1) });

/** A line chart in steps, four values two cells wide each. */
function steps(random: Random, paint: Random): { values: number[]; draft: BarDraft; places: number[][] } {
  const values = Array.from({ length: 4 }, () => 1 + random.int(HIGHEST));
  const top = values.indexOf(Math.max(...values));
  // One highest value only.
  const list = values.map((v, i) => (i !== top && v === values[top] ? (v > 1 ? v - 1 : v) : v));
  if (list.filter((v) => v === list[top]).length > 1) list[top]++;
  const canvas = ground(paint);
  const y = (v: number): number => (7 - v) * CELL + 3;
  list.forEach((v, i) => {
    canvas.rect(i * 2 * CELL, y(v), (i * 2 + 2) * CELL, y(v) + 2, COLOURS.blue);
    if (i) {
      const [a, b] = [y(list[i - 1]), y(v)];
      canvas.rect(i * 2 * CELL, Math.min(a, b), i * 2 * CELL + 2, Math.max(a, b) + 2, COLOURS.blue);
    }
  });
  canvas.rect(0, 7 * CELL, CELLS * CELL, 7 * CELL + 2, DARK);
  return {
    values: list,
    places: list.map((v, i) => [i * 2, 7 - v]),
    draft: {
      key: `line ${list.join()}`,
      image: canvas.picture,
      figure: 'line',
      facts: list.map(String),
      located: list.map((v, i) => `${i + 1} ${formatAction(frameAt(i * 2, 7 - v))} ${v}`),
      predict: () => null,
    },
  };
}

/** "How high is the line at 3?" */
export const lineValue: Generator = (random, paint) => {
  const { values, draft, places } = steps(random, paint);
  const i = random.int(values.length);
  const actions = places.map(([x, y]) => frameAt(x, y));
  return {
    ...draft,
    question: `How high is the line at ${i + 1}?<image>`,
    steps: [
      {
        action: actions[i],
        image: executeAction(draft.image, actions[i]),
        of: String(i + 1),
        says: `line: ${i + 1} is ${values[i]}.`,
      },
    ],
    answer: String(values[i]),
    alternatives: () => [...actions.filter((_, k) => k !== i).map((a) => executeAction(draft.image, a)), draft.image],
  };
};

/** "What is the highest value?" */
export const linePeak: Generator = (random, paint) => {
  const { values, draft, places } = steps(random, paint);
  const i = values.indexOf(Math.max(...values));
  const actions = places.map(([x, y]): Action => ({ name: 'MARK', x: at(x + 1.5), y: at(y - 0.5), id: 1 }));
  return {
    ...draft,
    question: 'What is the highest value?<image>',
    steps: [
      { action: actions[i], image: executeAction(draft.image, actions[i]), says: `line: ${i + 1} is ${values[i]}.` },
    ],
    answer: String(values[i]),
    alternatives: () => [...actions.filter((_, k) => k !== i).map((a) => executeAction(draft.image, a)), draft.image],
  };
};

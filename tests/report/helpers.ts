/** A stand-in for the kernel's display hook, a clock that is set by hand, and small figures. */
import { barFigure, heatmapFigure, lineFigure, radarFigure, scatterFigure, type Figure } from '../../lib/report';

export interface Shown {
  data: Record<string, unknown>;
  options?: { displayId?: string; update?: boolean; metadata?: Record<string, unknown> };
}

const key = Symbol.for('omnilab.notebook');

/** Runs `body` as if in a notebook and returns what it displayed. */
export async function inNotebook(body: () => unknown): Promise<Shown[]> {
  const shown: Shown[] = [];
  const globals = globalThis as Record<symbol, unknown>;
  const before = globals[key];
  globals[key] = { display: (data: Shown['data'], options: Shown['options']) => shown.push({ data, options }) };
  try {
    await body();
  } finally {
    if (before === undefined) delete globals[key];
    else globals[key] = before;
  }
  return shown;
}

/** Runs `body` as if in a terminal and returns what it printed on stdout. */
export async function inTerminal(body: () => unknown): Promise<string> {
  const write = process.stdout.write.bind(process.stdout);
  let text = '';
  process.stdout.write = (chunk: string) => {
    text += chunk;
    return true;
  };
  try {
    await body();
  } finally {
    process.stdout.write = write;
  }
  return text;
}

/** A stream that collects lines, as a file (no TTY) or a terminal. */
export function fakeStream(isTTY: boolean): NodeJS.WriteStream & { text: string } {
  const stream = {
    isTTY,
    columns: 120,
    text: '',
    write(chunk: string) {
      stream.text += chunk;
      return true;
    },
    on: () => stream,
    removeListener: () => stream,
  };
  return stream as unknown as NodeJS.WriteStream & { text: string };
}

export const longName = 'A method with a really long name & <odd> letters | to break lines at, several times over';

export const samples: Record<string, () => Figure> = {
  line: () =>
    lineFigure({
      title: 'Loss',
      x: { title: 'Step' },
      y: { title: 'Loss', unit: 'nats', log: true },
      smoothing: 0.5,
      series: [
        { name: 'SFT', y: [4, 3, 2, 1] },
        { name: longName, y: [40, null, 2, 0.3], lower: [30, null, 1, 0.2], upper: [50, null, 3, 0.4] },
      ],
    }),
  bar: () =>
    barFigure({
      title: 'Perplexity',
      categories: ['SFT', 'DPO'],
      groups: [
        { name: 'paper', values: [1.92, null] },
        { name: 'ours', values: [2.5, 2.25], errors: [0.1, 0.2] },
      ],
      y: { title: 'Perplexity' },
    }),
  radar: () =>
    radarFigure({
      title: 'Indices',
      axes: ['Understanding', 'Generation', 'Planning and multi-step creation'],
      series: [
        { name: 'SFT', values: [0.2, 0.4, 0.6] },
        { name: 'DPO', values: [0.5, 0.7, 0.9] },
      ],
    }),
  heatmap: () =>
    heatmapFigure({
      title: 'Accuracy',
      columns: ['a', 'b', 'c'],
      rows: ['r', longName],
      values: [
        [0, 0.5, 1],
        [0.2, null, 0.4],
      ],
      valueTitle: 'Accuracy',
    }),
  scatter: () =>
    scatterFigure({
      title: 'Quality against cost',
      x: { title: 'Time', unit: 's', log: true },
      y: { title: 'Score' },
      front: { x: 'lower', y: 'higher' },
      points: [
        { name: 'SFT', x: 10, y: 0.3, group: 'supervised' },
        { name: 'DPO', x: 100, y: 0.6, yError: 0.05, group: 'preference' },
        { name: 'worse', x: 200, y: 0.5, group: 'preference' },
      ],
    }),
};

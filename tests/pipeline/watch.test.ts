/** Watched runs: the rows that a chart gets while a run is made, goes on, or is there already; and the media on its way. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { writePng } from '../../lib/io';
import { defineExperiment, run, watch } from '../../lib/pipeline';
import type { RunEvent, WatchOptions } from '../../lib/pipeline';
import { inNotebook, inTerminal } from '../report/helpers';
import type { Shown } from '../report/helpers';

const STEPS = 20;
let failAt = -1;

defineExperiment({
  name: 'toy/parent',
  module: __filename,
  schema: z.strictObject({}),
  config: () => ({}),
  run: (ctx) => Promise.resolve(ctx.log(1, { loss: 99 })).then(() => ({})),
});

defineExperiment({
  name: 'toy/painted',
  parents: ['toy/parent'],
  module: __filename,
  schema: z.strictObject({}),
  config: () => ({}),
  run: async (ctx) => {
    const start = (await ctx.checkpoint.latest())?.step ?? 0;
    for (let step = start + 1; step <= STEPS; step++) {
      if (step === failAt) throw new Error('stopped');
      if (step % 5 === 0) {
        const data = new Float32Array(3).fill(step / STEPS);
        const folder = path.join(ctx.dir, step < 15 ? `training/${step}` : `samples/step-${step}`);
        await writePng(path.join(folder, '0.png'), { width: 1, height: 1, data });
        fs.writeFileSync(path.join(folder, 'index.json'), `[{"file":"0.png","caption":"grey ${step}"}]`);
      }
      ctx.log(step, { loss: 1 / step, 'eval/shape': step / STEPS, ...(step % 5 === 0 ? { 'eval/colour': 0.5 } : {}) });
      await sleep(5);
      if (step === 10) await ctx.checkpoint.save(step, { tensors: {} });
    }
    return { steps: STEPS };
  },
});

interface Curve {
  name: string;
  x: number[];
  y: number[];
}
/** The curves of the last state of each output that is a figure, by its title. */
function figures(shown: readonly Shown[]): Record<string, Curve[]> {
  const out: Record<string, Curve[]> = {};
  for (const { data } of shown) {
    const figure = data['application/vnd.plotly.v1+json'] as
      { data: Curve[]; layout: { title: { text: string } } } | undefined;
    if (figure) out[figure.layout.title.text] = figure.data;
  }
  return out;
}

const steps = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('pipeline: watch', function () {
  const saved = { ...process.env };
  let root = '';
  let events: RunEvent[] = [];
  const charts: WatchOptions['charts'] = [
    { title: 'Loss', curves: ['loss', 'absent'], y: { title: 'loss', log: true } },
    { title: 'Scores', curves: ['eval/*'], names: { 'eval/colour': 'colour' }, y: { title: 'share', range: [0, 1] } },
  ];
  const look = (options: WatchOptions = {}) =>
    watch('toy/painted', { profile: 'smoke', charts, onProgress: (e) => void events.push(e), ...options });
  const rows = () => events.flatMap((e) => (e.kind === 'log' && e.experiment === 'toy/painted' ? [e.row.step] : []));

  beforeEach(() => {
    process.env.OMNILAB_RUNS = root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-watch-'));
    events = [];
    failAt = -1;
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true, force: true });
  });

  const check = (shown: readonly Shown[]): void => {
    const { Loss, Scores } = figures(shown);
    assert.deepEqual(Loss.map((c) => c.name), ['loss']); // prettier-ignore
    assert.deepEqual(Loss[0].x, steps(1, STEPS));
    assert.deepEqual(Loss[0].y, steps(1, STEPS).map((s) => 1 / s)); // prettier-ignore
    assert.deepEqual(Scores.map((c) => [c.name, c.x.length]), [['eval/shape', STEPS], ['colour', 4]]); // prettier-ignore
    const gallery = shown.findLast(({ data }) => String(data['text/plain']).includes('samples during training'))!;
    assert.deepEqual(
      [...String(gallery.data['text/html']).matchAll(/step \d+|grey \d+/g)]
        .map((m) => m[0])
        .filter((t, i, all) => all.indexOf(t) === i),
      [5, 10, 15, 20].flatMap((s) => [`step ${s}`, `grey ${s}`]),
    );
  };

  it('draws each row as it is logged, of this run only, and its media', async () => {
    const shown = await inNotebook(() => look());
    assert.deepEqual(rows(), steps(1, STEPS));
    check(shown);
    // One output a chart and one for the media, changed in place, and seen before the end.
    assert.equal(new Set(shown.map((s) => s.options?.displayId)).size, 3);
    assert.ok(shown.length > 6, `${shown.length} displays`);
  });

  it('goes on after an interruption with the rows of before', async () => {
    failAt = 14;
    await assert.rejects(() => inNotebook(() => look()), /stopped/);
    events = [];
    failAt = -1;
    check(await inNotebook(() => look()));
    assert.deepEqual(rows(), steps(1, STEPS));
    const start = events.findIndex((e) => e.kind === 'start' && e.experiment === 'toy/painted');
    assert.ok(start >= 0 && start < events.findIndex((e) => e.kind === 'log'));
  });

  it('shows the last state of a run that is there, and saves its charts', async () => {
    await run('toy/painted', { profile: 'smoke', onProgress: () => undefined });
    const save = { dir: path.join(root, 'figures'), name: 'loss' };
    const shown = await inNotebook(() => look({ charts: [{ ...charts[0], save }, charts[1]] }));
    assert.deepEqual(events, []);
    check(shown);
    assert.equal(new Set(shown.map((s) => s.options?.displayId)).size, 3);
    assert.deepEqual(fs.readdirSync(save.dir).sort(), ['loss.json', 'loss.png', 'loss.svg']);
  });

  it('shows some of many moments, with the first and the last; none if not asked', async () => {
    const html = (shown: readonly Shown[]) => String(shown.at(-1)!.data['text/html']);
    const two = html(await inNotebook(() => look({ charts: [], moments: 2 })));
    assert.deepEqual(two.match(/>step \d+/g), ['>step 5', '>step 20']);
    assert.equal((await inNotebook(() => look({ charts: [], samples: false }))).length, 0);
  });

  it('says in a terminal what there is', async () => {
    const text = await inTerminal(() => look());
    assert.match(text, /figure "Loss" \(1 trace\), step 20: loss 0.05/);
    assert.match(text, /step 20: picture: grey 20 \(0.png\)/);
  });
});

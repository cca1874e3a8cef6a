/** MM-DPO against a transcription of its formula, and where they meet against mDPO's own code: values and gradients. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ArgumentError, ShapeError } from '../../lib/errors';
import type { Tensor } from '../../lib/graph';
import { tensor, valueAndGrad } from '../../lib/graph';
import { defaultWeights, dpo, mmDpo, presentWeights, segmentSums } from '../../lib/losses';
import type { MmDpoInputs, MmDpoOptions, SegmentedResponses } from '../../lib/losses';
import { closeDevices, jit } from '../../lib/runtime';

type Rows = number[][];
interface Golden {
  mask: Rows;
  segments: Rows;
  rows: number[];
  present: number[];
  scores: { chosen: Rows; rejected: Rows };
  policy: { pair: Rows; corrupted: Rows };
  reference: { pair: Rows; corrupted: Rows };
  cases: {
    method: 'mmDpo' | 'mDPO';
    options: MmDpoOptions;
    value: number;
    metrics: Record<string, number>;
    gradient: { pair: number[]; corrupted: number[] };
  }[];
}

const goldens = readFileSync(path.join(process.cwd(), 'tests/goldens/data/mm-dpo.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Golden);

const close = (actual: number, expected: number, name: string): void =>
  assert.ok(
    Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
    `${name}: got ${actual}, expected ${expected}`,
  );

const ints = (rows: Rows): Tensor => tensor(rows, { dtype: 'int32' });

/** Inputs of the loss, from token log-probabilities of pairs and of the corrupted rows. */
function inputsOf(g: Golden, policy: { pair: Tensor; corrupted: Tensor }): MmDpoInputs {
  const half = g.mask.length / 2;
  const side = (from: number, logProbs: Tensor): SegmentedResponses => ({
    logProbs: logProbs.slice([from, from + half]),
    mask: ints(g.mask.slice(from, from + half)),
    segments: ints(g.segments.slice(from, from + half)),
  });
  const reference = tensor(g.reference.pair);
  const mask = ints(g.rows.map((r) => g.mask[r]));
  const other = {
    logProbs: tensor(g.reference.corrupted),
    mask,
    segments: ints(g.rows.map(() => g.mask[0].map(() => 0))),
  };
  return {
    chosen: side(0, policy.pair),
    rejected: side(half, policy.pair),
    reference: { chosen: segmentSums(side(0, reference)), rejected: segmentSums(side(half, reference)) },
    scores: { chosen: tensor(g.scores.chosen), rejected: tensor(g.scores.rejected) },
    corrupted: {
      rows: tensor(g.rows, { dtype: 'int32' }),
      present: tensor(g.present),
      responses: { logProbs: policy.corrupted, mask },
      reference: segmentSums(other).sum(-1),
    },
  };
}

describe('MM-DPO', () => {
  after(closeDevices);

  goldens.forEach((g, batch) => {
    for (const c of g.cases)
      it(`${c.method} ${JSON.stringify(c.options)}, batch ${batch}`, async () => {
        const step = jit((policy: { pair: Tensor; corrupted: Tensor }) =>
          valueAndGrad((p: typeof policy) => mmDpo(inputsOf(g, p), c.options))(policy),
        );
        const { value, grads } = await step({ pair: tensor(g.policy.pair), corrupted: tensor(g.policy.corrupted) });
        close(await value.loss.item(), c.value, 'loss');
        for (const [name, expected] of Object.entries(c.metrics)) {
          assert.ok(value.metrics[name], `no metric ${name}`);
          close(await value.metrics[name].item(), expected, name);
        }
        for (const part of ['pair', 'corrupted'] as const) {
          const gradient = await grads[part].numbers();
          assert.equal(gradient.length, c.gradient[part].length);
          gradient.forEach((v, i) => close(v, c.gradient[part][i], `${part} gradient[${i}]`));
        }
      });
  });

  const responses = (logProbs: number[], segments: number[]): SegmentedResponses => ({
    logProbs: tensor([logProbs]),
    mask: tensor([segments.map((s) => s >= 0)]),
    segments: ints([segments.map((s) => Math.max(0, s))]),
  });
  const zeros = { chosen: tensor([[0, 0, 0, 0, 0]]), rejected: tensor([[0, 0, 0, 0, 0]]) };

  it('is DPO where there is one modality and no further term', async () => {
    const chosen = responses([-1, -2, 0], [4, 4, -1]);
    const rejected = responses([-3, -1.5, -2], [4, 4, 4]);
    const own = mmDpo({ chosen, rejected, reference: zeros }, { imageWeight: 0, anchorWeight: 0, beta: 0.4 });
    const zero = { chosen: tensor([0]), rejected: tensor([0]) };
    const other = dpo({ chosen, rejected, reference: zero }, { beta: 0.4 });
    close(await own.loss.item(), await other.loss.item(), 'loss');
    close(await own.metrics['rewards/task/margins'].item(), 0.4 * 3.5, 'margin of the only segment');
    assert.equal(await own.metrics['rewards/img/margins'].item(), 0);
  });

  it('weights of what is absent go to what is present, pair by pair; with nothing present to the text', async () => {
    const lengths = { chosen: tensor([[3, 0, 0, 0, 0], [0, 0, 0, 0, 0], [2, 5, 0, 0, 0]]), rejected: tensor([[0, 0, 4, 0, 0], [0, 0, 0, 0, 0], [9, 0, 0, 0, 0]]) }; // prettier-ignore
    const weights = (await presentWeights(lengths, defaultWeights).tolist()) as number[][];
    const expected = [[2 / 3, 0, 1 / 3, 0, 0], [1, 0, 0, 0, 0], [0.6, 0.4, 0, 0, 0]]; // prettier-ignore
    weights.forEach((row, i) => row.forEach((w, m) => close(w, expected[i][m], `weight ${m} of pair ${i}`)));
  });

  it('padding may hold anything, NaN among it, and a filling row too', async () => {
    const chosen = responses([-1, -2, NaN], [0, 1, -1]);
    const rejected = responses([-4, NaN, NaN], [0, -1, -1]);
    const corrupted = {
      rows: tensor([0, 0], { dtype: 'int32' }),
      present: tensor([1, 0]),
      responses: { logProbs: tensor([[-2, -3, NaN], [NaN, NaN, NaN]]), mask: tensor([[true, true, false], [true, true, false]]) }, // prettier-ignore
      reference: tensor([0, NaN]),
    };
    const { loss, metrics } = mmDpo({ chosen, rejected, reference: zeros, corrupted }, { beta: 1, anchorWeight: 0 });
    // 0.6 (-1 + 4) + 0.4 (-2), and -3 + 5.
    close(await loss.item(), Math.log1p(Math.exp(-1)) + Math.log1p(Math.exp(-2)), 'loss');
    close(await metrics['rewards/image_margins'].item(), 2, 'image margin');
    assert.equal(await metrics.image_pairs.item(), 1);
  });

  it('no pair with an image: no image term', async () => {
    const [chosen, rejected] = [responses([-1, -2], [0, 0]), responses([-4, -1], [0, 0])];
    const corrupted = {
      rows: tensor(new Int32Array(0), { shape: [0] }),
      present: tensor(new Float32Array(0), { shape: [0] }),
      responses: { logProbs: tensor(new Float32Array(0), { shape: [0, 2] }), mask: tensor(new Float32Array(0), { shape: [0, 2] }) },
      reference: tensor(new Float32Array(0), { shape: [0] }),
    }; // prettier-ignore
    const without = await mmDpo({ chosen, rejected, reference: zeros }).loss.item();
    assert.equal(await mmDpo({ chosen, rejected, reference: zeros, corrupted }).loss.item(), without);
  });

  it('bad options and shapes are named', () => {
    const [chosen, rejected] = [responses([-1, -2], [0, 0]), responses([-4, -1], [0, 0])];
    const inputs = { chosen, rejected, reference: zeros };
    assert.throws(() => mmDpo(inputs, { beta: 0 }), ArgumentError);
    assert.throws(() => mmDpo(inputs, { weights: { ...defaultWeights, img: -1 } }), /weights.img >= 0, got -1/);
    assert.throws(() => mmDpo(inputs, { weights: { text: 0, img: 0, aud: 0, vid: 0, task: 0 } }), /a weight above 0/);
    assert.throws(() => mmDpo(inputs, { rewardMargin: 1 }), /expected scores for a reward margin of 1/);
    assert.throws(() => mmDpo({ ...inputs, reference: { ...zeros, rejected: tensor([0]) } }), ShapeError);
    assert.throws(() => mmDpo({ ...inputs, chosen: { ...chosen, segments: ints([[0]]) } }), ShapeError);
  });
});

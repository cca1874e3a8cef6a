/** Losses on preference pairs against TRL's values and gradients. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ArgumentError, ShapeError } from '../../lib/errors';
import type { Tensor } from '../../lib/graph';
import { tensor, valueAndGrad } from '../../lib/graph';
import { dpo, sequenceMeans, sequenceSums, simpo, tokenLogProbs } from '../../lib/losses';
import type { PreferenceLoss, Responses } from '../../lib/losses';
import { closeDevices, jit } from '../../lib/runtime';

interface Golden {
  shape: [number, number, number];
  ids: number[];
  mask: number[];
  policy: number[];
  reference: number[];
  cases: { loss: string; options: object; value: number; metrics: Record<string, number>; gradient: number[] }[];
}

const goldens = readFileSync(path.join(process.cwd(), 'tests/goldens/data/preference.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Golden);

const close = (actual: number, expected: number, name: string): void =>
  assert.ok(
    Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
    `${name}: got ${actual}, TRL has ${expected}`,
  );

/** The chosen and rejected halves of a batch of logits [2B, T, V]. */
function pairOf(logits: Tensor, ids: Tensor, mask: Tensor): { chosen: Responses; rejected: Responses } {
  const half = ids.shape[0] / 2;
  const side = (from: number): Responses => {
    const rows: [number, number] = [from, from + half];
    const inner = logits.slice(rows, [0, -1]);
    const next = ids.slice(rows, [1, null]);
    return { logProbs: tokenLogProbs(inner, next), mask: mask.slice(rows, [1, null]), logits: inner };
  };
  return { chosen: side(0), rejected: side(half) };
}

describe('preference losses', () => {
  after(closeDevices);

  goldens.forEach((g, batch) => {
    const [rows, time, vocab] = g.shape;
    const ids = tensor(Int32Array.from(g.ids), { shape: [rows, time] });
    const mask = tensor(Float32Array.from(g.mask), { shape: [rows, time] });
    const policy = tensor(Float32Array.from(g.policy), { shape: [rows, time, vocab] });
    const reference = tensor(Float32Array.from(g.reference), { shape: [rows, time, vocab] });
    for (const c of g.cases)
      it(`${c.loss} ${JSON.stringify(c.options)} as TRL, batch ${batch}`, async () => {
        const step = jit((p: Tensor, ref: Tensor, i: Tensor, m: Tensor) =>
          valueAndGrad((logits: Tensor): PreferenceLoss => {
            const pair = pairOf(logits, i, m);
            if (c.loss === 'simpo') return simpo(pair, c.options);
            const other = pairOf(ref, i, m);
            const sums = { chosen: sequenceSums(other.chosen), rejected: sequenceSums(other.rejected) };
            return dpo({ ...pair, reference: sums }, c.options);
          })(p),
        );
        const { value, grads } = await step(policy, reference, ids, mask);
        close(await value.loss.item(), c.value, 'loss');
        for (const [name, expected] of Object.entries(c.metrics)) {
          assert.ok(value.metrics[name], `no metric ${name}`);
          close(await value.metrics[name].item(), expected, name);
        }
        const gradient = await grads.numbers();
        assert.equal(gradient.length, c.gradient.length);
        gradient.forEach((v, i) => close(v, c.gradient[i], `gradient[${i}]`));
        assert.equal(value.losses.shape[0], rows / 2);
      });
  });

  const two = (a: number, b: number): Responses => ({
    logProbs: tensor([[a, b, NaN]]),
    mask: tensor([[true, true, false]]),
  });
  const zero = { chosen: tensor([0]), rejected: tensor([0]) };

  it('padding may hold anything, NaN among it', async () => {
    const { loss } = dpo({ chosen: two(-1, -2), rejected: two(-4, -5), reference: zero }, { beta: 0.5 });
    close(await loss.item(), Math.log1p(Math.exp(-3)), 'loss');
    assert.deepEqual(await sequenceMeans(two(-1, -2)).tolist(), [-1.5]);
  });

  it('a response without tokens has mean 0', async () => {
    const empty = { logProbs: tensor([[-3, -4]]), mask: tensor([[0, 0]]) };
    assert.deepEqual(await sequenceMeans(empty).tolist(), [0]);
  });

  it('stays finite far from the origin', async () => {
    const pair = { chosen: two(-4000, -4000), rejected: two(-1, -1) };
    close(await dpo({ ...pair, reference: zero }, { beta: 1 }).loss.item(), 7998, 'dpo');
    close(await simpo(pair, { beta: 1, gamma: 0 }).loss.item(), 3999, 'simpo');
  });

  it('the two conventions of the margin agree', async () => {
    const pair = { chosen: two(-1, -2), rejected: two(-2, -3) };
    const one = await simpo(pair, { beta: 2.5, gamma: 1.25 }).loss.item();
    assert.equal(await simpo(pair, { beta: 2.5, gammaBetaRatio: 0.5 }).loss.item(), one);
    assert.equal(await simpo(pair).loss.item(), await simpo(pair, { beta: 2, gamma: 0.5 }).loss.item());
  });

  it('bad options and shapes are named', () => {
    const pair = { chosen: two(-1, -2), rejected: two(-2, -3) };
    const inputs = { ...pair, reference: zero };
    assert.throws(() => dpo(inputs, { beta: 0 }), ArgumentError);
    assert.throws(() => dpo(inputs, { labelSmoothing: 0.5 }), /labelSmoothing in \[0, 0.5\), got 0.5/);
    assert.throws(() => dpo(inputs, { labelSmoothing: 0.1, variant: 'ipo' }), /no label smoothing with ipo/);
    assert.throws(() => dpo(inputs, { variant: 'kto' as never }), /expected a variant among sigmoid.*got "kto"/);
    assert.throws(() => dpo({ ...inputs, reference: { ...zero, chosen: tensor([0, 0]) } }), ShapeError);
    assert.throws(() => simpo(pair, { gamma: 1, gammaBetaRatio: 0.5 }), /got both/);
    assert.throws(() => simpo(pair, { sftWeight: -1 }), ArgumentError);
    assert.throws(() => sequenceSums({ logProbs: tensor([[0, 0]]), mask: tensor([0, 0]) }), ShapeError);
  });
});

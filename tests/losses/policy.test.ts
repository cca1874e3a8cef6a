/** Policy-gradient losses, group advantages and their parts against TRL's and verl's values and gradients. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ArgumentError, ShapeError } from '../../lib/errors';
import type { Tensor } from '../../lib/graph';
import { grad, tensor, valueAndGrad } from '../../lib/graph';
import {
  aggregate,
  discountedReturns,
  groupAdvantages,
  klEstimate,
  overlongPenalty,
  policyLoss,
  tokenAdvantages,
  tokenEntropies,
  tokenLogProbs,
} from '../../lib/losses';
import type { PolicyInputs, PolicyLoss, PolicyOptions } from '../../lib/losses';
import { closeDevices, jit } from '../../lib/runtime';

interface LossGolden {
  kind: 'loss';
  shape: [number, number, number];
  ids: number[];
  mask: number[];
  policy: number[];
  old: number[];
  reference: number[];
  advantages: number[];
  rowAdvantages: number[];
  cases: {
    source: string;
    case: { perToken?: boolean; fresh?: boolean };
    options: PolicyOptions;
    value: number;
    metrics: Record<string, number>;
    gradient: number[];
  }[];
}
interface ValuesGolden {
  kind: 'advantages' | 'tokens' | 'overlong';
  shape: number[];
  rewards: number[];
  mask: number[];
  cases: { source?: string; options: object; value: number[] & number; returns?: number[]; length: number }[];
}
type Golden = LossGolden | ValuesGolden;

const goldens = readFileSync(path.join(process.cwd(), 'tests/goldens/data/policy.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Golden);
const ofKind = (kind: ValuesGolden['kind']): ValuesGolden[] =>
  goldens.filter((g): g is ValuesGolden => g.kind === kind);

const close = (actual: number, expected: number, name: string): void =>
  assert.ok(
    Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
    `${name}: got ${actual}, expected ${expected}`,
  );
async function closeAll(actual: Tensor, expected: readonly number[], name: string): Promise<void> {
  const values = await actual.numbers();
  assert.equal(values.length, expected.length);
  values.forEach((v, i) => close(v, expected[i], `${name}[${i}]`));
}
const floats = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor(Float32Array.from(values), { shape });

describe('policy-gradient losses', () => {
  after(closeDevices);

  for (const [batch, g] of goldens.entries()) {
    if (g.kind !== 'loss') continue;
    const [rows, time, vocab] = g.shape;
    const flat = [rows, time];
    const ids = tensor(Int32Array.from(g.ids), { shape: flat });
    for (const c of g.cases)
      it(`${c.source} ${JSON.stringify(c.case)}, batch ${batch}`, async () => {
        const inputs: Omit<PolicyInputs, 'logProbs'> = {
          mask: floats(g.mask, flat),
          refLogProbs: floats(g.reference, flat),
          advantages:
            c.source === 'verl' || c.case.perToken ? floats(g.advantages, flat) : floats(g.rowAdvantages, [rows]),
          ...(c.case.fresh ? {} : { oldLogProbs: floats(g.old, flat) }),
        };
        const step = jit((policy: Tensor, rest: typeof inputs, i: Tensor) =>
          valueAndGrad((logits: Tensor): PolicyLoss => {
            const own = { logProbs: tokenLogProbs(logits, i), entropies: tokenEntropies(logits) };
            return policyLoss({ ...rest, ...own }, c.options);
          })(policy),
        );
        const { value, grads } = await step(floats(g.policy, g.shape), inputs, ids);
        close(await value.loss.item(), c.value, 'loss');
        for (const [name, expected] of Object.entries(c.metrics)) {
          assert.ok(value.metrics[name], `no metric ${name}`);
          close(await value.metrics[name].item(), expected, name);
        }
        await closeAll(grads, c.gradient, 'gradient');
        assert.equal(vocab * rows * time, c.gradient.length);
      });
  }

  for (const g of ofKind('advantages'))
    for (const c of g.cases)
      it(`${c.source} advantages ${g.shape.join('x')} ${JSON.stringify(c.options)}`, async () =>
        closeAll(groupAdvantages(floats(g.rewards, g.shape), c.options), c.value, 'advantage'));

  for (const g of ofKind('tokens'))
    for (const c of g.cases)
      it(`token advantages ${g.shape.join('x')} ${JSON.stringify(c.options)} ${c.source ?? ''}`, async () => {
        const [rewards, mask] = [floats(g.rewards, g.shape), floats(g.mask, g.shape)];
        await closeAll(tokenAdvantages(rewards, mask, c.options), c.value, 'advantage');
        if (c.returns)
          await closeAll(discountedReturns(rewards, mask, (c.options as { gamma: number }).gamma), c.returns, 'return');
      });

  it("overlong shaping as verl's", () => {
    const [{ cases }] = ofKind('overlong');
    for (const { options, length, value } of cases)
      assert.equal(overlongPenalty(length, options as Parameters<typeof overlongPenalty>[1]), value || 0);
    assert.throws(() => overlongPenalty(3, { maxLength: 8, buffer: 9 }), /buffer in \(0, 8\], got 9/);
  });

  it('what stands outside of the mask has no effect on loss and gradient', async () => {
    const mask = tensor([
      [true, true, false],
      [false, false, false],
    ]);
    const loss = (logProbs: Tensor, filling: number): PolicyLoss =>
      policyLoss(
        {
          logProbs,
          mask,
          advantages: tensor([
            [1, -2, filling],
            [filling, filling, filling],
          ]),
          oldLogProbs: tensor([
            [-1.1, -2.5, filling],
            [filling, filling, filling],
          ]),
          refLogProbs: tensor([
            [-1.5, -2, filling],
            [filling, filling, filling],
          ]),
        },
        { kl: { beta: 0.1 } },
      );
    const at = (filling: number): Tensor =>
      tensor([
        [-1, -2, filling],
        [filling, filling, filling],
      ]);
    const clean = loss(at(0), 0);
    const dirty = loss(at(NaN), NaN);
    assert.equal(await dirty.loss.item(), await clean.loss.item());
    for (const [name, metric] of Object.entries(clean.metrics))
      assert.equal(await dirty.metrics[name].item(), await metric.item(), name);
    const gradient = await grad((x: Tensor) => loss(x, NaN).loss)(at(NaN)).numbers();
    assert.ok(gradient.every(Number.isFinite));
    assert.deepEqual([...gradient.slice(2)], [0, 0, 0, 0]);
  });

  it('a batch without a token gives 0, not NaN', async () => {
    const zeros = tensor([[0, 0]]);
    const empty = { logProbs: tensor([[-1, -2]]), advantages: tensor([1]), mask: zeros, refLogProbs: zeros };
    for (const mode of ['token-mean', 'seq-mean-token-mean', 'seq-mean-token-sum'] as const) {
      const { loss, metrics } = policyLoss(empty, { kl: { beta: 1 }, aggregation: { mode } });
      assert.equal(await loss.item(), 0);
      assert.equal(await metrics.kl.item(), 0);
    }
  });

  it('parts of a batch add up with a divisor of their own', async () => {
    const values = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const mask = tensor([
      [1, 1, 1],
      [1, 0, 0],
    ]);
    const whole = await aggregate(values, mask).item();
    const part = (row: number): Promise<number> =>
      aggregate(values.slice([row, row + 1]), mask.slice([row, row + 1]), { of: 4 }).item();
    assert.equal((await part(0)) + (await part(1)), whole);
    assert.equal(whole, 2.5);
  });

  it('rewards that are masked or NaN get advantage 0 and do not count', async () => {
    const expected = await groupAdvantages(tensor([[1, 3]])).tolist();
    const some = groupAdvantages(tensor([[1, 9, 3]]), { mask: tensor([[true, false, true]]) });
    assert.deepEqual(await some.tolist(), [[(expected as number[][])[0][0], 0, (expected as number[][])[0][1]]]);
    assert.deepEqual(await groupAdvantages(tensor([[1, NaN, 3]])).tolist(), await some.tolist());
  });

  it('correction 0 is the std over n', async () =>
    closeAll(groupAdvantages(tensor([[0, 2]]), { correction: 0, epsilon: 0 }), [-1, 1], 'advantage'));

  it('without epsilon a group without variance has advantage 0, not NaN', async () => {
    const rewards = tensor([
      [0.5, 0.5],
      [0, 2],
    ]);
    await closeAll(groupAdvantages(rewards, { epsilon: 0, correction: 0 }), [0, 0, -1, 1], 'advantage');
    // Means of these are rounded.
    for (const n of [3, 6, 7])
      for (let k = 1; k < 30; k++) {
        const flat = tensor([Array.from({ length: n }, () => k / 30)]);
        await closeAll(groupAdvantages(flat, { epsilon: 0 }), new Array<number>(n).fill(0), `${n} times ${k}/30`);
      }
    const ends = tensor([[[0, 0.5]], [[0, 1]]]);
    const mask = tensor([[[1, 1]], [[0, 1]]]);
    await closeAll(tokenAdvantages(ends, mask, { epsilon: 0 }), [0, 0, 0, 0], 'advantage');
  });

  it('weights scale the policy term, not the KL', async () => {
    const one = tensor([[-1]]);
    const inputs = { logProbs: one, advantages: tensor([2]), mask: tensor([[1]]), refLogProbs: tensor([[-2]]) };
    const plain = await policyLoss(inputs, { kl: { beta: 1, estimator: 'k1' } }).loss.item();
    const halved = await policyLoss(
      { ...inputs, weights: tensor([[0.5]]) },
      { kl: { beta: 1, estimator: 'k1' } },
    ).loss.item();
    assert.deepEqual([plain, halved], [-1, 0]);
  });

  it('bad options and shapes are named', () => {
    const t = tensor([[-1, -2]]);
    const inputs = { logProbs: t, advantages: tensor([1]), mask: tensor([[1, 1]]) };
    assert.throws(() => policyLoss(inputs, { dualClip: 1 }), /dualClip > 1, got 1/);
    assert.throws(() => policyLoss(inputs, { delta: 1.1 }), /delta > 1.2, got 1.1/);
    assert.throws(() => policyLoss(inputs, { clipLow: 2 }), ArgumentError);
    assert.throws(() => policyLoss(inputs, { kl: { beta: 0.1 } }), /expected refLogProbs, got none/);
    assert.throws(() => policyLoss(inputs, { entropyCoefficient: 0.1 }), /expected entropies, got none/);
    assert.throws(() => policyLoss({ ...inputs, advantages: tensor([1, 2]) }), ShapeError);
    assert.throws(() => klEstimate(t, t, 'k4' as never), /expected an estimator among k1, k2, k3, got "k4"/);
    assert.throws(() => aggregate(t, t, { mode: 'mean' as never }), /expected a mode among/);
    assert.throws(() => aggregate(t, tensor([1, 1])), ShapeError);
    assert.throws(() => groupAdvantages(tensor([1, 2])), /reshape rewards/);
    assert.throws(() => groupAdvantages(t, { epsilon: -1 }), /epsilon >= 0/);
    assert.throws(() => discountedReturns(t, t, 0), /gamma in \(0, 1\], got 0/);
    assert.throws(() => discountedReturns(t, tensor([1])), ShapeError);
    assert.throws(() => tokenAdvantages(t, t), /expected rewards \[groups, n, T\]/);
  });
});

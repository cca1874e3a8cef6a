/** Bootstrap intervals, RKP, dominance, win rates, divergence from a reference. */
import assert from 'node:assert/strict';
import { bootstrap, dominates, logitsKl, nonDominated, policyDrift, rewardKlPareto, winRate } from '../../lib/eval';
import { tensor } from '../../lib/graph';
import { llamaInit, llamaSizes } from '../../lib/models/llama';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';

const close = (a: number, b: number, eps = 1e-9): void => assert.ok(Math.abs(a - b) < eps, `${a}, not ${b}`);

describe('statistics of the evaluation', () => {
  after(closeDevices);

  it('the interval of a mean is the normal one, for many samples', () => {
    const random = new Random(3, 'values');
    const values = Array.from({ length: 400 }, () => 2 + 0.5 * random.normal());
    const mean = (rows: readonly number[]): number => rows.reduce((n, i) => n + values[i], 0) / rows.length;
    const { value, low, high } = bootstrap(400, (rows) => ({ m: mean(rows) }), { draws: 2000 }).m;
    const m = mean(values.map((_, i) => i));
    const error = Math.sqrt(values.reduce((n, v) => n + (v - m) ** 2, 0)) / 400;
    assert.equal(value, m);
    close(low, m - 1.96 * error, 0.15 * error);
    close(high, m + 1.96 * error, 0.15 * error);
  });

  it('is paired: a difference that is the same everywhere has no width', () => {
    const a = Array.from({ length: 50 }, (_, i) => i ** 2);
    const mean = (rows: readonly number[], of: (i: number) => number): number =>
      rows.reduce((n, i) => n + of(i), 0) / rows.length;
    const found = bootstrap(50, (rows) => ({ d: mean(rows, (i) => a[i] + 1) - mean(rows, (i) => a[i]), a: mean(rows, (i) => a[i]) }), { draws: 200 }); // prettier-ignore
    close(found.d.low, 1, 1e-6);
    close(found.d.high, 1, 1e-6);
    assert.ok(found.a.high - found.a.low > 100);
  });

  it('draws within strata, and the same again', () => {
    const strata = Array.from({ length: 20 }, (_, i) => (i < 5 ? 'few' : 'many'));
    let draws = 0;
    const once = bootstrap(
      20,
      (rows) => {
        draws++;
        assert.equal(rows.filter((i) => i < 5).length, 5);
        return { sum: rows.reduce((a, b) => a + b, 0) };
      },
      { draws: 50, strata },
    );
    assert.equal(draws, 51);
    assert.deepEqual(
      bootstrap(20, (rows) => ({ sum: rows.reduce((a, b) => a + b, 0) }), { draws: 50, strata }),
      once,
    );
    for (const count of [0, NaN, 2.5]) assert.throws(() => bootstrap(count, () => ({})), /expected samples/);
    assert.throws(() => bootstrap(3, () => ({}), { draws: 2.5 }), /expected samples, draws/);
    for (const level of [0, 1, 95]) assert.throws(() => bootstrap(3, () => ({}), { level }), /level between 0 and 1/);
  });

  it('RKP, win rate, dominance', () => {
    close(rewardKlPareto({ reward: 0.7, drift: 0.09 }, { reward: 0.6 }), 1);
    assert.ok(rewardKlPareto({ reward: 0.5, drift: 1 }, { reward: 0.6 }) < 0);
    assert.throws(() => rewardKlPareto({ reward: 1, drift: -1 }, { reward: 0 }), /0 or more/);
    close(winRate([1, 0.5, 0.2, 0.9], [0.5, 0.5, 0.3, 0.1]), 2.5 / 4);
    assert.throws(() => winRate([1], []), /as many rewards/);
    assert.throws(() => winRate([1, NaN], [0, 0]), /got NaN/);
    const better = { ppl: 'lower', aci: 'higher' } as const;
    assert.ok(dominates({ ppl: 1, aci: 2 }, { ppl: 1, aci: 1 }, better));
    assert.ok(!dominates({ ppl: 1, aci: 2 }, { ppl: 1, aci: 2 }, better));
    assert.throws(() => dominates({ ppl: 1 }, { ppl: 1, aci: 1 }, better), /a value of aci/);
    // The card's own table 1: the non-dominated methods are SimPO and MM-DPO.
    const table = { SFT: [1.92, 0.931, 0.817, 0.747], DPO: [2.32, 0.919, 0.917, 0.688], SimPO: [1.75, 0.939, 0.817, 0.781], GRPO: [8048, 0.158, 0.9, 0.58], 'MM-DPO': [2.3, 0.92, 0.917, 0.714] }; // prettier-ignore
    const points = Object.fromEntries(Object.entries(table).map(([m, [ppl, cmts, aci, novelAvg]]) => [m, { ppl, cmts, aci, novelAvg }])); // prettier-ignore
    assert.deepEqual(nonDominated(points, { ppl: 'lower', cmts: 'higher', aci: 'higher', novelAvg: 'higher' }), ['SimPO', 'MM-DPO']); // prettier-ignore
  });

  it('divergence: none from itself, the textbook value otherwise, over response tokens', async () => {
    const p = [0.5, 0.25, 0.25];
    const q = [0.25, 0.25, 0.5];
    const kl = await logitsKl(tensor([p.map(Math.log)]), tensor([q.map((x) => 3 + Math.log(x))])).item();
    close(kl, 0.25 * Math.LN2, 1e-6);
    const config = { ...llamaSizes.nano, vocabSize: 16, maxLength: 64 };
    const [a, b] = [llamaInit(new Random(0), config), llamaInit(new Random(1), config)];
    const examples = [5, 9, 30].map((n) => ({
      ids: Array.from({ length: n }, (_, t) => (t * 7) % 16),
      mask: Array.from({ length: n }, (_, t) => Number(t >= 3)),
    }));
    const same = await policyDrift(a, a, config, examples, { batchSize: 2 });
    assert.deepEqual(same.map((d) => d.tokens), [2, 6, 27]); // prettier-ignore
    same.forEach((d) => close(d.drift, 0, 1e-5));
    const whole = await policyDrift(a, b, config, examples, { batchSize: 2 });
    const single = await policyDrift(a, b, config, [examples[1]], { batchSize: 1 });
    assert.ok(whole[1].drift > 1e-5);
    close(whole[1].drift, single[0].drift, 1e-5);
  });
});

/** Warped distributions against a plain definition, and draws from them. */
import assert from 'node:assert/strict';
import { draw, restrict, warp } from '../../lib/generate';
import type { SamplingOptions } from '../../lib/generate';
import { Random } from '../../lib/nn';

/** The definition: sort all tokens, cut, normalise. */
function plain(logits: Float32Array, { temperature = 1, topK = logits.length, topP = 1 }: SamplingOptions): number[] {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const weights = order.slice(0, topK).map((i) => Math.exp(logits[i] / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  const kept: number[] = [];
  for (let sum = 0; sum < topP && kept.length < weights.length; sum += weights[kept.length - 1] / total)
    kept.push(weights[kept.length]);
  const rest = kept.reduce((a, b) => a + b, 0);
  const out = new Array<number>(logits.length).fill(0);
  kept.forEach((w, i) => (out[order[i]] = w / rest));
  return out;
}

describe('sampling', () => {
  const random = new Random(7, 'logits');
  const logits = random.normals(50).map((x) => 2 * x);
  const dense = (o: SamplingOptions, row = logits): number[] => {
    const out = new Array<number>(row.length).fill(0);
    const { ids, probabilities } = warp(row, o);
    probabilities.forEach((p, i) => (out[ids[i]] += p));
    return out;
  };

  const cases: SamplingOptions[] = [
    {},
    { temperature: 0.5 },
    { temperature: 2.5 },
    { topK: 1 },
    { topK: 7 },
    { topK: 500 },
    { topP: 0.1 },
    { topP: 0.5 },
    { topP: 0.93 },
    { topP: 1e-9 },
    { topP: 1 - 1e-9 },
    { temperature: 1.6, topK: 20, topP: 0.7 },
  ];
  for (const o of cases)
    it(`${JSON.stringify(o)} is the warped distribution, and draws follow it`, () => {
      const expected = plain(logits, o);
      dense(o).forEach((p, i) => assert.ok(Math.abs(p - expected[i]) < 1e-9, `token ${i}: ${p}, not ${expected[i]}`));
      const stream = new Random(3, JSON.stringify(o));
      const n = 20000;
      const seen = new Array<number>(logits.length).fill(0);
      const distribution = warp(logits, o);
      for (let i = 0; i < n; i++) seen[draw(distribution, stream.uniform())]++;
      let chi2 = 0;
      let free = -1;
      // Rare tokens are counted together.
      let [restSeen, restExpected] = [0, 0];
      expected.forEach((p, i) => {
        if (p === 0) assert.equal(seen[i], 0);
        else if (p * n < 5) [restSeen, restExpected] = [restSeen + seen[i], restExpected + p * n];
        else {
          chi2 += (seen[i] - p * n) ** 2 / (p * n);
          free++;
        }
      });
      if (restExpected > 5) {
        chi2 += (restSeen - restExpected) ** 2 / restExpected;
        free++;
      }
      assert.ok(chi2 <= free + 4 * Math.sqrt(2 * Math.max(free, 0)) + 1e-9, `chi-square ${chi2}, ${free} degrees`);
    });

  it('temperature 0 takes the first of the most probable', () => {
    assert.deepEqual(dense({ temperature: 0 }, Float32Array.of(1, 3, 3, -Infinity)), [0, 1, 0, 0]);
  });

  it('equals at the limit of top-k: the smaller ids stay', () => {
    assert.deepEqual(dense({ topK: 2 }, Float32Array.of(0, 2, 2, 2)), [0, 0.5, 0.5, 0]);
    assert.deepEqual(dense({ topK: 3 }, Float32Array.of(5, 5, 5, 5)), [1 / 3, 1 / 3, 1 / 3, 0]);
  });

  it('tokens without any probability are never drawn, at the ends of the unit interval either', () => {
    const d = warp(Float32Array.of(-Infinity, 0, 0, -Infinity), {});
    assert.equal(draw(d, 0), 1);
    assert.equal(draw(d, 1 - 2 ** -53), 2);
  });

  it('a restriction is the same whatever the order of its ids, and however often one is named', () => {
    const row = Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i));
    for (const options of [{}, { temperature: 0.7, topP: 0.8 }, { topK: 2 }]) {
      const expected = restrict(row, [2, 5, 6, 11], options);
      for (const ids of [
        [11, 6, 5, 2],
        [2, 2, 5, 6, 11],
        [5, 2, 11, 6, 11, 5],
      ])
        assert.deepEqual(restrict(row, ids, options), expected);
      assert.ok(Array.from(expected.ids).every((id) => [2, 5, 6, 11].includes(id)));
    }
  });
});

/** Responses of several turns: the tokens that were drawn, and what the environment put between them. */
import assert from 'node:assert/strict';
import { rollouts, stretches } from '../../lib/generate';
import { llamaInit } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';

const config = {
  vocabSize: 8,
  width: 16,
  layers: 1,
  heads: 2,
  kvHeads: 2,
  hidden: 32,
  maxLength: 128,
  ropeBase: 10000,
  normEpsilon: 1e-5,
  tieEmbeddings: false,
};
const model = { params: llamaInit(new Random(2), config), config };
const END = 1;
const REPLY = [2, 3, END, 4];
const prompts = [[5, 6], [6], [7, 7, 5, 6], [5]].map((ids) => ({ ids }));
const options = { end: END, maxTurns: 3, maxNewTokens: 12, maxLength: 40, seed: 3, reply: () => REPLY };

describe('rollouts', () => {
  after(closeDevices);

  it('hold the very tokens that were drawn, and whose they are', async () => {
    const asked: number[][] = [];
    const all = await rollouts(model, prompts, { ...options, reply: (_, turn) => (asked.push([...turn]), REPLY) });
    assert.ok(all.some((r) => r.turns === 3) && asked.length > 2, JSON.stringify(all.map((r) => r.turns)));
    for (const [i, { tokens, own, logProbs, turns, finish }] of all.entries()) {
      assert.deepEqual([own.length, logProbs.length], [tokens.length, tokens.length]);
      assert.ok(logProbs.every((p, t) => (own[t] ? p < 0 : p === 0)));
      assert.ok(prompts[i].ids.length + tokens.length <= 40);
      const parts = stretches({ own });
      assert.equal(parts.filter((s) => s.own).length, turns);
      parts.forEach(({ own: mine, from, to }, k) => {
        const part = tokens.slice(from, to);
        assert.equal(mine, k % 2 === 0);
        if (!mine) assert.deepEqual(part, REPLY);
        else if (k < parts.length - 1 || finish === 'stop') assert.equal(part.indexOf(END), part.length - 1);
        else assert.ok(!part.includes(END) || finish === 'max-length');
      });
    }
  });

  it('depend on neither the batch nor the order of rows', async () => {
    const streams = prompts.map((_, i) => `row ${i}`);
    const all = await rollouts(model, prompts, { ...options, streams });
    const back = await rollouts(model, [...prompts].reverse(), {
      ...options,
      streams: [...streams].reverse(),
      maxBatch: 2,
    });
    assert.deepEqual(
      back.reverse().map((r) => r.tokens),
      all.map((r) => r.tokens),
    );
  });

  it('end where the environment has nothing to say, or no room is left', async () => {
    const once = await rollouts(model, prompts, { ...options, reply: () => null });
    assert.ok(once.every((r) => r.turns === 1 && r.own.every(Boolean)));
    const short = await rollouts(model, prompts, { ...options, maxLength: 8 });
    for (const [i, r] of short.entries())
      assert.ok(prompts[i].ids.length + r.tokens.length <= 8 && (r.finish !== 'stop' || r.turns === 3));
    await assert.rejects(rollouts(model, prompts, { ...options, maxTurns: 0 }), /maxTurns of at least 1, got 0/);
  });
});

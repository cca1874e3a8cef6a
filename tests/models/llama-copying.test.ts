/** Copying heads: a model that has learned nothing continues what was said before. */
import assert from 'node:assert/strict';
import { ArgumentError, tensor } from '../../lib';
import { llama, llamaInit, llamaSizes, withCopyingHeads } from '../../lib/models';
import type { LlamaParams } from '../../lib/models';
import { Random } from '../../lib/nn';

const config = { ...llamaSizes['4m'], vocabSize: 500, maxLength: 128 };
const rows = 4;
const length = 40;

/** Share of right guesses in the second of two equal halves of random tokens, from its second token on. */
async function copies(params: LlamaParams, seed: number): Promise<number> {
  const random = new Random(seed);
  const ids = Int32Array.from({ length: rows * 2 * length }, () => 0);
  for (let r = 0; r < rows; r++) {
    const list = random.permutation(config.vocabSize).slice(0, length);
    ids.set(list, r * 2 * length);
    ids.set(list, r * 2 * length + length);
  }
  const guesses = await llama(params, config, { ids: tensor(ids, { shape: [rows, 2 * length] }) })
    .argMax(-1)
    .numbers();
  let right = 0;
  for (let r = 0; r < rows; r++)
    for (let t = length; t < 2 * length - 1; t++)
      right += Number(guesses[r * 2 * length + t] === ids[r * 2 * length + t + 1]);
  return right / (rows * (length - 1));
}

describe('models: LLaMA that begins with copying heads', () => {
  it('continues a sequence that it has seen before, untrained', async () => {
    for (const seed of [0, 1, 2]) {
      const plain = llamaInit(new Random(seed, 'init'), config);
      const copying = withCopyingHeads(new Random(seed, 'copying'), plain, config);
      const share = await copies(copying, seed);
      assert.ok(share > 0.6, `seed ${seed}: ${share}`);
      assert.ok((await copies(plain, seed)) < 0.05);
    }
  });

  it('refuses models that have no room for them', () => {
    for (const change of [{ layers: 2 }, { heads: 8, kvHeads: 4 }, { tieEmbeddings: true }]) {
      const other = { ...llamaSizes.nano, layers: 3, ...change };
      assert.throws(() => withCopyingHeads(new Random(0), llamaInit(new Random(0), other), other), ArgumentError);
    }
  });
});

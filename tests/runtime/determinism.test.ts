/**
 * The same step from the same start gives the same bits, with several threads at work, and sums at repeated indices
 * are whole.
 */
import assert from 'node:assert/strict';
import { gradients, tensor, tensorsOf, zeros } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { tokenLogProbs } from '../../lib/losses';
import { llama, llamaInit, llamaSizes } from '../../lib/models';
import type { LlamaParams } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';

describe('determinism', function () {
  after(closeDevices);

  for (const [rows, width] of [
    [1024, 256],
    [4096, 256],
  ])
    it(`adds ${rows} rows of ${width} at eight places without losing one`, async () => {
      const rng = new Random(1);
      const at = Int32Array.from({ length: rows }, () => rng.int(8));
      const counts = Array.from({ length: 8 }, (_, i) => at.filter((x) => x === i).length);
      const add = jit((i: Tensor, u: Tensor) => zeros([2048, width]).scatterAdd(i, u).slice([0, 8]));
      const [i, u] = [tensor(at), tensor(new Float32Array(rows * width).fill(1), { shape: [rows, width] })];
      for (let k = 0; k < 12; k++) {
        const sums = await (await add(i, u)).numbers();
        for (let row = 0; row < 8; row++)
          for (let c = 0; c < width; c++)
            assert.equal(sums[row * width + c], counts[row], `run ${k}, row ${row}, column ${c}`);
      }
    });

  it('adds at distinct places the same way, promised or not', async () => {
    const rng = new Random(4);
    const [base, at, update] = [
      tensor(rng.normals(300), { shape: [20, 15] }),
      tensor(Int32Array.from(rng.permutation(20).slice(0, 6)), { shape: [2, 3] }),
      tensor(rng.normals(90), { shape: [2, 3, 15] }),
    ];
    const plain = await base.scatterAdd(at, update).data();
    assert.deepEqual(await base.scatterAdd(at, update, 0, { unique: true }).data(), plain);
    const sideways = base.transpose().scatterAdd(at, update.transpose([2, 0, 1]), 1, { unique: true });
    assert.deepEqual(await sideways.transpose().data(), plain);
  });

  it('a training step repeats to the last bit', async () => {
    const config = { ...llamaSizes['4m'], layers: 1 };
    const params = llamaInit(new Random(2), config);
    const rng = new Random(3);
    const ids = tensor(
      Int32Array.from({ length: 1024 }, () => rng.int(50)),
      { shape: [8, 128] },
    );
    const step = jit((p: LlamaParams, x: Tensor) => {
      const loss = tokenLogProbs(llama(p, config, { ids: x }), x)
        .mean()
        .neg();
      const all = tensorsOf(p).map(({ tensor }) => tensor);
      return { loss, grads: gradients(loss, all) };
    });
    const run = async (): Promise<Buffer[]> => {
      const out = await step(params, ids);
      return Promise.all([out.loss, ...out.grads].map(async (t) => Buffer.from((await t.data()).slice().buffer)));
    };
    const first = await run();
    for (let k = 0; k < 6; k++) {
      const again = await run();
      again.forEach((bytes, i) =>
        assert.ok(bytes.equals(first[i]), `run ${k}, ${i ? tensorsOf(params)[i - 1].path : 'loss'}`),
      );
    }
  });
});

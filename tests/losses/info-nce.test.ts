/** The contrastive loss against PyTorch's value and gradients. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ShapeError } from '../../lib/errors';
import { tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { infoNce } from '../../lib/losses';
import { closeDevices, jit } from '../../lib/runtime';
import { assertClose, param, valuesOf } from '../nn/golden';

const goldens = Object.fromEntries(
  readFileSync(path.join(process.cwd(), 'tests/goldens/data/imagebind.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { case: string; values: Record<string, number[]> })
    .map((r) => [r.case, r.values]),
);
const unit = (x: Tensor): Tensor => x.div(x.square().sum(-1, true).sqrt());

describe('the contrastive loss', () => {
  after(closeDevices);
  const pairs = Array.from({ length: 36 }, (_, i) => [3, 18, 17, 7].includes(i));

  for (const [name, ignore] of [
    ['infoNce', undefined],
    // The diagonal (1, 1) is asked for too, and counts all the same.
    ['infoNce.ignore', tensor(Uint8Array.from(pairs, Number), { shape: [6, 6] })],
  ] as const)
    it(`${name}: value, accuracy and gradients as PyTorch`, async () => {
      const leaves = { a: param('infoNce.a', [6, 5]), b: param('infoNce.b', [6, 5]), scale: tensor(Math.log(7)) };
      const step = jit((p: typeof leaves) =>
        valueAndGrad((q: typeof leaves) => infoNce(unit(q.a), unit(q.b), { scale: q.scale.exp(), ignore }))(p),
      );
      const { value, grads } = await step(leaves);
      const found = await valuesOf({ ...value, 'd.a': grads.a, 'd.b': grads.b, 'd.scale': grads.scale });
      assert.deepEqual(Object.keys(found).sort(), Object.keys(goldens[name]).sort());
      for (const [key, values] of Object.entries(found)) assertClose(values, goldens[name][key], `${name}: ${key}`);
    });

  it('the right partners give accuracy 1 and little loss, equal vectors log N', async () => {
    const eye = tensor(Array.from({ length: 4 }, (_, i) => Array.from({ length: 4 }, (_, j) => Number(i === j))));
    const right = infoNce(eye, eye, { scale: 30 });
    assert.ok((await right.loss.item()) < 1e-6);
    assert.equal(await right.accuracy.item(), 1);
    const same = tensor(new Float32Array(16).fill(0.5), { shape: [4, 4] });
    assertClose([await infoNce(same, same, { scale: 30 }).loss.item()], [Math.log(4)], 'loss');
  });

  it('lists of other shapes are named', () => {
    const x = tensor([[1, 0]]);
    assert.throws(() => infoNce(x, tensor([[1, 0, 0]]), { scale: 1 }), ShapeError);
    assert.throws(() => infoNce(x, x, { scale: 1, ignore: tensor([[true, false]]) }), /pairs to ignore \[N, N\]/);
  });
});

/** What heads of Chameleon begin with: which tokens they take something from. */
import assert from 'node:assert/strict';
import { ArgumentError } from '../../lib/errors';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { chameleonInit, chameleonSizes, imageLookBacks, withLookBack } from '../../lib/models';
import type { LlamaParams } from '../../lib/models';
import { llamaHidden } from '../../lib/models/llama';
import { Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';

describe('Chameleon: heads that look back', () => {
  after(closeDevices);
  const config = {
    ...chameleonSizes['1m'],
    vocabSize: 90,
    width: 32,
    layers: 1,
    heads: 1,
    kvHeads: 1,
    hidden: 32,
  };
  const drawn = chameleonInit(new Random(3, 'uses'), config);
  const time = 80;
  const tokens = Int32Array.from({ length: time }, (_, t) => 1 + ((t * 37) % 83));

  /** By how much the state at the last token changes with another token at `at`. */
  async function influence(params: LlamaParams, at: readonly number[]): Promise<number[]> {
    const rows = [tokens, ...at.map((t) => tokens.map((id, k) => (k === t ? 88 : id)))];
    const ids = tensor(Int32Array.from(rows.flatMap((r) => [...r])), { shape: [rows.length, time] });
    const states = jit((p: LlamaParams, ids: Tensor) => llamaHidden(p, config, { ids }).slice(null, [time - 1, time]));
    const values = Array.from((await (await states(params, ids)).data()) as Float32Array);
    const row = (i: number): number[] => values.slice(i * 32, (i + 1) * 32);
    return at.map((_, i) => Math.hypot(...row(i + 1).map((v, d) => v - row(0)[d])));
  }

  it('take from the token at their offset', async () => {
    const at = Array.from({ length: time - 1 }, (_, t) => t);
    for (const offset of [1, 7, 40]) {
      const changes = await influence(withLookBack(drawn, config, [{ layer: 0, head: 0, offset }]), at);
      const place = time - 1 - offset;
      const others = changes.filter((_, t) => t !== place);
      assert.ok(
        changes[place] > 5 * Math.max(...others),
        `${offset}: ${changes[place]} against ${Math.max(...others)}`,
      );
    }
  });

  it('are given to the heads that there are', () => {
    const of = (layers: number, heads: number): string =>
      imageLookBacks({ ...config, layers, heads, kvHeads: heads }, 8, 85)
        .map((h) => `${h.layer}.${h.head}:${h.offset}`)
        .join();
    assert.equal(of(4, 4), '0.0:84,0.1:85,1.0:84,0.2:7,0.3:1,2.0:2,2.1:4');
    assert.equal(of(2, 2), '0.0:84,0.1:85,1.0:84');
    assert.equal(of(1, 1), '0.0:84');
  });

  it('name heads and offsets that cannot be', () => {
    assert.throws(() => withLookBack(drawn, config, [{ layer: 1, head: 0, offset: 3 }]), ArgumentError);
    assert.throws(() => withLookBack(drawn, config, [{ layer: 0, head: 0, offset: -3 }]), ArgumentError);
    assert.throws(() => withLookBack(drawn, config, [{ layer: 0, head: 1, offset: 3 }]), ArgumentError);
  });
});

/** LLaMA against transformers' LlamaForCausalLM with the same weights; checkpointing; learning a short text. */
import assert from 'node:assert/strict';
import { arange, concat, flattenTree, tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { crossEntropy } from '../../lib/losses';
import { llama, llamaHidden, llamaInit, llamaLogits } from '../../lib/models';
import type { LlamaConfig, LlamaParams } from '../../lib/models';
import {
  accumulate,
  adamW,
  adamWInit,
  adamWScalars,
  clipFactor,
  embedding,
  maskedPositions,
  paddingMask,
  Random,
} from '../../lib/nn';
import type { AdamWScalars, AdamWState } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { assertClose, assertGolden, golden, ints, valuesOf } from '../nn/golden';
import { goldenLlama, nextTokenLoss, tinyConfig } from './golden-llama';

describe('LLaMA against transformers', () => {
  after(closeDevices);
  const ids = ints('llama.ids', [2, 7], 19);

  for (const [name, config] of [
    ['llama', tinyConfig],
    ['llama.grouped-tied', { ...tinyConfig, kvHeads: 2, tieEmbeddings: true }],
  ] as const)
    it(`${name}: logits, loss and gradients`, async () => {
      const params = goldenLlama(config);
      const step = jit((p: LlamaParams) => {
        const { value, grads } = valueAndGrad((q: LlamaParams) => nextTokenLoss(q, config, ids))(p);
        return { loss: value, logits: llama(p, config, { ids }), grads };
      });
      const { loss, logits, grads } = await step(params);
      const found = flattenTree(grads);
      const wanted = Object.keys(golden(name)).filter((k) => k.startsWith('d.'));
      assert.equal(wanted.length, 9);
      await assertGolden(name, { loss, logits, ...Object.fromEntries(wanted.map((k) => [k, found[k.slice(2)]])) });
    });

  it('a batch padded on the left', async () => {
    const config = { ...tinyConfig, kvHeads: 2 };
    const mask = tensor([
      [1, 1, 1, 1, 1, 1, 1],
      [0, 0, 0, 1, 1, 1, 1],
    ]);
    const logits = llama(goldenLlama(config), config, {
      ids,
      positions: maskedPositions(mask),
      mask: paddingMask(mask),
    });
    await assertGolden('llama.padded', { first: logits.slice(0), second: logits.slice(1, [3, 7]) });
  });
});

describe('LLaMA', () => {
  after(closeDevices);
  const ids = ints('llama.ids', [2, 7], 19);

  it('embeddings in the place of ids, and hidden states before logits, give the same', async () => {
    const params = goldenLlama(tinyConfig);
    const embeddings = embedding(params.model.embed_tokens, ids);
    const v = await valuesOf({
      ids: llama(params, tinyConfig, { ids }),
      embeddings: llamaLogits(params, llamaHidden(params, tinyConfig, { embeddings })),
    });
    assert.deepEqual(v.embeddings, v.ids);
  });

  it('no token sees a later one', async () => {
    const params = goldenLlama(tinyConfig);
    const other = concat([ids.slice(null, [0, 4]), ids.slice(null, [4, 7]).add(1).mod(19)], 1);
    const v = await valuesOf({
      a: llama(params, tinyConfig, { ids }).slice(null, [0, 4]),
      b: llama(params, tinyConfig, { ids: other }).slice(null, [0, 4]),
      later: llama(params, tinyConfig, { ids: other }).slice(null, [4, 7]),
      laterBefore: llama(params, tinyConfig, { ids }).slice(null, [4, 7]),
    });
    assertClose(v.a, v.b, 'logits before the change', 1e-6);
    assert.ok(v.later.some((x, i) => Math.abs(x - v.laterBefore[i]) > 1e-2));
  });

  it('checkpointed blocks give the same loss and gradients', async () => {
    const params = goldenLlama(tinyConfig);
    const of = async (checkpointBlocks: boolean): Promise<Record<string, Float64Array>> => {
      const config = { ...tinyConfig, checkpointBlocks };
      const step = jit((p: LlamaParams) => valueAndGrad((q: LlamaParams) => nextTokenLoss(q, config, ids))(p));
      const { value, grads } = await step(params);
      return valuesOf({ value, ...flattenTree(grads) });
    };
    const [plain, again] = [await of(false), await of(true)];
    assert.deepEqual(Object.keys(again), Object.keys(plain));
    for (const key of Object.keys(plain)) assertClose(again[key], plain[key], key, 1e-6);
  });

  it('the second engine computes the same loss and gradients', async () => {
    const params = goldenLlama(tinyConfig);
    const of = async (device: string): Promise<Record<string, Float64Array>> => {
      const step = jit((p: LlamaParams) => valueAndGrad((q: LlamaParams) => nextTokenLoss(q, tinyConfig, ids))(p), {
        device,
      });
      const { value, grads } = await step(params);
      return valuesOf({ value, ...flattenTree(grads) });
    };
    const [ort, tfjs] = [await of('cpu'), await of('tfjs')];
    for (const key of Object.keys(ort)) assertClose(tfjs[key], ort[key], key);
  });

  it('accumulation over parts with checkpointed blocks gives the gradient of the whole batch', async () => {
    const config = { ...tinyConfig, checkpointBlocks: true };
    const loss = (p: LlamaParams, b: { ids: Tensor }): Tensor => nextTokenLoss(p, config, b.ids);
    const whole = valueAndGrad(loss)(goldenLlama(config), { ids });
    const parts = await jit(accumulate(loss, 2))(goldenLlama(config), { ids });
    const expected = await valuesOf({ loss: whole.value, ...flattenTree(whole.grads) });
    const found = await valuesOf({ loss: parts.value.loss, ...flattenTree(parts.grads) });
    for (const key of Object.keys(expected)) assertClose(found[key], expected[key], key, 1e-6);
  });

  it('initial values: names of the published checkpoints, a loss of a uniform guess', async () => {
    const params = llamaInit(new Random(3, 'llama'), tinyConfig);
    const shapes = (p: LlamaParams): unknown => Object.entries(flattenTree(p)).map(([k, t]) => [k, t.shape]);
    assert.deepEqual(shapes(params), shapes(goldenLlama(tinyConfig)));
    const loss = await nextTokenLoss(params, tinyConfig, ids).item();
    assert.ok(Math.abs(loss - Math.log(19)) < 0.05, `loss ${loss}, log 19 = ${Math.log(19)}`);
  });

  it('bad arguments are named', () => {
    const params = goldenLlama(tinyConfig);
    assert.throws(() => llama(params, tinyConfig, {}), /ids or embeddings, got neither/);
    assert.throws(
      () => llama(params, tinyConfig, { ids, embeddings: embedding(params.model.embed_tokens, ids) }),
      /got both/,
    );
    assert.throws(() => llama(params, tinyConfig, { ids: arange(7) }), /expected ids \[B, T\]/);
    assert.throws(() => llama(params, tinyConfig, { ids: ints('long', [1, 33], 19) }), /at most 32 tokens, got 33/);
    assert.throws(() => llama(params, tinyConfig, { ids, mask: ids }), /expected a bool mask, got int32/);
    for (const wrong of [{ heads: 3 }, { heads: 16, kvHeads: 16 }, { kvHeads: 3 }])
      assert.throws(() => llamaInit(new Random(1), { ...tinyConfig, ...wrong }), /llamaInit: expected heads/);
  });

  it('learns a short text by heart', async () => {
    const text = Array.from(Buffer.from('to be, or not to be, that is the question'), (c) => c % 32);
    const config: LlamaConfig = { ...tinyConfig, vocabSize: 32, width: 32, hidden: 64, kvHeads: 2, maxLength: 64 };
    const batch = tensor(Int32Array.from(text), { shape: [1, text.length] });
    const step = jit(
      (p: LlamaParams, state: AdamWState<LlamaParams>, scalars: AdamWScalars<Tensor>) => {
        const { value, grads } = valueAndGrad((q: LlamaParams) => nextTokenLoss(q, config, batch))(p);
        const { factor } = clipFactor(grads, 1);
        return { loss: value, ...adamW(p, grads, state, scalars, { factor }) };
      },
      { donate: [0, 1], name: 'overfit' },
    );
    let params = llamaInit(new Random(7, 'llama'), config);
    let state = adamWInit(params);
    const losses: number[] = [];
    for (let i = 1; i <= 80; i++) {
      const out = await step(params, state, adamWScalars(i, 0.01));
      ({ params, state } = out);
      losses.push(await out.loss.item());
    }
    // The text's own unigram entropy bounds what can be reached without looking at the context.
    const counts = new Map<number, number>();
    for (const c of text.slice(1)) counts.set(c, (counts.get(c) ?? 0) + 1);
    const n = text.length - 1;
    const unigram = [...counts.values()].reduce((h, k) => h - (k / n) * Math.log(k / n), 0);
    assert.ok(losses[0] > unigram, `first loss ${losses[0]}, unigram entropy ${unigram}`);
    assert.ok(losses[79] < 0.1 * unigram, `last loss ${losses[79]}, unigram entropy ${unigram}`);
    assert.ok((await crossEntropyAtEnd(params, config, batch)) < 0.1 * unigram);
  });
});

/** The trained parameters, evaluated outside of the step that made them. */
const crossEntropyAtEnd = (p: LlamaParams, c: LlamaConfig, ids: Tensor): Promise<number> => {
  const time = ids.shape[1];
  const logits = llama(p, c, { ids }).slice(null, [0, time - 1]);
  return crossEntropy(logits, ids.slice(null, [1, time]), tensor(1).expand([1, time - 1])).loss.item();
};

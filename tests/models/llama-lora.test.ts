/** LoRA on LLaMA against PEFT: outputs, gradients, merged weights, names; what is frozen stays so. */
import assert from 'node:assert/strict';
import { flattenTree, gradients, tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { llama, llamaInit } from '../../lib/models';
import type { LlamaParams } from '../../lib/models';
import { fromPeftNames, linear, loraInit, mergeLora, Random, toPeftNames, unmergeLora, withLora } from '../../lib/nn';
import type { LoraAdapter, LoraConfig } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { assertClose, assertGolden, golden, goldenNames, ints, param, valuesOf } from '../nn/golden';
import { goldenLlama, nextTokenLoss, tinyConfig } from './golden-llama';

describe('LoRA on LLaMA', () => {
  after(closeDevices);
  const config = { ...tinyConfig, kvHeads: 2 };
  const lora: LoraConfig = { rank: 3, alpha: 6, targets: ['q_proj', 'v_proj', 'down_proj'] };
  const ids = ints('llama.ids', [2, 7], 19);
  const base = goldenLlama(config);
  const fresh = (): LoraAdapter => loraInit(new Random(2, 'lora'), base, lora);
  /** The adapter of the golden script: values by PEFT's names. */
  const trained = (): LoraAdapter =>
    fromPeftNames(
      Object.fromEntries(
        Object.entries(toPeftNames(fresh())).map(([name, t]) => [name, param(`lora.${name}`, t.shape, 0.25)]),
      ),
    );

  it("has PEFT's names", () => {
    assert.deepEqual(Object.keys(toPeftNames(fresh())).sort(), goldenNames('lora.names'));
  });

  it('gives its outputs and gradients', async () => {
    const step = jit((adapter: LoraAdapter) => {
      const loss = (a: LoraAdapter): Tensor => nextTokenLoss(withLora(base, a, lora), config, ids);
      const { value, grads } = valueAndGrad(loss)(adapter);
      return { loss: value, logits: llama(withLora(base, adapter, lora), config, { ids }), grads };
    });
    const { loss, logits, grads } = await step(trained());
    const named = toPeftNames(grads);
    const wanted = Object.keys(golden('lora')).filter((k) => k.startsWith('d.'));
    assert.equal(wanted.length, 6);
    await assertGolden('lora', { loss, logits, ...Object.fromEntries(wanted.map((k) => [k, named[k.slice(2)]])) });
  });

  it('merges to the same outputs, and unmerges to the base', async () => {
    const merged = mergeLora(base, trained(), lora);
    await assertGolden('lora.merged', {
      logits: llama(merged, config, { ids }),
      weight: merged.model.layers[0].self_attn.q_proj.weight,
    });
    const back = await valuesOf(flattenTree(unmergeLora(merged, trained(), lora)));
    const before = await valuesOf(flattenTree(base));
    for (const key of Object.keys(before)) assertClose(back[key], before[key], key, 1e-6);
  });

  it('adds the update to the weight or to the product, as is cheaper, with the values of the formula', async () => {
    const [inputs, outputs, rank, scale] = [8, 6, 4, 1.5];
    const p = {
      W: param('order.W', [outputs, inputs]),
      A: param('order.A', [rank, inputs]),
      B: param('order.B', [outputs, rank]),
    };
    const formula = (q: typeof p, x: Tensor): Tensor =>
      x.matMul(q.W.transpose()).add(x.matMul(q.A.transpose()).matMul(q.B.transpose()).mul(scale));
    const layer = (q: typeof p, x: Tensor): Tensor => linear({ weight: q.W, lora: { A: q.A, B: q.B, scale } }, x);
    // Apart: half the operations for 2 rows, three times as many for 60.
    for (const rows of [2, 60]) {
      const x = param(`order.x${rows}`, [rows, inputs]);
      const both = [formula, layer].map((f) =>
        valueAndGrad((q: typeof p & { x: Tensor }) => f(q, q.x).square().mean())({ ...p, x }),
      );
      const [wanted, got] = await Promise.all(both.map(({ value, grads }) => valuesOf({ value, ...grads })));
      for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], `${rows} rows, ${key}`, 1e-5);
    }
    const products = (rows: number): number =>
      jit((x: Tensor) => layer(p, x))
        .lower(param('order.x', [rows, inputs]))
        .program.nodes.filter((n) => n.op === 'matMul').length;
    assert.deepEqual([products(2), products(60)], [3, 2]);
  });

  it('starts at the base', async () => {
    const v = await valuesOf({
      base: llama(base, config, { ids }),
      adapted: llama(withLora(base, fresh(), lora), config, { ids }),
    });
    assert.deepEqual(v.adapted, v.base);
    const { A, B } = Object.values(fresh())[0];
    const ab = await valuesOf({ A, B });
    const bound = 1 / Math.sqrt(A.shape[1]);
    assert.ok(ab.B.every((x) => x === 0) && ab.A.every((x) => Math.abs(x) <= bound) && ab.A.some((x) => x !== 0));
  });

  it('trains the adapter alone: at the start B gets gradients, A and the base none', async () => {
    const step = valueAndGrad((a: LoraAdapter) => nextTokenLoss(withLora(base, a, lora), config, ids));
    const { grads } = step(fresh());
    assert.deepEqual(Object.keys(grads).sort(), Object.keys(fresh()).sort());
    const { A, B } = grads['model.layers.1.self_attn.v_proj'];
    const v = await valuesOf({ A, B });
    assert.ok(v.A.every((x) => x === 0) && v.B.some((x) => Math.abs(x) > 1e-4));
    // A program that trains the adapter has no gradient of the size of the frozen weights: only their values come in.
    const frozen = base.model.layers[0].mlp.gate_proj.weight;
    const adapter = fresh();
    const leaves = Object.values(adapter).flatMap((l) => [l.A, l.B]);
    const loss = nextTokenLoss(withLora(base, adapter, lora), config, ids);
    const products = (wrt: Tensor[]): number =>
      jit(() => gradients(loss, wrt))
        .lower()
        .program.nodes.filter((n) => n.op === 'matMul' && n.types[0].shape.join() === frozen.shape.join()).length;
    assert.equal(products(leaves), 0);
    assert.equal(products([...leaves, frozen]), 1);
  });

  it('survives a round trip through names and values', async () => {
    const before = await valuesOf(toPeftNames(trained()));
    const after = await valuesOf(toPeftNames(fromPeftNames(toPeftNames(trained()))));
    assert.deepEqual(after, before);
  });

  it('adapts the output layer, and refuses embeddings', () => {
    const head: LoraConfig = { rank: 2, alpha: 2, targets: ['lm_head'] };
    const adapter = loraInit(new Random(1), base, head);
    assert.deepEqual(Object.keys(adapter), ['lm_head']);
    const tokens: LoraConfig = { ...head, targets: ['embed_tokens'] };
    const wrong = withLora(base, loraInit(new Random(1), base, tokens), tokens);
    assert.throws(() => llama(wrong, config, { ids }), /LoRA adapts linear layers/);
  });

  it('bad targets, ranks, names and adapters are named', () => {
    const rng = new Random(1);
    assert.throws(
      () => loraInit(rng, base, { ...lora, targets: ['q_proj', 'query'] }),
      /expected targets among .*q_proj.*, got "query"/,
    );
    assert.throws(() => loraInit(rng, base, { ...lora, rank: 0 }), /rank of at least 1, got 0/);
    const A = param('A', [3, 16]);
    assert.throws(() => fromPeftNames({ 'model.q_proj.lora_A': A }), /got "model.q_proj.lora_A"/);
    assert.throws(() => fromPeftNames({ 'base_model.model.x.lora_A.weight': A }), /lora_A and lora_B for x/);
    const shallow: LlamaParams = { ...base, model: { ...base.model, layers: base.model.layers.slice(0, 1) } };
    assert.throws(() => withLora(shallow, fresh(), lora), /found no layer model\.layers\.1/);
    const wide = { 'model.layers.0.self_attn.q_proj': { A: param('A', [3, 5]), B: param('B', [16, 3]) } };
    assert.throws(() => withLora(base, wide, lora), /lora: expected .*q_proj/);
    assert.throws(() => mergeLora(llamaInit(rng, { ...config, width: 32 }), fresh(), lora), /lora: expected/);
    assert.throws(
      () => loraInit(rng, { layer: { weight: tensor([1, 2]) } }, { ...lora, targets: ['layer'] }),
      /got "layer"/,
    );
  });
});

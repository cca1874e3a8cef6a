/** Weights in 4 bits against bitsandbytes' (tests/goldens/nf4.py); products, gradients, LLaMA, memory, LoRA on top. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { ArgumentError, ShapeError } from '../../lib/errors';
import { grad, tensor, tensorsOf, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { BYTES_PER_ELEMENT } from '../../lib/graph/dtype';
import { NF4 } from '../../lib/graph/nf4';
import { freeze, generate } from '../../lib/generate';
import { readHostTensors } from '../../lib/io';
import { llama, llamaInit, llamaSizes } from '../../lib/models';
import {
  adamW,
  adamWInit,
  adamWScalars,
  dequantise4Bit,
  linear,
  load4Bit,
  loraInit,
  mergeLora,
  normal,
  quantise4Bit,
  Random,
  withLora,
} from '../../lib/nn';
import { CODES_8BIT } from '../../lib/nn/linear-4bit';
import { tokenLogProbs } from '../../lib/losses';
import { closeDevices, jit } from '../../lib/runtime';

const golden = async () => {
  const file = path.join(__dirname, '../../../tests/goldens/data/nf4.safetensors');
  const { tensors } = await readHostTensors(file);
  return (name: string): Tensor => {
    const { dtype, shape, data } = tensors[name];
    return tensor(data, { dtype, shape });
  };
};
const numbers = async (t: Tensor): Promise<number[]> => Array.from((await t.data()) as Float32Array);
const distance = (a: number[], b: number[]): number => Math.max(...a.map((x, i) => Math.abs(x - b[i])));

const llamaTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
const config = { ...llamaSizes.nano, vocabSize: 61, width: 128, hidden: 256 };
const bytesOf = (params: unknown): number =>
  tensorsOf(params).reduce((n, { tensor: t }) => n + t.size * BYTES_PER_ELEMENT[t.dtype], 0);

describe('weights in 4 bits', () => {
  after(closeDevices);

  it('codes, scales and values are those of bitsandbytes', async () => {
    const g = await golden();
    assert.deepEqual(await numbers(g('numbers')), Array.from(Float32Array.from(NF4)));
    assert.ok(distance(await numbers(g('table')), Array.from(CODES_8BIT)) < 1e-7);
    const plain = await quantise4Bit(g('weight'), { double: false });
    assert.deepEqual(await numbers(plain.codes), await numbers(g('codes')));
    assert.deepEqual(await numbers(plain.scales as Tensor), await numbers(g('scales')));
    assert.ok(distance(await numbers(dequantise4Bit(plain)), await numbers(g('dequantised'))) < 1e-7);
    const double = await quantise4Bit(g('weight'));
    assert.ok('offset' in double.scales);
    assert.deepEqual(await numbers(double.codes), await numbers(g('codes')));
    assert.ok(Math.abs((await double.scales.offset.item()) - (await g('double.offset').item())) < 1e-7);
    assert.ok(distance(await numbers(double.scales.scales), await numbers(g('double.scales'))) < 1e-7);
    const [mine, theirs] = [await numbers(double.scales.codes), await numbers(g('double.codes'))];
    // Near the middle between two numbers bitsandbytes does not always take the nearer one.
    const apart = mine.flatMap((x, i) => (x === theirs[i] ? [] : [i]));
    assert.ok(apart.length <= 2 && distance(mine, theirs) <= 1);
    const [a, b] = [await numbers(dequantise4Bit(double)), await numbers(g('double.dequantised'))];
    a.forEach((x, i) => assert.ok(apart.includes(i >> 6) || Math.abs(x - b[i]) < 1e-7));
  });

  it('errors stay below half of the widest gap, relative to the block', async () => {
    const weight = normal(new Random(1, 'w'), [64, 256], 0.05);
    const [values, back] = [
      await numbers(weight),
      await numbers(dequantise4Bit(await quantise4Bit(weight, { double: false }))),
    ];
    const widest = Math.max(...NF4.slice(1).map((x, i) => x - NF4[i]));
    for (let b = 0; b < values.length; b += 64) {
      const scale = Math.max(...values.slice(b, b + 64).map(Math.abs));
      for (let i = b; i < b + 64; i++) assert.ok(Math.abs(values[i] - back[i]) <= (widest / 2) * scale + 1e-7);
    }
    const noise = Math.sqrt(values.reduce((s, x, i) => s + (x - back[i]) ** 2, 0) / values.length) / 0.05;
    assert.ok(noise > 0.05 && noise < 0.11, `relative error ${noise}`);
  });

  for (const device of ['cpu', 'tfjs'])
    it(`a linear layer gives the product with the matrix that the codes stand for, and its gradient: ${device}`, async () => {
      const rng = new Random(2, 'layer');
      const x = normal(rng, [2, 3, 64], 1);
      const bias = normal(rng, [32], 1);
      for (const double of [false, true]) {
        const weight = await quantise4Bit(normal(rng, [32, 64], 1), { double, blockSize: 16 });
        const whole = dequantise4Bit(weight);
        const run = jit(
          (input: Tensor) => ({
            y: linear({ weight, bias }, input),
            dx: grad((t: Tensor) => linear({ weight, bias }, t).square().sum())(input),
            expected: linear({ weight: whole, bias }, input),
            expectedDx: grad((t: Tensor) => linear({ weight: whole, bias }, t).square().sum())(input),
          }),
          { device },
        );
        const out = await run(x);
        assert.deepEqual(out.y.shape, [2, 3, 32]);
        assert.ok(distance(await numbers(out.y), await numbers(out.expected)) < 1e-4);
        assert.ok(distance(await numbers(out.dx), await numbers(out.expectedDx)) < 1e-2);
      }
    });

  it('LLaMA: a seventh of the memory, logits close to the whole weights, generation', async () => {
    const params = llamaInit(new Random(3), config);
    const small = await load4Bit(params, { targets: llamaTargets });
    const [whole, packed] = [bytesOf(params.model.layers), bytesOf(small.model.layers)];
    assert.ok(whole / packed > 7, `${whole} bytes to ${packed}`);
    const ids = tensor(
      Int32Array.from({ length: 24 }, (_, i) => (i * 7) % 61),
      { shape: [2, 12] },
    );
    const logits = jit((p: typeof params, x: Tensor) => llama(p, config, { ids: x }));
    const [a, b] = [await numbers(await logits(params, ids)), await numbers(await logits(small, ids))];
    const size = Math.sqrt(a.reduce((s, x) => s + x * x, 0));
    const error = Math.sqrt(a.reduce((s, x, i) => s + (x - b[i]) ** 2, 0)) / size;
    // Random weights: about a tenth, as the weights themselves.
    assert.ok(error > 0.01 && error < 0.2, `relative error of the logits: ${error}`);
    const [g] = await generate({ params: small, config }, [[1, 2, 3]], { temperature: 0, maxNewTokens: 6 });
    const fixed = await freeze({ params: small, config });
    const [same] = await generate(fixed, [[1, 2, 3]], { temperature: 0, maxNewTokens: 6 });
    assert.deepEqual(same.tokens, g.tokens);
    fixed.release();
    const sequence = [1, 2, 3, ...g.tokens];
    const again = (await (
      await logits(small, tensor(Int32Array.from(sequence), { shape: [1, 9] }))
    ).tolist()) as number[][][];
    g.tokens.forEach((t, i) => {
      const row = again[0][2 + i];
      assert.ok(row[t] >= Math.max(...row) - 1e-4, `token ${i} is the most probable`);
    });
  });

  it('QLoRA: an adapter beside them is trained, they are not', async () => {
    const rng = new Random(4);
    const base = await load4Bit(llamaInit(rng, config), { targets: llamaTargets });
    const lora = { rank: 8, alpha: 16, targets: llamaTargets };
    let adapter = loraInit(rng, base, lora);
    assert.deepEqual(adapter['model.layers.0.mlp.gate_proj'].A.shape, [8, 128]);
    assert.deepEqual(adapter['model.layers.0.mlp.gate_proj'].B.shape, [256, 8]);
    let state = adamWInit(adapter);
    const ids = tensor(
      Int32Array.from({ length: 32 }, (_, i) => (i * i) % 61),
      { shape: [2, 16] },
    );
    const step = jit(
      (a: typeof adapter, s: typeof state, scalars: { scale: Tensor; epsilon: Tensor; decay: Tensor }) => {
        const { value, grads } = valueAndGrad((q: typeof adapter) =>
          tokenLogProbs(llama(withLora(base, q, lora), config, { ids }), ids)
            .mean()
            .neg(),
        )(a);
        return { loss: value, ...adamW(a, grads, s, scalars) };
      },
    );
    const losses: number[] = [];
    for (let t = 1; t <= 25; t++) {
      const out = await step(adapter, state, adamWScalars(t, 0.01));
      adapter = out.params;
      state = out.state;
      losses.push(await out.loss.item());
    }
    assert.ok(losses[24] < losses[0] - 1, `loss ${losses[0]} to ${losses[24]}`);
    assert.throws(() => mergeLora(base, adapter, lora), /float32 weights .* got weights of 4 bits/);
  });

  it('names what cannot be quantised', async () => {
    const w = normal(new Random(5), [4, 10], 1);
    await assert.rejects(
      quantise4Bit(w),
      (e) => e instanceof ArgumentError && /divides 40 weights, got 64/.test(e.message),
    );
    await assert.rejects(quantise4Bit(normal(new Random(5), [16, 16], 1), { blockSize: 48 }), /got 48/);
    await assert.rejects(quantise4Bit(normal(new Random(5), [64, 5], 1)), (e) => e instanceof ShapeError);
    const broken = tensor(new Float32Array(64).fill(NaN), { shape: [1, 64] });
    await assert.rejects(quantise4Bit(broken), /finite weights, got NaN/);
    await assert.rejects(load4Bit(llamaInit(new Random(3), config), { targets: ['query'] }), /got "query"/);
  });
});

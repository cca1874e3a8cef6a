/** Layers against PyTorch: values, and gradients by inputs and parameters. */
import assert from 'node:assert/strict';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import {
  attention,
  attentionBlock,
  attentionBlockInit,
  embedding,
  geluMlp,
  groupNorm,
  layerNorm,
  layerNormInit,
  linear,
  paddingMask,
  Random,
  rmsNorm,
  ropeAngles,
  rotate,
  splitHeads,
  swiglu,
} from '../../lib/nn';
import type { AttentionOptions } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { assertClose, checkLayer, ints, param, valuesOf } from './golden';

describe('layers against PyTorch', () => {
  after(closeDevices);

  it('linear', () =>
    checkLayer(
      'linear',
      { x: param('linear.x', [2, 3, 5]), weight: param('linear.weight', [4, 5]), bias: param('linear.bias', [4]) },
      ({ x, ...p }) => linear(p, x),
    ));
  it('embedding, with repeated ids', () =>
    checkLayer('embedding', { weight: param('embedding.weight', [7, 3]) }, (p) =>
      embedding(p, ints('embedding.ids', [2, 6], 7)),
    ));
  it('rmsNorm', () =>
    checkLayer(
      'rmsNorm',
      { x: param('rmsNorm.x', [2, 3, 8], 1 / 64), weight: param('rmsNorm.weight', [8]) },
      ({ x, ...p }) => rmsNorm(p, x),
    ));
  it('layerNorm', () =>
    checkLayer(
      'layerNorm',
      {
        x: param('layerNorm.x', [2, 3, 8], 1 / 64),
        weight: param('layerNorm.weight', [8]),
        bias: param('layerNorm.bias', [8]),
      },
      ({ x, ...p }) => layerNorm(p, x),
    ));
  it('groupNorm', () =>
    checkLayer(
      'groupNorm',
      {
        x: param('groupNorm.x', [2, 6, 3, 4], 1, -1),
        weight: param('groupNorm.weight', [6]),
        bias: param('groupNorm.bias', [6]),
      },
      ({ x, ...p }) => groupNorm(p, x, 3, 0.1),
    ));
  it('swiglu', () =>
    checkLayer(
      'swiglu',
      {
        x: param('swiglu.x', [2, 3, 4]),
        gate: param('swiglu.gate', [6, 4], 0.5),
        up: param('swiglu.up', [6, 4], 0.5),
        down: param('swiglu.down', [4, 6], 0.5),
      },
      (l) => swiglu({ gate_proj: { weight: l.gate }, up_proj: { weight: l.up }, down_proj: { weight: l.down } }, l.x),
    ));
  it('geluMlp', () =>
    checkLayer(
      'geluMlp',
      {
        x: param('geluMlp.x', [2, 3, 4]),
        w1: param('geluMlp.w1', [6, 4], 0.5),
        b1: param('geluMlp.b1', [6], 0.5),
        w2: param('geluMlp.w2', [4, 6], 0.5),
        b2: param('geluMlp.b2', [4], 0.5),
      },
      (l) => geluMlp({ fc: { weight: l.w1, bias: l.b1 }, proj: { weight: l.w2, bias: l.b2 } }, l.x),
    ));
  it("rotary positions, against Hugging Face's rotate_half", () =>
    checkLayer('rope', { x: param('rope.x', [2, 3, 4, 8]) }, ({ x }) =>
      rotate(
        x,
        ropeAngles(
          tensor(
            [
              [0, 1, 2, 3],
              [5, 9, 20, 60],
            ],
            { dtype: 'int32' },
          ),
          8,
        ),
      ),
    ));
});

describe('attention against PyTorch', () => {
  after(closeDevices);

  const check = (
    name: string,
    [heads, groups, queries, keys]: [number, number, number, number],
    options: AttentionOptions = {},
  ): void => {
    it(name, () =>
      checkLayer(
        `attention.${name}`,
        {
          q: param(`attention.${name}.q`, [2, heads, queries, 4]),
          k: param(`attention.${name}.k`, [2, groups, keys, 4]),
          v: param(`attention.${name}.v`, [2, groups, keys, 4]),
        },
        ({ q, k, v }) => attention(q, k, v, options),
      ),
    );
  };
  check('full', [2, 2, 5, 5]);
  check('causal', [2, 2, 5, 5], { causal: true });
  check('cached', [2, 2, 2, 5], { causal: true });
  check('cross', [2, 2, 3, 5]);
  check('grouped', [4, 2, 5, 5], { causal: true });
  check('multi-query', [4, 1, 3, 5], { scale: 0.25 });
  check('right-padded', [2, 2, 5, 5], { causal: true, mask: paddingMask([5, 2], 5) });
  check('left-padded', [2, 2, 5, 5], { causal: true, mask: paddingMask([5, 2], 5, 'left') });
  check('nothing', [4, 2, 3, 5], { mask: paddingMask([3, 0], 5) });

  it('float16: masked keys weigh nothing, and a query that sees nothing gets 0', async () => {
    const half = (name: string): Tensor => param(name, [1, 1, 2, 4]).cast('float16');
    const [q, k, v] = ['q', 'k', 'v'].map(half);
    const y = attention(q, k, v, { causal: true, mask: paddingMask([1], 2, 'left') });
    const values = await valuesOf({ y, v });
    assertClose(values.y, [0, 0, 0, 0, ...values.v.slice(4)], 'result', 1e-6);
  });

  it('bad shapes and masks are named', () => {
    const q = param('q', [1, 4, 2, 4]);
    const k = param('k', [1, 3, 2, 4]);
    assert.throws(() => attention(q, k, k), /attention: expected key heads that divide .*k \[1, 3, 2, 4\]/);
    assert.throws(() => attention(q, q, q.slice(null, null, [0, 1])), /attention: expected/);
    assert.throws(() => attention(q, q, q, { mask: q }), /expected a bool mask, got float32/);
    assert.throws(() => attention(q, q, q, { mask: paddingMask([1, 2], 2) }), /broadcasts to \[1, 4, 2, 2\]/);
    assert.throws(() => attentionBlockInit(new Random(1), { width: 10, heads: 4 }), /heads that divide the width/);
    assert.throws(() => splitHeads(param('x', [1, 2, 10]), 4), /expected \[B, T, 4 \* D\]/);
    assert.throws(() => ropeAngles(tensor([0]), 5), /even head width, got 5/);
    assert.throws(() => groupNorm(layerNormInit(6), param('x', [1, 6, 2]), 4), /divisible by 4, got 6/);
    assert.throws(() => groupNorm(layerNormInit(6), param('x', [1, 6, 2]), 0), /divisible by 0/);
  });

  it('attentionBlock over a padded context', () =>
    checkLayer(
      'attentionBlock',
      {
        x: param('attentionBlock.x', [2, 3, 8]),
        context: param('attentionBlock.context', [2, 5, 6]),
        q: param('attentionBlock.q', [8, 8], 0.25),
        k: param('attentionBlock.k', [8, 6], 0.25),
        v: param('attentionBlock.v', [8, 6], 0.25),
        o: param('attentionBlock.o', [8, 8], 0.25),
        bias: param('attentionBlock.bias', [8]),
      },
      ({ x, context, q, k, v, o, bias }) =>
        attentionBlock({ q: { weight: q }, k: { weight: k }, v: { weight: v }, o: { weight: o, bias } }, x, {
          heads: 2,
          context,
          mask: paddingMask([5, 2], 5),
        }),
    ));
});

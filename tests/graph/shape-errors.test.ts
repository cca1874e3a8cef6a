/**
 * Wrong shapes and types are refused when the operation is applied; the message names it, what came, and what to do.
 */
import assert from 'node:assert/strict';
import { OmniError, ShapeError } from '../../lib/errors';
import { concat, tensor, where, zeros } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { shapeRules } from '../../lib/graph/shape-rules';
import { apply } from '../../lib/graph/tensor';
import type { OpName } from '../../lib/graph/ops';

const f = (...shape: number[]): Tensor => zeros(shape);
const i = (...shape: number[]): Tensor => zeros(shape, 'int32');
const b = (...shape: number[]): Tensor => zeros(shape, 'bool');
const conv = { strides: [1], pads: [0, 0], dilations: [1], group: 1 };

/** For each operation a wrong use, and what the message must hold besides the operation's name. */
const WRONG: { [K in OpName]?: [() => unknown, RegExp][] } = {
  neg: [[() => b(2).neg(), /numeric tensor, got bool \[2\]/]],
  exp: [[() => i(2, 3).exp(), /float tensor, got int32 \[2, 3\]\nhelp: .*cast/]],
  not: [[() => f(2).not(), /bool tensor, got float32 \[2\]/]],
  isNaN: [[() => i(2).isNaN(), /float tensor/]],
  add: [
    [() => f(2, 3).add(f(4)), /broadcast, got \[2, 3\] and \[4\]/],
    [() => f(2).add(i(2)), /one type, got float32 and int32/],
  ],
  pow: [[() => i(2).pow(3), /float tensor/]],
  mod: [[() => f(2).mod(2), /int32 or int64 tensor/]],
  less: [[() => b(2).less(b(2)), /numeric tensor/]],
  and: [[() => f(2).and(b(2)), /bool tensor/]],
  where: [
    [() => where(f(2), 1, 2), /bool tensor, got float32/],
    [() => where(b(2), f(3), 0), /broadcast, got \[2\] and \[3\]/],
  ],
  reduceSum: [
    [() => f(2, 3).sum(2), /axis in \[-2, 1\], got 2/],
    [() => f(2, 3).sum([0, -2]), /distinct axes/],
    [() => b(2).sum(), /numeric tensor/],
  ],
  reduceMean: [
    [() => i(2).mean(), /float tensor/],
    [() => f(2, 0).mean(1), /axes with elements, got shape \[2, 0\]/],
  ],
  reduceMax: [[() => f(0).max(), /axes with elements, got shape \[0\]/]],
  argMax: [[() => f(3, 0).argMax(1), /axes with elements/]],
  cumSum: [[() => f(3).cumSum(1), /axis in \[-1, 0\], got 1/]],
  softmax: [[() => i(3).softmax(), /float tensor/]],
  topK: [[() => f(2, 3).topK(4), /k in \[0, 3\], got 4/]],
  matMul: [
    [() => f(2, 3).matMul(f(2, 3)), /inner sizes, got \[2, 3\] times \[2, 3\]/],
    [() => f(2, 3).matMul(f(3, 2), { transB: true }), /\[3, 2\] transposed/],
    [() => f(3).matMul(f(3, 2)), /rank 2 or more, got \[3\] and \[3, 2\]/],
    [() => f(2, 2, 3).matMul(f(3, 3, 2)), /broadcast/],
  ],
  conv: [
    [
      () => f(1, 2, 5).conv(f(3, 4, 2)),
      /channels to fit the weights, got input \[1, 2, 5\], weights \[3, 4, 2\], group 1/,
    ],
    [() => f(1, 2, 3).conv(f(3, 2, 5)), /kernel's extent, got \[3\] for kernel \[5\]/],
    [() => f(2, 3).conv(f(2, 3)), /spatial axes/],
    [() => apply('conv', { ...conv, strides: [0] }, f(1, 2, 5), f(3, 2, 2)), /positive strides.*strides \[0\]/],
    [() => apply('conv', { ...conv, pads: [1] }, f(1, 2, 5), f(3, 2, 2)), /1 strides and dilations and 2 pads/],
  ],
  convTranspose: [
    [() => f(1, 2, 5).convTranspose(f(3, 4, 2)), /channels to fit/],
    [() => f(1, 2, 5).convTranspose(f(2, 4, 2), { outputPadding: [1] }), /outputPadding.*got \[1\] for strides \[1\]/],
    [() => f(1, 2, 1).convTranspose(f(2, 4, 1), { pads: [2, 2] }), /shape of non-negative integers, got \[-3\]/],
  ],
  transpose: [[() => f(2, 3).transpose([0, 0]), /permutation of 2 axes, got \[0, 0\]/]],
  reshape: [
    [() => f(2, 3).reshape([4, 2]), /6 elements for \[2, 3\], got \[4, 2\]/],
    [() => f(2, 3).reshape([-1, -1]), /at most one entry/],
    [() => f(2, 3).reshape([4, -1]), /6 elements/],
  ],
  expand: [
    [() => f(2, 3).expand([2, 4]), /broadcast/],
    [() => f(2, 3).expand([3]), /that \[2, 3\] broadcasts to, got \[3\]/],
  ],
  slice: [
    [() => f(4).slice([0, 5]), /axis 0 of size 4, got 0:5:1/],
    [() => f(4).slice(4), /axis 0 of size 4, got 4:5:1/],
    [() => f(4).slice(-5), /axis 0 of size 4/],
    [() => f(4).slice([0, 4, 0]), /got 0:4:0/],
    [() => f(4).slice(null, null), /at most 1 ranges, got 2/],
  ],
  concat: [
    [() => concat([f(2, 3), f(2, 4)]), /equal but for axis 0, got \[2, 3\] and \[2, 4\]/],
    [() => concat([f(2), i(2)]), /one type/],
    [() => concat([]), /at least one/],
  ],
  pad: [
    [() => f(2).pad([-1], [0]), /non-negative widths before and after, got \[-1\] and \[0\]/],
    [() => f(2, 2).pad([1], [1]), /expected 2 /],
  ],
  gather: [[() => f(2, 3).gather(f(2)), /int32 or int64 tensor, got float32 \[2\]/]],
  scatterAdd: [[() => f(4, 3).scatterAdd(i(2), f(3, 3)), /updates of shape \[2, 3\], got \[3, 3\]/]],
  gatherElements: [[() => f(2, 3).gatherElements(i(3, 2), 1), /fit \[2, 3\] outside axis 1, got \[3, 2\]/]],
  scatterElements: [[() => f(2, 3).scatterElements(i(2, 1), f(2, 2), 1), /shape \[2, 1\], got \[2, 2\]/]],
  rmsNormalization: [
    [() => apply('rmsNormalization', { epsilon: 0.1 }, f(2, 3), f(2)), /scale of shape \[3\], got \[2\]/],
  ],
  matMulNf4: [
    [
      () => apply('matMulNf4', { transB: true }, f(2, 30), zeros([4, 16], 'uint8'), f(2)),
      /float32 \[\.\.\., 32\] .* got x float32 \[2, 30\]/,
    ],
    [() => apply('matMulNf4', { transB: false }, f(2, 4), zeros([4, 16], 'uint8'), f(3)), /scales \[3\]/],
    [() => apply('matMulNf4', { transB: true }, f(2, 32), i(4, 16), f(2)), /a uint8 tensor, got int32/],
  ],
  rotaryEmbedding: [[() => apply('rotaryEmbedding', {}, f(1, 1, 2, 3), f(2, 1), f(2, 1)), /x \[1, 1, 2, 3\]/]],
};

describe('shape errors', () => {
  for (const [op, wrong] of Object.entries(WRONG))
    it(op, () => {
      for (const [use, text] of wrong)
        assert.throws(use, (e) => {
          assert.ok(e instanceof OmniError, String(e));
          assert.ok(e instanceof ShapeError);
          // Checks of ranges and lengths are the method's own, those of types and shapes the operation's.
          assert.equal(e.where, op, e.message);
          assert.match(e.message, text);
          assert.match(e.message, /\nhelp: \S/);
          return true;
        });
    });

  it('every kind of rule is among them', () => {
    // Operations that share a rule with one that is tested; the rest take anything.
    const like: Record<string, OpName[]> = {
      neg: ['abs', 'sign'],
      exp: ['log', 'sqrt', 'reciprocal', 'erf', 'tanh', 'sigmoid', 'sin', 'cos', 'floor', 'ceil', 'round'],
      isNaN: ['isInf'],
      add: ['sub', 'mul', 'div', 'max', 'min', 'equal'],
      less: ['lessOrEqual'],
      and: ['or'],
      reduceSum: ['reduceProd'],
      reduceMax: ['reduceMin'],
      argMax: ['argMin'],
      softmax: ['logSoftmax'],
    };
    const anything = ['input', 'constant', 'cast', 'stopGradient', 'barrier', 'customGradient'];
    const known = new Set([...Object.keys(WRONG), ...Object.values(like).flat(), ...anything]);
    assert.deepEqual(
      Object.keys(shapeRules).filter((op) => !known.has(op)),
      [],
    );
  });

  it('tensors made from wrong values are refused too', () => {
    assert.throws(() => tensor(new Float32Array(4), { shape: [2, -2] }), ShapeError);
    assert.throws(() => f(2, 1.5), ShapeError);
    assert.throws(() => f(2, 3).squeeze(0), /squeeze: expected axis 0 of size 1, got \[2, 3\]/);
    assert.throws(() => f(4).split([1, 2], 0), /split: expected sizes that add up to 4, got \[1, 2\]/);
  });
});

/** Simpler programs (graph/rewrite.ts) and operators that do the work of several nodes (graph/onnx/fuse.ts) give the same values. */
import assert from 'node:assert/strict';
import { buildProgram, concat, constant, gradients, tensor, writeOnnx } from '../../lib/graph';
import type { Program, Tensor } from '../../lib/graph';
import { ModelMessage } from '../../lib/graph/onnx/schema';
import type { ModelProto } from '../../lib/graph/onnx/schema';
import type { Target } from '../../lib/graph/onnx/rules';
import { input } from '../../lib/graph/tensor';
import { closeDevices, jit } from '../../lib/runtime';

const program = (inputs: Tensor[], outputs: Tensor[]): Program =>
  buildProgram(inputs, outputs, (t) => constant({ dtype: t.dtype, shape: t.shape, data: t.storage!.hostValues! }));

type Fn = (x: Tensor) => Tensor[];
const traced = (shape: number[], fn: Fn): Program => {
  const x = input({ dtype: 'float32', shape });
  return program([x], fn(x));
};
/** Operations of the program, without constants. */
const opsOf = (shape: number[], fn: Fn): string[] =>
  traced(shape, fn).nodes.flatMap(({ op }) => (op === 'constant' ? [] : [op]));
const operatorsOf = (shape: number[], fn: Fn, target: Target = 'cpu'): string[] => {
  const { bytes } = writeOnnx(traced(shape, fn), { target });
  const model = ModelMessage.decode(bytes) as unknown as ModelProto;
  return model.graph.node.map(({ opType }) => opType);
};

/** Entries 1, 2, 3, ... */
const counted = (shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
    { shape },
  );
const valuesOf = async (shape: number[], fn: Fn): Promise<number[][]> =>
  Promise.all((await jit(fn)(counted(shape))).map(async (t) => [...(await t.numbers())]));

describe('rewriting a program', () => {
  after(closeDevices);

  it('a reshape of a reshape is one, and none where the shape is the first one again', async () => {
    assert.deepEqual(
      opsOf([2, 6], (x) => [x.reshape([3, 4]).reshape([12])]),
      ['reshape'],
    );
    assert.deepEqual(
      opsOf([2, 6], (x) => [x.reshape([3, 4]).reshape([2, 6]).exp()]),
      ['exp'],
    );
    assert.deepEqual(await valuesOf([2, 2], (x) => [x.reshape([4]).reshape([2, 2])]), [[1, 2, 3, 4]]);
  });

  it('a transpose of a transpose is one, and none where it turns back', async () => {
    const twice: Fn = (x) => [x.transpose([1, 2, 0]).transpose([0, 2, 1])];
    assert.deepEqual(opsOf([2, 3, 4], twice), ['transpose']);
    assert.deepEqual(await valuesOf([2, 3, 4], twice), await valuesOf([2, 3, 4], (x) => [x.transpose([1, 0, 2])]));
    assert.deepEqual(
      opsOf([2, 3, 4], (x) => [x.transpose([2, 0, 1]).transpose([1, 2, 0]).exp()]),
      ['exp'],
    );
  });

  it('the gradient of a tensor that was cut up is joined, not padded and added', async () => {
    const cut: Fn = (x) => {
      const [a, b, c] = x.split([1, 3, 2], 1);
      return gradients(a.mul(2).sum().add(b.mul(3).sum()).add(c.mul(5).sum()), [x]);
    };
    assert.ok(!opsOf([2, 6], cut).includes('pad'));
    assert.deepEqual(await valuesOf([2, 6], cut), [[2, 3, 3, 3, 5, 5, 2, 3, 3, 3, 5, 5]]);
  });

  it('pieces that overlap, leave gaps, or lie on different axes are added as before', async () => {
    const sumOf = (...pieces: Tensor[]): Tensor => pieces.map((t) => t.sum()).reduce((a, b) => a.add(b));
    const gradOf =
      (pieces: (x: Tensor) => Tensor[]): Fn =>
      (x) =>
        gradients(sumOf(...pieces(x)), [x]);
    assert.deepEqual(
      await valuesOf(
        [5],
        gradOf((x) => [x.slice([0, 3]), x.slice([2, 5])]),
      ),
      [[1, 1, 2, 1, 1]],
    );
    assert.deepEqual(
      await valuesOf(
        [5],
        gradOf((x) => [x.slice([0, 2]), x.slice([3, 5])]),
      ),
      [[1, 1, 0, 1, 1]],
    );
    assert.deepEqual(
      await valuesOf(
        [2, 2],
        gradOf((x) => [x.slice([0, 1]), x.slice(null, [0, 1])]),
      ),
      [[2, 1, 1, 0]],
    );
    // Padding with something else than zeros is no piece.
    assert.deepEqual(await valuesOf([2], (x) => [x.pad([0], [2], 1).add(x.pad([2], [0]))]), [[1, 2, 2, 3]]);
  });
});

describe('operators for several nodes', () => {
  after(closeDevices);

  it('slices that part an axis are one Split, whatever their order', async () => {
    const parts: Fn = (x) => {
      const [a, b, c] = [x.slice(null, [3, 6]), x.slice(null, [0, 1]), x.slice(null, [1, 3])];
      return [concat([a, b, c], 1), c.exp().log().round()];
    };
    const operators = operatorsOf([2, 6], parts);
    assert.equal(operators.filter((o) => o === 'Split').length, 1);
    assert.ok(!operators.includes('Slice'));
    assert.deepEqual(await valuesOf([2, 6], parts), [
      [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9],
      [2, 3, 8, 9],
    ]);
    assert.ok(!operatorsOf([2, 6], parts, 'portable').includes('Split'));
  });

  it('slices that leave something, overlap or have steps stay slices', async () => {
    for (const [cut, expected] of [
      [(x: Tensor) => [x.slice([0, 2]), x.slice([3, 4])], [[1, 2], [4]]],
      [
        (x: Tensor) => [x.slice([0, 3]), x.slice([2, 4])],
        [
          [1, 2, 3],
          [3, 4],
        ],
      ],
      [
        (x: Tensor) => [x.slice([0, 4, 2]), x.slice([1, 4, 2])],
        [
          [1, 3],
          [2, 4],
        ],
      ],
    ] as [Fn, number[][]][]) {
      assert.ok(!operatorsOf([4], cut).includes('Split'));
      assert.deepEqual(await valuesOf([4], cut), expected);
    }
  });

  it('a sum of squares is one operator, unless the squares are used elsewhere', async () => {
    const sum: Fn = (x) => [x.square().sum(0)];
    assert.deepEqual(operatorsOf([2, 2], sum), ['ReduceSumSquare']);
    assert.deepEqual(await valuesOf([2, 2], sum), [[10, 20]]);
    const both: Fn = (x) => [x.square().sum(), x.square()];
    assert.ok(!operatorsOf([2, 2], both).includes('ReduceSumSquare'));
    assert.deepEqual(await valuesOf([2, 2], both), [[30], [1, 4, 9, 16]]);
  });

  it('a product of matrices and its bias are one operator, unless the product is used elsewhere', async () => {
    const weight = tensor([
      [1, 0],
      [2, 1],
    ]);
    const bias = tensor([10, 20]);
    const layer: Fn = (x) => [x.matMul(weight, { transB: true }).add(bias)];
    assert.deepEqual(operatorsOf([2, 2], layer), ['Gemm']);
    assert.deepEqual(await valuesOf([2, 2], layer), [[11, 24, 13, 30]]);
    const both: Fn = (x) => {
      const y = x.matMul(weight, { transB: true });
      return [y.add(bias), y];
    };
    assert.deepEqual(operatorsOf([2, 2], both), ['Gemm', 'Add']);
    assert.deepEqual(await valuesOf([2, 2], both), [
      [11, 24, 13, 30],
      [1, 4, 3, 10],
    ]);
  });

  it('batches of products read operands transposed, without copies of them', async () => {
    const gram: Fn = (x) => [x.matMul(x, { transA: true }), x.matMul(x, { transB: true })];
    assert.deepEqual(operatorsOf([2, 1, 2], gram), ['FusedMatMul', 'FusedMatMul']);
    assert.deepEqual(await valuesOf([2, 1, 2], gram), [
      [1, 2, 2, 4, 9, 12, 12, 16],
      [5, 25],
    ]);
  });
});

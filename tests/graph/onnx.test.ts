/** ONNX files: what is written can be read back, runs alike, and is refused clearly when damaged or foreign. */
import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ArgumentError, FormatError, ShapeError } from '../../lib/errors';
import { buildProgram, constant, gradients, loadOnnx, readOnnx, saveOnnx, tensor, writeOnnx } from '../../lib/graph';
import type { Program, Tensor } from '../../lib/graph';
import { DATA_TYPE, ModelMessage } from '../../lib/graph/onnx/schema';
import type { AttributeProto, ModelProto, NodeProto, ValueInfoProto } from '../../lib/graph/onnx/schema';
import { writePieces } from '../../lib/graph/onnx/save';
import type { Target } from '../../lib/graph/onnx/rules';
import { input } from '../../lib/graph/tensor';
import { closeDevices, jit } from '../../lib/runtime';
import { batchOf, casesBySubject, failuresOf } from './op-cases';
import type { CaseResult, OpCase } from './op-cases';

const program = (inputs: Tensor[], outputs: Tensor[]): Program =>
  buildProgram(inputs, outputs, (t) => constant({ dtype: t.dtype, shape: t.shape, data: t.storage!.hostValues! }));

/** Writes the cases as a model, reads it, and runs what was read. */
const throughFile =
  (target: Target) =>
  async (device: string, cases: readonly OpCase[]): Promise<CaseResult[]> => {
    const batch = batchOf(cases);
    const placeholders = batch.operands.map((t) => input(t));
    const model = writeOnnx(program(placeholders, batch.build(placeholders)), { target });
    const read = readOnnx(model.bytes);
    const run = jit(
      (operands: Tensor[]) => {
        const out = read.apply(Object.fromEntries(operands.map((t, i) => [model.inputNames[i], t])));
        return model.outputNames.map((name) => out[name]);
      },
      { device, name: 'model' },
    );
    return batch.collect(await run(batch.operands));
  };

// --- models by hand
// ---------------------------------------------------------------------------------------------------

type Attributes = Record<string, number | number[] | string | { float: number }>;
function attributes(values: Attributes): AttributeProto[] {
  return Object.entries(values).map(([name, v]) => {
    if (typeof v === 'number') return { name, type: 2, i: v };
    if (typeof v === 'string') return { name, type: 3, s: Buffer.from(v) };
    return Array.isArray(v) ? { name, type: 7, ints: v } : { name, type: 1, f: v.float };
  });
}
const node = (
  opType: string,
  inputs: string[],
  outputs: string[],
  values: Attributes = {},
  domain = '',
): NodeProto => ({
  opType,
  input: inputs,
  output: outputs,
  name: `${opType}_1`,
  domain,
  attribute: attributes(values),
});
const value = (name: string, shape: (number | string)[], elemType = 1): ValueInfoProto => ({
  name,
  type: {
    tensorType: { elemType, shape: { dim: shape.map((d) => (typeof d === 'number' ? { value: d } : { param: d })) } },
  },
});
interface Parts {
  nodes: NodeProto[];
  inputs: ValueInfoProto[];
  outputs: ValueInfoProto[];
  ints?: Record<string, number[]>;
  floats?: Record<string, { dims: number[]; data: number[] }>;
  opset?: number;
}
function modelOf({ nodes, inputs, outputs, ints = {}, floats = {}, opset = 17 }: Parts): Uint8Array {
  const model: ModelProto = {
    irVersion: 8,
    producerName: 'test',
    graph: {
      name: 'g',
      node: nodes,
      input: inputs,
      output: outputs,
      initializer: [
        ...Object.entries(ints).map(([name, v]) => ({
          name,
          dims: [v.length],
          dataType: DATA_TYPE.int64,
          int64Data: v,
        })),
        ...Object.entries(floats).map(([name, v]) => ({
          name,
          dims: v.dims,
          dataType: DATA_TYPE.float32,
          floatData: v.data,
        })),
      ],
    },
    opsetImport: [{ domain: '', version: opset }],
  };
  return ModelMessage.encode(model).finish();
}
/** The output "y" of a model on inputs. */
async function run(parts: Parts, inputs: Record<string, Tensor>): Promise<unknown> {
  return readOnnx(modelOf(parts)).apply(inputs).y.tolist();
}
const x23 = (): Tensor =>
  tensor([
    [1, -2, 3],
    [-4, 5, -6],
  ]);

describe('ONNX round trip', () => {
  after(closeDevices);
  it('every operation, read and run', async () => {
    const failures: string[] = [];
    for (const cases of casesBySubject().values())
      failures.push(...(await failuresOf('cpu', cases, 1, throughFile('cpu'))));
    assert.deepEqual(failures, []);
  });

  it('fused operations written in the standard ones', async () => {
    for (const op of ['rmsNormalization', 'rotaryEmbedding', 'matMulNf4'])
      assert.deepEqual(await failuresOf('cpu', casesBySubject().get(op)!, 1, throughFile('portable')), []);
  });

  it('is stable: writing what was read from a file and reading it again gives the same file', () => {
    const x = input({ dtype: 'float32', shape: [2, 3] });
    const w = input({ dtype: 'float32', shape: [3, 3] });
    const y = x.matMul(w).softmax().slice([1, 2]).argMax(1);
    const first = writeOnnx(program([x, w], [y]));
    const second = writeOnnx(readOnnx(first.bytes).program());
    const third = writeOnnx(readOnnx(second.bytes).program());
    assert.equal(third.hash, second.hash);
  });

  it('a program that trains can be read, and differentiated further', async () => {
    const x = input({ dtype: 'float32', shape: [2, 3] });
    const w = tensor(
      Float32Array.from({ length: 9 }, (_, i) => i / 10),
      { shape: [3, 3] },
    );
    const read = readOnnx(writeOnnx(program([x], [x.matMul(w).tanh()])).bytes);
    const [name] = Object.keys(read.weights);
    assert.deepEqual(await read.weights[name].tolist(), await w.tolist());
    const loss = (weights: Record<string, Tensor>): Tensor => read.apply({ i0: x23() }, weights).o0.sum();
    const [g] = gradients(loss(read.weights), [read.weights[name]]);
    const [expected] = gradients(x23().matMul(w).tanh().sum(), [w]);
    assert.deepEqual(await g.tolist(), await expected.tolist());
  });
});

describe('readOnnx', () => {
  after(closeDevices);
  const plain = (nodes: NodeProto[], more: Partial<Parts> = {}): Parts => ({
    nodes,
    inputs: [value('x', [2, 3])],
    outputs: [value('y', [])],
    ...more,
  });

  it('reads what exporters write around shapes: Shape, Gather, Concat, Reshape', async () => {
    const y = await run(
      {
        nodes: [
          node('Shape', ['x'], ['s']),
          node('Gather', ['s', 'zero'], ['n']),
          node('Concat', ['n', 'minus'], ['shape'], { axis: 0 }),
          node('Transpose', ['x'], ['t']),
          node('Reshape', ['t', 'shape'], ['y']),
        ],
        inputs: [value('x', ['batch', 3])],
        outputs: [value('y', ['batch', 3])],
        ints: { zero: [0], minus: [-1] },
      },
      { x: x23() },
    );
    assert.deepEqual(y, [
      [1, -4, -2],
      [5, 3, -6],
    ]);
  });

  it("reads a model that PyTorch exported, and gives PyTorch's results", async () => {
    const data = path.join(__dirname, '../../../tests/goldens/data');
    const golden = JSON.parse(await readFile(path.join(data, 'torch-export.json'), 'utf8')) as Record<string, number[]>;
    const model = await loadOnnx(path.join(data, 'torch-export.onnx'));
    assert.deepEqual(model.inputs[1].shape, ['b', 'n']);
    const x = tensor(Float32Array.from(golden.x), { shape: [2, 3, 6, 6] });
    const t = tensor(BigInt64Array.from(golden.t, BigInt), { shape: [2, 3] });
    const out = await jit((a: Tensor, i: Tensor) => model.apply({ x: a, t: i }))(x, t);
    assert.deepEqual(out.o.shape, [2, 3, 16]);
    for (const name of ['u', 'o', 'a']) {
      const values = await out[name].numbers();
      assert.equal(values.length, golden[name].length);
      golden[name].forEach((e, i) => assert.ok(Math.abs(values[i] - e) < 1e-5, `${name}[${i}]: ${e}, ${values[i]}`));
    }
    assert.deepEqual(model.program({ b: 1, n: 4 }).outputs[1].shape, [1, 4, 16]);
  });

  it('computes common operators as the standard defines them', async () => {
    const floats = { w: { dims: [2, 3], data: [1, 0, 2, -1, 1, 0] }, b: { dims: [2], data: [10, 20] } };
    assert.deepEqual(
      await run(
        plain([node('Gemm', ['x', 'w', 'b'], ['y'], { transB: 1, alpha: { float: 2 }, beta: { float: 0.5 } })], {
          floats,
        }),
        { x: x23() },
      ),
      [
        [2 * 7 + 5, 2 * -3 + 10],
        [2 * -16 + 5, 2 * 9 + 10],
      ],
    );
    assert.deepEqual(await run(plain([node('LeakyRelu', ['x'], ['y'], { alpha: { float: 0.5 } })]), { x: x23() }), [
      [1, -1, 3],
      [-2, 5, -3],
    ]);
    assert.deepEqual(
      await run(plain([node('ReduceMax', ['x'], ['y'], { axes: [-1], keepdims: 0 })]), { x: x23() }),
      [3, 5],
    );
    assert.deepEqual(await run(plain([node('ReduceSum', ['x'], ['y'], { keepdims: 1 })]), { x: x23() }), [[-3]]);
    assert.deepEqual(await run(plain([node('Flatten', ['x'], ['y'], { axis: 0 })]), { x: x23() }), [
      [1, -2, 3, -4, 5, -6],
    ]);
    assert.deepEqual(await run(plain([node('Tile', ['x', 'r'], ['y'])], { ints: { r: [1, 2] } }), { x: x23() }), [
      [1, -2, 3, 1, -2, 3],
      [-4, 5, -6, -4, 5, -6],
    ]);
    assert.deepEqual(await run(plain([node('Trilu', ['x'], ['y'], { upper: 0 })]), { x: x23() }), [
      [1, 0, 0],
      [-4, 5, 0],
    ]);
    assert.deepEqual(
      await run(
        plain([node('Slice', ['x', 's', 'e', 'a', 'st'], ['y'])], { ints: { s: [-1], e: [-100], a: [1], st: [-2] } }),
        { x: x23() },
      ),
      [
        [3, 1],
        [-6, -4],
      ],
    );
    assert.deepEqual(
      await run(plain([node('Split', ['x'], ['a', 'y'], { axis: 1, num_outputs: 2 })], { opset: 18 }), { x: x23() }),
      [[3], [-6]],
    );
    assert.deepEqual(await run(plain([node('Expand', ['x', 's'], ['y'])], { ints: { s: [2, 1, 1] } }), { x: x23() }), [
      await x23().tolist(),
      await x23().tolist(),
    ]);
    const scale = { g: { dims: [3], data: [1, 2, 3] }, b: { dims: [3], data: [0, 0, 1] } };
    const normal = (await run(
      plain([node('LayerNormalization', ['x', 'g', 'b'], ['y'], { epsilon: { float: 0 } })], { floats: scale }),
      { x: x23() },
    )) as number[][];
    // Row 0: mean 2/3, variance 38/9.
    const r = Math.sqrt(38 / 9);
    [(1 - 2 / 3) / r, (2 * (-2 - 2 / 3)) / r, (3 * (3 - 2 / 3)) / r + 1].forEach((v, i) =>
      assert.ok(Math.abs(normal[0][i] - v) < 1e-5),
    );
  });

  it('convolves with bias and automatic padding', async () => {
    const parts: Parts = {
      nodes: [node('Conv', ['x', 'w', 'b'], ['y'], { auto_pad: 'SAME_LOWER', kernel_shape: [2] })],
      inputs: [value('x', [1, 1, 3])],
      outputs: [value('y', [1, 1, 3])],
      floats: { w: { dims: [1, 1, 2], data: [1, 10] }, b: { dims: [1], data: [0.5] } },
    };
    assert.deepEqual(await run(parts, { x: tensor([[[1, 2, 3]]]) }), [[[10.5, 21.5, 32.5]]]);
  });

  it('needs sizes for open dimensions, and checks inputs', () => {
    const parts = plain([node('Neg', ['x'], ['y'])], {
      inputs: [value('x', ['batch', 3])],
      outputs: [value('y', ['batch', 3])],
    });
    const read = readOnnx(modelOf(parts));
    assert.deepEqual(read.inputs[0].shape, ['batch', 3]);
    assert.throws(
      () => read.program(),
      (e) =>
        e instanceof ArgumentError &&
        /"batch" of input "x" \[batch, 3\]/.test(e.message) &&
        /program\(\{ "batch": 1 \}\)/.test(e.message),
    );
    assert.deepEqual(read.program({ batch: 5 }).outputs[0].shape, [5, 3]);
    assert.throws(
      () => read.apply({ x: tensor([1, 2]) }),
      (e) => e instanceof ShapeError && /input "x" as float32/.test(e.message),
    );
    assert.throws(() => read.apply({}), /got nothing/);
  });

  it('names an unsupported operator with its node', () => {
    const parts = plain([node('NonMaxSuppression', ['x'], ['y'])]);
    assert.throws(
      () => readOnnx(modelOf(parts)),
      (e) =>
        e instanceof FormatError &&
        /node NonMaxSuppression_1 .*got NonMaxSuppression with inputs x\nhelp: /.test(e.message),
    );
    assert.throws(
      () => readOnnx(modelOf(plain([node('Thing', ['x'], ['y'], {}, 'com.example')]))),
      /com\.example\.Thing/,
    );
  });

  it('names the node whose shapes do not fit', () => {
    assert.throws(
      () => readOnnx(modelOf(plain([node('MatMul', ['x', 'x'], ['y'])]))).program(),
      (e) => e instanceof FormatError && /node MatMul_1 \(MatMul\): matMul: expected equal inner sizes/.test(e.message),
    );
  });

  it('refuses shapes computed from values, other modes and types', () => {
    const dynamic = plain([node('Cast', ['x'], ['s'], { to: 7 }), node('Reshape', ['x', 's'], ['y'])]);
    assert.throws(() => readOnnx(modelOf(dynamic)).program(), /operand 1 to be constant/);
    const reflect = plain([node('Pad', ['x', 'p'], ['y'], { mode: 'reflect' })], { ints: { p: [0, 0, 1, 1] } });
    assert.throws(() => readOnnx(modelOf(reflect)).program(), /got "reflect"/);
    assert.throws(() => readOnnx(modelOf(plain([], { inputs: [value('x', [1], 11)] }))), /float32, .* got double/);
    assert.throws(() => readOnnx(modelOf(plain([node('Neg', ['x'], ['y'])], { opset: 9 }))), /opset 13 to 24, got 9/);
    const undefinedName = plain([node('Neg', ['z'], ['y'])]);
    assert.throws(
      () => readOnnx(modelOf(undefinedName)).program(),
      (e) => e instanceof FormatError && /"z"/.test(e.message),
    );
  });

  it('refuses a file cut off or overwritten anywhere, and never crashes', () => {
    const x = input({ dtype: 'float32', shape: [2, 3] });
    const w = tensor(new Float32Array(64).fill(2), { shape: [8, 8] });
    const { bytes } = writeOnnx(program([x], [x.softmax().sum(1), w.sum()]));
    assert.doesNotThrow(() => readOnnx(bytes).program());
    let refused = 0;
    const attempt = (b: Uint8Array): void => {
      try {
        readOnnx(b).program();
      } catch (e) {
        assert.ok(
          e instanceof FormatError || e instanceof ShapeError || e instanceof ArgumentError,
          String((e as Error).stack),
        );
        refused++;
      }
    };
    for (let n = 0; n < bytes.length; n += 3) attempt(bytes.subarray(0, n));
    assert.ok(refused > bytes.length / 3 - 20, `${refused} of ${bytes.length / 3}`);
    for (let n = 0; n < bytes.length; n++) attempt(Uint8Array.from(bytes, (b, i) => (i === n ? b ^ 0xff : b)));
  });
});

describe('saveOnnx', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'omnilab-onnx-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await closeDevices();
  });
  const build = (scale: number): Program => {
    const x = input({ dtype: 'float32', shape: [2, 64] });
    const w = tensor(
      Float32Array.from({ length: 64 * 64 }, (_, i) => (i % 7) * scale),
      { shape: [64, 64] },
    );
    const b = tensor(Float32Array.from({ length: 64 }, (_, i) => i));
    return program([x], [x.matMul(w).add(b)]);
  };

  it('keeps large constants beside the model, and loads them from there', async () => {
    const file = path.join(folder, 'model.onnx');
    const model = await saveOnnx(file, build(1), { externalBytes: 1024, inputNames: ['x'], outputNames: ['y'] });
    assert.equal(model.external.length, 1);
    const data = (await readdir(folder)).filter((n) => n.endsWith('.data'));
    assert.equal(data.length, 1);
    assert.equal((await readFile(path.join(folder, data[0]))).length, 64 * 64 * 4);
    const read = await loadOnnx(file);
    const x = tensor(new Float32Array(128).fill(0.5), { shape: [2, 64] });
    const y = await read.apply({ x }).y.numbers();
    const straight = await readOnnx(writeOnnx(build(1)).bytes)
      .apply({ i0: x })
      .o0.numbers();
    assert.deepEqual(y, straight);

    // Another model in its place takes the old one's data away.
    await saveOnnx(file, build(2), { externalBytes: 1024, inputNames: ['x'], outputNames: ['y'] });
    const now = await readdir(folder);
    assert.equal(now.filter((n) => n.endsWith('.data')).length, 1);
    assert.ok(!now.includes(data[0]));
    const doubled = await (await loadOnnx(file)).apply({ x }).y.numbers();
    assert.ok(Math.abs(doubled[3] - 3 - 2 * (y[3] - 3)) < 1e-3);
    assert.deepEqual(
      now.filter((n) => n.includes('tmp')),
      [],
    );
  });

  it('says what is missing or damaged beside the model', async () => {
    const file = path.join(folder, 'lost.onnx');
    await saveOnnx(file, build(1), { externalBytes: 1024 });
    const data = path.join(
      folder,
      (await readdir(folder)).find((n) => n.startsWith('lost.onnx.'))!,
    );
    const whole = await readFile(data);
    await writeFile(data, whole.subarray(0, 1000));
    await assert.rejects(
      loadOnnx(file),
      (e) => e instanceof FormatError && /expected 16384 bytes at 0/.test(e.message),
    );
    await rm(data);
    await assert.rejects(loadOnnx(file), (e) => e instanceof FormatError && /copy it together/.test(e.message));
    assert.throws(() => readOnnx(writeOnnx(build(1), { externalFile: 'd', externalBytes: 1 }).bytes), /loadOnnx/);
  });

  it('does not follow a location out of the folder', async () => {
    const file = path.join(folder, 'bad.onnx');
    await writeFile(file, writeOnnx(build(1), { externalFile: '../secret', externalBytes: 1024 }).bytes);
    await assert.rejects(loadOnnx(file), (e) => e instanceof FormatError && /beside the model/.test(e.message));
  });

  it('leaves an earlier model whole when the new one cannot be written', async () => {
    const file = path.join(folder, 'kept.onnx');
    await saveOnnx(file, build(1), { externalBytes: 1024 });
    const before = await readFile(file);
    await assert.rejects(saveOnnx(file, build(2), { inputNames: ['a'], outputNames: ['a'] }), ArgumentError);
    assert.deepEqual(await readFile(file), before);
    await loadOnnx(file);
  });

  it('writes large pieces in parts', async () => {
    const file = path.join(folder, 'pieces');
    const handle = await open(file, 'w');
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i);
    await writePieces(handle, [bytes, new Uint8Array(3), bytes.subarray(5, 50)], 64);
    await handle.close();
    assert.deepEqual(
      new Uint8Array(await readFile(file)),
      Uint8Array.from([...bytes, 0, 0, 0, ...bytes.subarray(5, 50)]),
    );
  });

  it('refuses 2 GB of constants inside the model, and names the way out', () => {
    // One array serves for all: nothing of it is touched before the sizes have been added up.
    const data = new Float32Array(1 << 26);
    const big = Array.from({ length: 8 }, () => constant({ dtype: 'float32', shape: [1 << 26], data }));
    assert.throws(
      () =>
        writeOnnx(
          program(
            [],
            big.map((t) => t.neg()),
          ),
        ),
      (e) => e instanceof ArgumentError && /got 2\.1 GB\nhelp: pass externalFile/.test(e.message),
    );
  });

  it('keeps names that the caller chose apart from its own', () => {
    const x = input({ dtype: 'float32', shape: [2, 3] });
    const y = x.topK(2).values.add(1);
    const { bytes } = writeOnnx(program([x], [y]), { inputNames: ['t0'], outputNames: ['t1'] });
    const read = readOnnx(bytes);
    assert.deepEqual(
      read.inputs.map((v) => v.name),
      ['t0'],
    );
    assert.doesNotThrow(() => read.program());
  });
});

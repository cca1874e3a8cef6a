/**
 * safetensors: against a file of the reference implementation, round trips, and every way in which a file can be
 * damaged.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { ArgumentError, FormatError } from '../../lib/errors';
import { readHostTensors, readSafetensors, SafetensorsFile, writeSafetensors } from '../../lib/io/safetensors';
import type { StoredTensor } from '../../lib/io/safetensors';

/** The source tree's tests folder, from the compiled one. */
const GOLDEN = path.resolve(__dirname, '../../../tests/goldens/data/reference.safetensors');

/** The values that tests/goldens/make_safetensors.py wrote. */
const expected: Record<string, StoredTensor> = {
  f64: { dtype: 'float64', shape: [2], data: Float64Array.of(1.5, -2.25) },
  f32: { dtype: 'float32', shape: [2, 3], data: Float32Array.of(0.1, -0.2, 3, 4, 5.5, -6.25) },
  f16: { dtype: 'float16', shape: [3], data: Uint16Array.of(0x3c00, 0xb800, 0x7bff) },
  bf16: { dtype: 'bfloat16', shape: [2], data: Uint16Array.of(0x3f80, 0xc049) },
  i64: { dtype: 'int64', shape: [2], data: BigInt64Array.of(2n ** 62n, -7n) },
  i32: { dtype: 'int32', shape: [2, 1], data: Int32Array.of(1, -2) },
  i16: { dtype: 'int16', shape: [2], data: Int16Array.of(300, -300) },
  i8: { dtype: 'int8', shape: [3], data: Int8Array.of(127, -128, 5) },
  u8: { dtype: 'uint8', shape: [2], data: Uint8Array.of(255, 0) },
  bool: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
  empty: { dtype: 'float32', shape: [0, 4], data: new Float32Array(0) },
  scalar: { dtype: 'float32', shape: [], data: Float32Array.of(2.5) },
  'layers.10.ü"': { dtype: 'float32', shape: [1], data: Float32Array.of(7) },
  '7': { dtype: 'float32', shape: [1], data: Float32Array.of(8) },
};

describe('io: safetensors', () => {
  let folder = '';
  let file = '';
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-safetensors-'));
    file = path.join(folder, 'a.safetensors');
  });
  after(() => fs.rmSync(folder, { recursive: true }));

  /** Writes a file from a header's text and data, with the length that `length` says. */
  const raw = (header: string, data: Uint8Array, length = BigInt(Buffer.byteLength(header))): string => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(length);
    fs.writeFileSync(file, Buffer.concat([prefix, Buffer.from(header), data]));
    return file;
  };
  const header = (entries: Record<string, [string, number[], [number, number]]>): string =>
    JSON.stringify(
      Object.fromEntries(
        Object.entries(entries).map(([k, [dtype, shape, data_offsets]]) => [k, { dtype, shape, data_offsets }]),
      ),
    );
  const refuses = (what: RegExp) =>
    assert.rejects(readSafetensors(file), (e) => e instanceof FormatError && what.test(e.message));

  it('reads what the reference implementation wrote', async () => {
    const { tensors, metadata } = await readSafetensors(GOLDEN);
    assert.deepEqual({ ...tensors }, expected);
    assert.deepEqual(metadata, { format: 'pt' });
  });

  it('writes the same bytes as the reference implementation, in whatever order the tensors come', async () => {
    const reversed = Object.fromEntries(Object.entries(expected).reverse());
    await writeSafetensors(file, reversed, { format: 'pt' });
    assert.ok(fs.readFileSync(file).equals(fs.readFileSync(GOLDEN)));
    assert.deepEqual(fs.readdirSync(folder), ['a.safetensors']);
  });

  it('keeps any name and metadata, writes views of larger arrays, and none at all', async () => {
    const tensors = JSON.parse('{"__proto__": 0, "a}\\"{b": 0, "": 0}') as Record<string, unknown>;
    for (const name of Object.keys(tensors))
      Object.defineProperty(tensors, name, {
        value: { dtype: 'int32', shape: [2], data: new Int32Array([9, 1, 2]).subarray(1) },
      });
    await writeSafetensors(file, tensors as Record<string, StoredTensor>, { b: '1', a: 'x"y' });
    const back = await readSafetensors(file);
    assert.deepEqual(Object.keys(back.tensors).sort(), ['', '__proto__', 'a}"{b']);
    assert.deepEqual([...back.tensors['__proto__'].data], [1, 2]);
    assert.deepEqual(back.metadata, { a: 'x"y', b: '1' });
    await writeSafetensors(file, {});
    assert.deepEqual(Object.keys((await readSafetensors(file)).tensors), []);
  });

  it('reads one tensor alone', async () => {
    const open = await SafetensorsFile.open(GOLDEN);
    try {
      assert.deepEqual(await open.read('i16'), expected.i16);
      await assert.rejects(open.read('nothing'), ArgumentError);
    } finally {
      await open.close();
    }
  });

  it('gives the engine types it has', async () => {
    const { tensors } = await readHostTensors(GOLDEN);
    assert.deepEqual(tensors.bf16, { dtype: 'float32', shape: [2], data: Float32Array.of(1, -3.140625) });
    assert.deepEqual(tensors.f64, { dtype: 'float32', shape: [2], data: Float32Array.of(1.5, -2.25) });
    assert.deepEqual(tensors.i8, { dtype: 'int32', shape: [3], data: Int32Array.of(127, -128, 5) });
  });

  it('refuses tensors that do not fit their description, and leaves the old file', async () => {
    await writeSafetensors(file, { a: expected.i8 });
    const before = fs.readFileSync(file);
    const bad: [string, StoredTensor][] = [
      ['bytes', { dtype: 'float32', shape: [3], data: new Float32Array(2) }],
      ['array', { dtype: 'float32', shape: [2], data: new Int32Array(2) }],
      ['shape', { dtype: 'float32', shape: [-1, -2], data: new Float32Array(2) }],
      ['dtype', { dtype: 'complex64' as never, shape: [1], data: new Float32Array(2) }],
      ['__metadata__', expected.i8],
    ];
    for (const [name, tensor] of bad)
      await assert.rejects(
        writeSafetensors(file, { [name]: tensor }),
        (e) => e instanceof ArgumentError && e.message.includes(name),
      );
    assert.ok(fs.readFileSync(file).equals(before));
  });

  it('refuses a file cut off anywhere', async () => {
    const whole = fs.readFileSync(GOLDEN);
    for (let end = 0; end < whole.length; end += 13) {
      fs.writeFileSync(file, whole.subarray(0, end));
      await refuses(/a\.safetensors: /);
    }
    fs.writeFileSync(file, Buffer.concat([whole, Buffer.from([0])]));
    await refuses(/expected \d+ bytes of data/);
    await assert.rejects(
      readSafetensors(path.join(folder, 'missing')),
      (e) => e instanceof FormatError && /ENOENT/.test(e.message),
    );
  });

  it('refuses wrong lengths and headers', async () => {
    raw('{}', new Uint8Array(0), 2n ** 63n);
    await refuses(/got a length of 9223372036854775808/);
    raw('{} ', new Uint8Array(0), 200n);
    await refuses(/at most 3 bytes/);
    raw('[]', new Uint8Array(0));
    await refuses(/JSON object/);
    raw('{"a":', new Uint8Array(0));
    await refuses(/JSON object/);
    fs.writeFileSync(file, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]));
    await refuses(/UTF-8/);
    raw('{"__metadata__":{"a":1}}', new Uint8Array(0));
    await refuses(/__metadata__: expected texts/);
  });

  it('refuses a folder', () =>
    assert.rejects(
      readSafetensors(os.tmpdir()),
      (e: Error) => e instanceof FormatError && /got a folder/.test(e.message),
    ));

  it('names the tensor that is wrong', async () => {
    const cases: [RegExp, string, number][] = [
      [
        /tensor "b": .*begin at byte 8, got 4 \(it overlaps/,
        header({ a: ['F32', [2], [0, 8]], b: ['F32', [2], [4, 12]] }),
        12,
      ],
      [
        /tensor "b": .*begin at byte 8, got 12 \(a hole/,
        header({ a: ['F32', [2], [0, 8]], b: ['F32', [1], [12, 16]] }),
        16,
      ],
      [/tensor "a": .*within the 4 bytes of data, got 0 to 8/, header({ a: ['F32', [2], [0, 8]] }), 4],
      [/tensor "a": .*within/, header({ a: ['F32', [0], [4, 0]] }), 4],
      [/tensor "a": .*expected 12 bytes for F32 \[3\], got 8/, header({ a: ['F32', [3], [0, 8]] }), 8],
      [/tensor "a": .*type among .*, got F31/, header({ a: ['F31', [2], [0, 8]] }), 8],
      [/tensor "a": .*got toString/, header({ a: ['toString', [2], [0, 8]] }), 8],
      [/tensor "a": shape: 0: /, header({ a: ['F32', [-2], [0, 8]] }), 8],
      [/tensor "a": data_offsets: 1: /, '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8.5]}}', 8],
      [/tensor "a": .*shape/, '{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8],
      [
        /tensor "a": .*twice/,
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        1,
      ],
      [/tensor "dtype": .*twice/, '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1],
      [/tensor "a": .*0 and 1/, header({ a: ['BOOL', [1], [0, 1]] }), 1],
    ];
    for (const [what, text, bytes] of cases) {
      raw(text, new Uint8Array(bytes).fill(7));
      await refuses(what);
    }
  });
});

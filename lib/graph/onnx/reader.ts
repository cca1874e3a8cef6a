/**
 * Reads an ONNX model as a function of tensors: its nodes become this package's operations, so that it runs on any
 * device, can be differentiated and trained further. Opsets 13 to 24; control flow, quantised types and strings are
 * refused.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ArgumentError, FormatError, OmniError, ShapeError } from '../../errors';
import { BYTES_PER_ELEMENT, emptyArray, isFloat, viewBytes } from '../dtype';
import type { DType, HostTensor, TypedArray } from '../dtype';
import { buildProgram } from '../program';
import type { Program } from '../program';
import { showShape, sizeOf } from '../shape';
import { Storage } from '../storage';
import { constant, fromStorage, input } from '../tensor';
import type { Tensor } from '../tensor';
import { fold } from './fold';
import { importRules } from './import-rules';
import type { AttributeReader } from './import-rules';
import { ATTRIBUTE, DATA_TYPE, ModelMessage } from './schema';
import type { AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from './schema';

const OLDEST_OPSET = 13;
const NEWEST_OPSET = 24;
const DTYPE_OF = new Map(Object.entries(DATA_TYPE).map(([k, v]) => [v, k as DType]));
const TYPE_NAMES: Record<number, string> = {
  3: 'int8',
  5: 'int16',
  8: 'string',
  11: 'double',
  16: 'bfloat16',
};

/** An input or output as the model declares it; a size that is open has a name. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

export interface ReadOptions {
  /** Reads from a file that the model keeps large tensors in, by the location that it states; less where it ends. */
  external?: (location: string, offset: number, length: number) => Uint8Array;
  /** For messages: the file's name. */
  name?: string;
}

/** A model that was read. */
export interface OnnxFunction {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** The float tensors with more than one element that the model stores, by name. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** The outputs for given inputs, as an expression: use it in a compiled function, or ask for the values. */
  apply(inputs: Record<string, Tensor>, weights?: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
  /** The model as a program with its weights inside. `sizes` gives the open sizes by name. */
  program(sizes?: Readonly<Record<string, number>>): Program;
}

function damaged(where: string, what: string, options?: ErrorOptions): FormatError {
  return new FormatError(where, what, 'the file is damaged or was not written completely: export it again', options);
}

function dtypeOf(where: string, type: number): DType {
  const dtype = DTYPE_OF.get(type);
  if (!dtype)
    throw new FormatError(
      where,
      `expected float32, float16, int32, int64 or bool, got ${TYPE_NAMES[type] ?? `ONNX type ${type}`}`,
      'convert the model to float32 (and its indices to int64) before it is exported',
    );
  return dtype;
}

/** A stored tensor's values. */
function readTensor(where: string, t: TensorProto, external?: ReadOptions['external']): HostTensor {
  const dtype = dtypeOf(where, t.dataType);
  const shape = t.dims.map(Number);
  const size = sizeOf(shape);
  const bytes = size * BYTES_PER_ELEMENT[dtype];
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0))
    throw damaged(where, `expected sizes, got ${showShape(shape)}`);
  let raw: Uint8Array | undefined = t.rawData?.length ? t.rawData : undefined;
  if (t.dataLocation === 1) {
    const entries = new Map(t.externalData?.map(({ key, value }) => [key, value]));
    const location = entries.get('location') ?? '';
    if (!external)
      throw new FormatError(
        where,
        `expected the file "${location}" that the model keeps this tensor in`,
        'read the model by its path with loadOnnx, or pass `external`',
      );
    const offset = Number(entries.get('offset') ?? 0);
    const length = Number(entries.get('length') ?? bytes);
    if (length !== bytes)
      throw damaged(where, `expected ${bytes} bytes for ${dtype} ${showShape(shape)}, got ${length}`);
    if (!Number.isSafeInteger(offset) || offset < 0) throw damaged(where, `expected an offset, got ${offset}`);
    raw = external(location, offset, length);
    if (raw.length !== length)
      throw damaged(where, `expected ${length} bytes at ${offset} of "${location}", got ${raw.length}`);
  }
  if (raw || size === 0) {
    if ((raw?.length ?? 0) !== bytes)
      throw damaged(where, `expected ${bytes} bytes for ${dtype} ${showShape(shape)}, got ${raw?.length ?? 0}`);
    const copy = new Uint8Array(bytes);
    if (raw) copy.set(raw);
    return { dtype, shape, data: viewBytes(dtype, copy.buffer, 0, size) };
  }
  // Values may also lie in a list of numbers: 16-bit floats by their bits.
  const list: ArrayLike<unknown> =
    (dtype === 'float32' ? t.floatData : dtype === 'int64' ? t.int64Data : t.int32Data) ?? [];
  if (list.length !== size)
    throw damaged(where, `expected ${size} values for ${dtype} ${showShape(shape)}, got ${list.length}`);
  const data: TypedArray = emptyArray(dtype, size);
  for (let i = 0; i < size; i++) data[i] = dtype === 'int64' ? BigInt(String(list[i])) : Number(list[i]);
  return { dtype, shape, data };
}

function readValue(where: string, v: ValueInfoProto): OnnxValue {
  const type = v.type?.tensorType;
  if (!type) throw new FormatError(`${where}, value ${v.name}`, 'expected a tensor', 'sequences and maps are not read');
  const dims = type.shape?.dim ?? [];
  return {
    name: v.name,
    dtype: dtypeOf(`${where}, value ${v.name}`, type.elemType),
    shape: dims.map((d, i) =>
      // Decoded messages inherit a zero where the field is absent.
      Object.hasOwn(d, 'value') ? Number(d.value) : d.param || `${v.name}_${i}`,
    ),
  };
}

function attributeReader(
  where: string,
  list: readonly AttributeProto[],
  external?: ReadOptions['external'],
): AttributeReader {
  const byName = new Map(list.map((a) => [a.name, a]));
  const of = (name: string, type: number): AttributeProto | undefined => {
    const a = byName.get(name);
    if (a && a.type && a.type !== type)
      throw damaged(where, `expected attribute "${name}" of type ${type}, got ${a.type}`);
    return a;
  };
  return {
    has: (name) => byName.has(name),
    int: (name, fallback) => Number(of(name, ATTRIBUTE.int)?.i ?? (byName.has(name) ? 0 : fallback)),
    float: (name, fallback) => of(name, ATTRIBUTE.float)?.f ?? (byName.has(name) ? 0 : fallback),
    string: (name, fallback) => {
      const s = of(name, ATTRIBUTE.string)?.s;
      return s ? Buffer.from(s).toString() : fallback;
    },
    ints: (name) => (byName.has(name) ? (of(name, ATTRIBUTE.ints)?.ints ?? []).map(Number) : undefined),
    tensor: (name) => {
      const t = of(name, ATTRIBUTE.tensor)?.t;
      return t ? readTensor(where, t, external) : undefined;
    },
  };
}

function decode(where: string, bytes: Uint8Array): ModelProto {
  let model: ModelProto;
  try {
    model = ModelMessage.decode(bytes) as unknown as ModelProto;
  } catch (error) {
    throw damaged(where, `expected an ONNX model, got bytes that do not decode (${(error as Error).message})`, {
      cause: error,
    });
  }
  if (!model.graph?.node?.length && !model.graph?.output?.length)
    throw damaged(where, 'expected an ONNX model, found no graph in it');
  const opset = Number(model.opsetImport.find((o) => !o.domain || o.domain === 'ai.onnx')?.version ?? 0);
  if (opset < OLDEST_OPSET || opset > NEWEST_OPSET)
    throw new FormatError(
      where,
      `expected opset ${OLDEST_OPSET} to ${NEWEST_OPSET}, got ${opset}`,
      'convert it with onnx.version_converter, or export it with another opset_version',
    );
  if (model.graph.sparseInitializer?.length || model.functions?.length)
    throw new FormatError(
      where,
      'expected plain tensors and operators, got sparse tensors or functions of its own',
      'inline the functions (onnx.inliner) and store dense tensors',
    );
  return model;
}

/**
 * Reads a model from its bytes. Throws FormatError for a damaged file, an operator, type or opset that is not read (it
 * names the node and what to do).
 */
export function readOnnx(bytes: Uint8Array, options: ReadOptions = {}): OnnxFunction {
  const where = options.name ?? 'readOnnx';
  const { graph } = decode(where, bytes);
  const weights: Record<string, Tensor> = {};
  const fixed = new Map<string, Tensor>();
  for (const t of graph.initializer) {
    const value = readTensor(`${where}, tensor ${t.name}`, t, options.external);
    if (isFloat(value.dtype) && sizeOf(value.shape) > 1)
      weights[t.name] = fromStorage(new Storage(value.dtype, value.shape, value.data));
    else fixed.set(t.name, constant(value));
  }
  const stored = (name: string): boolean => fixed.has(name) || Object.hasOwn(weights, name);
  const inputs = graph.input.filter((v) => !stored(v.name)).map((v) => readValue(where, v));
  const outputs = graph.output.map((v) => readValue(where, v));
  const nodes = graph.node.map((node, i) => prepareNode(where, node, i, options.external));

  const apply: OnnxFunction['apply'] = (given, ownWeights = weights) => {
    const env = new Map<string, Tensor>(fixed);
    for (const [name, stored] of Object.entries(weights)) {
      const own = ownWeights[name];
      if (!own || own.dtype !== stored.dtype || showShape(own.shape) !== showShape(stored.shape))
        throw new ArgumentError(
          where,
          `expected weight "${name}" like ${stored.toString()}, got ${own?.toString()}`,
          'pass a tree like .weights',
        );
      env.set(name, own);
    }
    bindInputs(where, inputs, given, env);
    for (const node of nodes) node(env);
    return Object.fromEntries(
      outputs.map((v) => {
        const t = env.get(v.name);
        if (!t) throw damaged(where, `expected a node that computes the output "${v.name}", found none`);
        if (t.dtype !== v.dtype)
          throw damaged(where, `expected output "${v.name}" to be ${v.dtype}, got ${t.toString()}`);
        return [v.name, t];
      }),
    );
  };

  return {
    inputs,
    outputs,
    weights,
    apply,
    program: (sizes = {}) => {
      const placeholders = inputs.map((v) =>
        input({ dtype: v.dtype, shape: v.shape.map((d) => sizeFor(where, v, d, sizes)) }, v.name),
      );
      const results = apply(Object.fromEntries(inputs.map((v, i) => [v.name, placeholders[i]])));
      return buildProgram(
        placeholders,
        outputs.map((v) => results[v.name]),
        (t) => constant({ dtype: t.dtype, shape: t.shape, data: t.storage!.hostValues! }),
      );
    },
  };
}

/**
 * Reads a model from a file, with the files of large tensors that lie beside it. Throws FormatError as readOnnx does.
 */
export async function loadOnnx(file: string): Promise<OnnxFunction> {
  const name = path.basename(file);
  const folder = path.dirname(path.resolve(file));
  const bytes = await readFile(file);
  const opened = new Map<string, number>();
  const descriptor = (location: string): number => {
    const known = opened.get(location);
    if (known !== undefined) return known;
    // A model must not read what its author chose elsewhere on this machine.
    const target = path.resolve(folder, location);
    if (path.dirname(target) !== folder)
      throw new FormatError(
        name,
        `expected a file beside the model, got "${location}"`,
        'move it there and export again',
      );
    try {
      const fd = openSync(target, 'r');
      opened.set(location, fd);
      return fd;
    } catch (error) {
      throw new FormatError(
        name,
        `expected the file "${location}" beside the model, which cannot be opened`,
        'copy it together with the model',
        { cause: error },
      );
    }
  };
  try {
    return readOnnx(bytes, {
      name,
      external: (location, offset, length) => readRange(descriptor(location), offset, length),
    });
  } finally {
    for (const fd of opened.values()) closeSync(fd);
  }
}

/** Bytes of a file that may be larger than one read call or one buffer takes; fewer where it ends. */
function readRange(fd: number, offset: number, length: number): Uint8Array {
  const available = Math.max(0, Math.min(length, fstatSync(fd).size - offset));
  const out = new Uint8Array(available);
  let at = 0;
  while (at < available) {
    const n = readSync(fd, out, at, Math.min(available - at, 1 << 30), offset + at);
    if (n === 0) break;
    at += n;
  }
  return out.subarray(0, at);
}

function sizeFor(where: string, v: OnnxValue, d: number | string, sizes: Readonly<Record<string, number>>): number {
  if (typeof d === 'number') return d;
  if (sizes[d] === undefined)
    throw new ArgumentError(
      where,
      `expected a size for "${d}" of input "${v.name}" [${v.shape.join(', ')}]`,
      `pass it: program({ ${JSON.stringify(d)}: 1 })`,
    );
  return sizes[d];
}

function bindInputs(
  where: string,
  inputs: readonly OnnxValue[],
  given: Record<string, Tensor>,
  env: Map<string, Tensor>,
): void {
  const sizes = new Map<string, number>();
  for (const v of inputs) {
    const t = given[v.name];
    const fits =
      t?.dtype === v.dtype &&
      t.rank === v.shape.length &&
      v.shape.every((d, i) => {
        if (typeof d === 'number') return d === t.shape[i];
        if (!sizes.has(d)) sizes.set(d, t.shape[i]);
        return sizes.get(d) === t.shape[i];
      });
    if (!fits)
      throw new ShapeError(
        where,
        `expected input "${v.name}" as ${v.dtype} [${v.shape.join(', ')}], got ${t ? t.toString() : 'nothing'}`,
        `the inputs are ${inputs.map((u) => u.name).join(', ')}; sizes of one name are equal`,
      );
    env.set(v.name, t);
  }
}

/** Checks a node and returns what computes it. */
function prepareNode(
  where: string,
  node: NodeProto,
  i: number,
  external?: ReadOptions['external'],
): (env: Map<string, Tensor>) => void {
  const at = `${where}, node ${node.name || i} (${node.opType})`;
  const domain = node.domain && node.domain !== 'ai.onnx' ? `${node.domain}.` : '';
  const rule = importRules.get(`${domain}${node.opType}`);
  if (!rule)
    throw new FormatError(
      at,
      `expected an operator that this package reads, got ${domain}${node.opType} with inputs ${node.input.join(', ')}`,
      'simplify the model before export (constant folding often removes it), or replace the operator by simpler ones',
    );
  const attributes = attributeReader(at, node.attribute, external);
  return (env) => {
    const x = node.input.map((name) => {
      if (name === '') return undefined;
      const t = env.get(name);
      if (!t) throw damaged(at, `expected "${name}" to be computed before, found nothing of that name`);
      return t;
    });
    let results: Tensor[];
    try {
      results = rule({ where: at, x, attributes, outputs: node.output.length });
    } catch (error) {
      // Shape errors of the operations get the node's name.
      if (error instanceof OmniError && error.where !== at)
        throw new FormatError(at, `${error.where}: ${error.what}`, error.help, { cause: error });
      throw error;
    }
    node.output.forEach((name, k) => {
      if (name === '') return;
      if (!results[k])
        throw new FormatError(
          at,
          `expected at most ${results.length} outputs, got "${name}" as well`,
          'export the model for inference',
        );
      if (env.has(name)) throw damaged(at, `expected each value to be computed once, got "${name}" again`);
      env.set(name, fold(results[k]));
    });
  };
}

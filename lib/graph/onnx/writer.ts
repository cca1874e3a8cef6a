/**
 * Writes a program as an ONNX model (opset 21, IR version 10). Constants over `externalBytes` go to a file beside the
 * model, as the format asks for models over 2 GB.
 */
import { createHash } from 'node:crypto';
import { ArgumentError } from '../../errors';
import { fromNumbers, toNumbers } from '../dtype';
import type { DType, HostTensor, TypedArray } from '../dtype';
import type { Program } from '../program';
import type { Node, Tensor } from '../tensor';
import { fuse } from './fuse';
import { ruleFor } from './targets';
import type { AttributeValue, Emitter, Target } from './rules';
import { ATTRIBUTE, DATA_TYPE, ModelMessage } from './schema';
import type { AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from './schema';

/** Versions of the operator set and of the file format that are written. */
export const OPSET = 21;
export const IR_VERSION = 10;

export interface WriteOptions {
  /** Which execution provider the graph is for; some operators are written differently. */
  target?: Target;
  /** Name of the file for large constants, to be stored beside the model. */
  externalFile?: string;
  /** Constants of at least this many bytes go to `externalFile`. */
  externalBytes?: number;
  /** Names of inputs and outputs, instead of i0, i1, ... and o0, o1, .... */
  inputNames?: readonly string[];
  outputNames?: readonly string[];
}

export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** The pieces of the external file, in order. */
  readonly external: readonly Uint8Array[];
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly nodeCount: number;
  /** SHA-256 of the model and its external data. */
  readonly hash: string;
}

const bytesOf = (data: TypedArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'string') return { name, type: ATTRIBUTE.string, s: Buffer.from(value) };
  if (typeof value === 'number') return { name, type: ATTRIBUTE.int, i: value };
  if ('float' in value) return { name, type: ATTRIBUTE.float, f: value.float };
  return { name, type: ATTRIBUTE.ints, ints: [...value] };
}

const valueInfo = (name: string, t: { dtype: DType; shape: readonly number[] }): ValueInfoProto => ({
  name,
  type: { tensorType: { elemType: DATA_TYPE[t.dtype], shape: { dim: t.shape.map((value) => ({ value })) } } },
});

/** Writes a program; throws where protobuf's 2 GB would be passed without an external file. */
export function writeOnnx(program: Program, options: WriteOptions = {}): OnnxModel {
  const { target = 'cpu', externalFile, externalBytes = 1024 } = options;
  const nodes: NodeProto[] = [];
  const initializers = new Map<string, TensorProto>();
  const external: Uint8Array[] = [];
  let externalSize = 0;
  let inlineSize = 0;
  let counter = 0;

  const taken = new Set<string>();
  const take = (name: string): string => {
    if (taken.has(name))
      throw new ArgumentError('writeOnnx', `expected distinct names, got "${name}" twice`, 'rename one of them');
    taken.add(name);
    return name;
  };
  /** Generated names avoid those that the caller chose. */
  const free = (name: string): string => {
    while (taken.has(name)) name += '_';
    return name;
  };

  const initializer = (wanted: string, value: HostTensor): string => {
    const name = free(wanted);
    if (initializers.has(name)) return name;
    const raw = bytesOf(value.data);
    const proto: TensorProto = { dims: [...value.shape], dataType: DATA_TYPE[value.dtype], name };
    if (externalFile && raw.byteLength >= externalBytes) {
      const padding = (64 - (externalSize % 64)) % 64;
      if (padding) external.push(new Uint8Array(padding));
      externalSize += padding;
      proto.dataLocation = 1;
      proto.externalData = [
        { key: 'location', value: externalFile },
        { key: 'offset', value: String(externalSize) },
        { key: 'length', value: String(raw.byteLength) },
      ];
      external.push(raw);
      externalSize += raw.byteLength;
    } else {
      proto.rawData = raw;
      inlineSize += raw.byteLength;
    }
    initializers.set(name, proto);
    return name;
  };

  const emitter: Emitter = {
    target,
    emit(opType, inputs, attributes = {}, outputs = 1, domain = '') {
      const names = typeof outputs === 'number' ? Array.from({ length: outputs }, () => emitter.name()) : [...outputs];
      nodes.push({
        input: [...inputs],
        output: names,
        name: `n${nodes.length}_${opType}`,
        opType,
        domain,
        attribute: Object.entries(attributes).map(([k, v]) => attribute(k, v)),
      });
      return names;
    },
    name: () => free(`t${counter++}`),
    ints(values, scalar = false) {
      const shape = scalar ? [] : [values.length];
      return initializer(`c_int64_${scalar ? 's' : ''}${values.join('_')}`, {
        dtype: 'int64',
        shape,
        data: fromNumbers('onnx', 'int64', values),
      });
    },
    floats(values) {
      return initializer(`c_float32_${values.join('_')}`, {
        dtype: 'float32',
        shape: [values.length],
        data: Float32Array.from(values),
      });
    },
    scalar(dtype, value) {
      return initializer(`c_${dtype}_${Object.is(value, -0) ? '-0' : value}`, {
        dtype,
        shape: [],
        data: fromNumbers('onnx', dtype, [value]),
      });
    },
  };

  const names = new Map<string, string>();
  const key = (t: { node: Node; index: number }): string => `${t.node.id}:${t.index}`;
  const inputNames = program.inputs.map((t, i) => {
    const name = take(options.inputNames?.[i] ?? `i${i}`);
    names.set(key(t), name);
    return name;
  });
  const outputNames = program.outputs.map((_, i) => take(options.outputNames?.[i] ?? `o${i}`));
  // A result that is an output is written under the output's name at once, unless that is taken.
  program.outputs.forEach((t, i) => {
    if (t.node.op !== 'input' && t.node.op !== 'constant' && !names.has(key(t))) names.set(key(t), outputNames[i]);
  });
  const nameOf = (t: Tensor): string => names.get(key(t))!;
  let position = 0;
  const namesOf = (node: Node): string[] =>
    node.types.map((_, i) => {
      const k = `${node.id}:${i}`;
      if (!names.has(k)) names.set(k, free(`v${position}_${i}`));
      position++;
      return names.get(k)!;
    });
  const fused = target === 'cpu' ? fuse(program) : new Map<Node, null>();
  for (const node of program.nodes) {
    const instead = fused.get(node);
    if (instead) {
      const { opType, inputs, ints, attributes, nodes: together } = instead;
      const operands = [...inputs.map(nameOf), ...(ints ? [emitter.ints(ints)] : [])];
      emitter.emit(opType, operands, attributes, together.flatMap(namesOf));
    }
    if (instead !== undefined) continue;
    if (node.op === 'constant') {
      const { dtype, shape } = node.types[0];
      const data = (node as unknown as Node<'constant'>).params.data;
      const name =
        shape.length === 0 && dtype !== 'int64'
          ? emitter.scalar(dtype, toNumbers({ dtype, shape, data })[0])
          : initializer(`k${position}`, { dtype, shape, data });
      position++;
      names.set(`${node.id}:0`, name);
      continue;
    }
    const y = namesOf(node);
    ruleFor(
      target,
      node.op,
    )({
      e: emitter,
      p: node.params as never,
      x: node.inputs.map(nameOf),
      xt: node.inputs,
      y,
      yt: node.types,
    });
  }
  program.outputs.forEach((t, i) => {
    const name = names.get(key(t))!;
    if (name !== outputNames[i]) emitter.emit('Identity', [name], {}, [outputNames[i]]);
  });

  if (inlineSize > 1.9e9)
    throw new ArgumentError(
      'writeOnnx',
      `expected less than 2 GB of constants inside the model, got ${(inlineSize / 1e9).toFixed(1)} GB`,
      'pass externalFile, or give large weights as inputs',
    );
  const model: ModelProto = {
    irVersion: IR_VERSION,
    producerName: 'omnilab',
    graph: {
      name: 'omnilab',
      node: nodes,
      initializer: [...initializers.values()],
      input: program.inputs.map((t, i) => valueInfo(inputNames[i], t)),
      output: program.outputs.map((t, i) => valueInfo(outputNames[i], t)),
    },
    opsetImport: [
      { domain: '', version: OPSET },
      ...(nodes.some((n) => n.domain === 'com.microsoft') ? [{ domain: 'com.microsoft', version: 1 }] : []),
    ],
  };
  const bytes = ModelMessage.encode(model).finish();
  const hash = createHash('sha256').update(bytes);
  for (const piece of external) hash.update(piece);
  return { bytes, external, inputNames, outputNames, nodeCount: nodes.length, hash: hash.digest('hex') };
}

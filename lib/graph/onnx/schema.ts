/**
 * The messages of the ONNX file format that this package reads and writes, with their field numbers (onnx.ai, IR
 * version 10), as a protobufjs descriptor. Fields that are not listed are skipped when read.
 */
import { Root } from 'protobufjs/light';
import type { IField } from 'protobufjs/light';
import type { DType } from '../dtype';

const f = (type: string, id: number, rule?: 'repeated', packed?: boolean): IField => ({
  type,
  id,
  ...(rule ? { rule } : {}),
  ...(packed ? { options: { packed: true } } : {}),
});

const root = Root.fromJSON({
  nested: {
    StringStringEntry: { fields: { key: f('string', 1), value: f('string', 2) } },
    Tensor: {
      fields: {
        dims: f('int64', 1, 'repeated', true),
        dataType: f('int32', 2),
        floatData: f('float', 4, 'repeated', true),
        int32Data: f('int32', 5, 'repeated', true),
        int64Data: f('int64', 7, 'repeated', true),
        name: f('string', 8),
        rawData: f('bytes', 9),
        externalData: f('StringStringEntry', 13, 'repeated'),
        dataLocation: f('int32', 14),
      },
    },
    Attribute: {
      // Choices of one: zeros are written too.
      oneofs: { float: { oneof: ['f'] }, int: { oneof: ['i'] } },
      fields: {
        name: f('string', 1),
        f: f('float', 2),
        i: f('int64', 3),
        s: f('bytes', 4),
        t: f('Tensor', 5),
        floats: f('float', 7, 'repeated', true),
        ints: f('int64', 8, 'repeated', true),
        type: f('int32', 20),
      },
    },
    // A choice, so that a size of zero is written and told from an unknown one.
    Dimension: {
      oneofs: { size: { oneof: ['value', 'param'] } },
      fields: { value: f('int64', 1), param: f('string', 2) },
    },
    Shape: { fields: { dim: f('Dimension', 1, 'repeated') } },
    TensorType: { fields: { elemType: f('int32', 1), shape: f('Shape', 2) } },
    Type: { fields: { tensorType: f('TensorType', 1) } },
    ValueInfo: { fields: { name: f('string', 1), type: f('Type', 2) } },
    Node: {
      fields: {
        input: f('string', 1, 'repeated'),
        output: f('string', 2, 'repeated'),
        name: f('string', 3),
        opType: f('string', 4),
        attribute: f('Attribute', 5, 'repeated'),
        domain: f('string', 7),
      },
    },
    Graph: {
      fields: {
        node: f('Node', 1, 'repeated'),
        name: f('string', 2),
        initializer: f('Tensor', 5, 'repeated'),
        input: f('ValueInfo', 11, 'repeated'),
        output: f('ValueInfo', 12, 'repeated'),
        valueInfo: f('ValueInfo', 13, 'repeated'),
        sparseInitializer: f('bytes', 15, 'repeated'),
      },
    },
    OperatorSet: { fields: { domain: f('string', 1), version: f('int64', 2) } },
    Model: {
      fields: {
        irVersion: f('int64', 1),
        producerName: f('string', 2),
        producerVersion: f('string', 3),
        graph: f('Graph', 7),
        opsetImport: f('OperatorSet', 8, 'repeated'),
        metadataProps: f('StringStringEntry', 14, 'repeated'),
        functions: f('bytes', 25, 'repeated'),
      },
    },
  },
});

/** The message that an ONNX file is. */
export const ModelMessage = root.lookupType('Model');

/** AttributeProto.AttributeType */
export const ATTRIBUTE = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

/** TensorProto.DataType */
export const DATA_TYPE: Record<DType, number> = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10, uint8: 2 };

export interface TensorProto {
  dims: number[];
  dataType: number;
  name: string;
  rawData?: Uint8Array;
  externalData?: { key: string; value: string }[];
  dataLocation?: number;
  floatData?: number[];
  int32Data?: number[];
  int64Data?: unknown[];
}
export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorProto;
  floats?: number[];
  ints?: number[];
}
export interface NodeProto {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  domain?: string;
  attribute: AttributeProto[];
}
export interface ValueInfoProto {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: { value?: number; param?: string }[] } } };
}
export interface ModelProto {
  irVersion: number;
  producerName: string;
  producerVersion?: string;
  graph: {
    name: string;
    node: NodeProto[];
    initializer: TensorProto[];
    input: ValueInfoProto[];
    output: ValueInfoProto[];
    /** Only looked at to be refused, as `functions` below. */
    sparseInitializer?: Uint8Array[];
  };
  functions?: Uint8Array[];
  opsetImport: { domain: string; version: number }[];
  metadataProps?: { key: string; value: string }[];
}

/** A model that returns its input, for moving values to and from a device. One serves all shapes of a rank. */
import type { DType } from '../dtype';
import { range } from '../shape';
import { DATA_TYPE, ModelMessage } from './schema';
import type { ModelProto, ValueInfoProto } from './schema';
import { IR_VERSION, OPSET } from './writer';

/** Names of the model's input and output. */
export const COPY_INPUT = 'x';
export const COPY_OUTPUT = 'y';

/** The bytes of an Identity model for tensors of `rank` axes of any size. */
export function copyModel(dtype: DType, rank: number): Uint8Array {
  const dim = range(rank).map((i) => ({ param: `d${i}` }));
  const value = (name: string): ValueInfoProto => ({
    name,
    type: { tensorType: { elemType: DATA_TYPE[dtype], shape: { dim } } },
  });
  const model: ModelProto = {
    irVersion: IR_VERSION,
    producerName: 'omnilab',
    graph: {
      name: 'copy',
      node: [{ input: [COPY_INPUT], output: [COPY_OUTPUT], name: 'copy', opType: 'Identity', attribute: [] }],
      initializer: [],
      input: [value(COPY_INPUT)],
      output: [value(COPY_OUTPUT)],
    },
    opsetImport: [{ domain: '', version: OPSET }],
  };
  return ModelMessage.encode(model).finish();
}

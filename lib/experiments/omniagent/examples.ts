/** Token examples in files: all tokens in one array, with masks and offsets. */
import { FormatError } from '../../errors';
import type { HostTensor } from '../../graph/dtype';
import type { TokenExample } from '../../trainers/batches';

/** Packs examples for `ctx.save`. */
export function packExamples(examples: readonly TokenExample[]): Record<string, HostTensor> {
  const total = examples.reduce((n, e) => n + e.ids.length, 0);
  const ids = new Int32Array(total);
  const mask = new Uint8Array(total);
  const offsets = new Int32Array(examples.length + 1);
  examples.forEach((e, i) => {
    ids.set(Array.from(e.ids), offsets[i]);
    mask.set(Array.from(e.mask), offsets[i]);
    offsets[i + 1] = offsets[i] + e.ids.length;
  });
  return {
    ids: { dtype: 'int32', shape: [total], data: ids },
    mask: { dtype: 'bool', shape: [total], data: mask },
    offsets: { dtype: 'int32', shape: [offsets.length], data: offsets },
  };
}

/** The inverse. Throws FormatError for a file of another kind. */
export function unpackExamples(where: string, tensors: Record<string, HostTensor>): TokenExample[] {
  const { ids, mask, offsets } = tensors;
  if (!ids || !mask || !offsets)
    throw new FormatError(
      where,
      `expected ids, mask and offsets, got ${Object.keys(tensors).join(', ')}`,
      'remove the run, so that it is made again',
    );
  const at = offsets.data as Int32Array;
  return Array.from({ length: at.length - 1 }, (_, i) => ({
    ids: (ids.data as Int32Array).subarray(at[i], at[i + 1]),
    mask: (mask.data as Uint8Array).subarray(at[i], at[i + 1]),
  }));
}

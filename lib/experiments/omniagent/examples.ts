/** Token examples in files: all tokens in one array, with masks and offsets; their media and blocks beside them. */
import { FormatError } from '../../errors';
import type { HostTensor } from '../../graph/dtype';
import type { TokenExample } from '../../trainers/batches';
import type { OmniExample } from '../../trainers/omni-batch';
import type { Modality, Scene } from '../../world';

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

/** An input medium as data hold it: what it shows. */
export interface SceneMedium {
  modality: Modality;
  scene: Scene;
}

/** An example whose media are scenes still. */
export interface SceneExample extends TokenExample {
  media: { at: number; medium: SceneMedium }[];
  blocks: OmniExample['blocks'][number][];
}

/** What a file of examples keeps beside the tokens: media by example and position, and blocks. */
export interface StoredMedia {
  media: { example: number; at: number; medium: SceneMedium }[];
  blocks: ({ example: number } & OmniExample['blocks'][number])[];
}

export const storedMedia = (examples: readonly SceneExample[]): StoredMedia => ({
  media: examples.flatMap((e, example) => e.media.map((m) => ({ example, ...m }))),
  blocks: examples.flatMap((e, example) => e.blocks.map((b) => ({ example, ...b }))),
});

/** Examples with their media, which are numbered in the order of `media`. */
export function joinMedia(
  examples: readonly TokenExample[],
  stored: StoredMedia,
): { examples: OmniExample[]; media: SceneMedium[] } {
  const joined = examples.map((e) => ({
    ...e,
    media: [] as { at: number; medium: number }[],
    blocks: [] as OmniExample['blocks'][number][],
  }));
  stored.media.forEach(({ example, at }, medium) => joined[example].media.push({ at, medium }));
  for (const { example, ...block } of stored.blocks) joined[example].blocks.push(block);
  return { examples: joined, media: stored.media.map((m) => m.medium) };
}

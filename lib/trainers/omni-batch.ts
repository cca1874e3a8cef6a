/** Batches of sequences with input media and blocks of signal tokens. */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { MediaStates } from '../models/input-projector';
import { packStates } from '../models/media-states';
import type { EncodedMedium } from '../models/media-states';
import type { BlockPositions } from '../models/omniagent';
import { MODALITIES, SIGNALS } from '../world/signals';
import type { Modality } from '../world/signals';
import { padBatch, slotIndices } from './batches';
import type { TokenBatch, TokenExample } from './batches';

/** A sequence with its media. */
export interface OmniExample extends TokenExample {
  /** Input media: the position of the first slot, and the medium's number in the store. */
  media: readonly { at: number; medium: number }[];
  /** Whole blocks of signal tokens: the position of the first token, and the caption that the decoder would be given. */
  blocks: readonly { modality: Modality; at: number; caption: string }[];
}

/** What a batch is made to. */
export interface OmniShape {
  maxLength: number;
  /** Vectors of a medium. */
  slots: number;
  /** Media of one sequence, at most. Default 1. */
  mediaPerRow?: number;
  /** Width and number that states of media are padded to. */
  width: number;
  length: number;
}

/** Where the slots are, and the media for them. */
export type MediaBatch = { slots: Tensor; media: MediaStates };

const ints = (values: Int32Array, shape: number[]): Tensor => tensor(values, { shape });

/** The media of a batch whose sequences are padded to `time`: as many rows as it may have, or those that are there, in `room` rows. */
export function mediaBatch(
  examples: readonly OmniExample[],
  store: (medium: number) => EncodedMedium,
  time: number,
  shape: OmniShape,
  room?: number,
): MediaBatch {
  const { slots, mediaPerRow = 1, width, length } = shape;
  const own = examples.map((e) => e.media.map(({ medium }) => store(medium)));
  const media: (EncodedMedium | null)[] = own.flatMap((list) =>
    room === undefined ? Array.from({ length: mediaPerRow }, (_, j) => list[j] ?? null) : list,
  );
  while (room !== undefined && media.length < room) media.push(null);
  return {
    slots: slotIndices(
      examples.map((e) => e.media),
      time,
      slots,
      mediaPerRow,
      room !== undefined,
    ),
    media: packStates(media, width, length),
  };
}

/** The blocks of one modality in a batch, and the caption's tokens: int32 [R, captionLength]. */
export type BlockBatch = BlockPositions & { captions: Tensor };

/** What gives a caption's tokens, padded to the text encoder's length. */
export type CaptionTokens = (modality: Modality, caption: string) => ArrayLike<number>;

/**
 * The first block of a modality in each sequence: a row for every sequence, or for those that have one, in `room` rows.
 */
export function blockBatch(
  examples: readonly OmniExample[],
  modality: Modality,
  time: number,
  captionTokens: CaptionTokens,
  room?: number,
): BlockBatch {
  const n = SIGNALS[modality].tokens.length;
  const empty = captionTokens(modality, '');
  const found = examples.map((e) => blockOf(e, modality, time));
  const rows = found.flatMap((block, example) => (block || room === undefined ? [{ block, example }] : []));
  const count = room ?? rows.length;
  const at = new Int32Array(count * n);
  const present = new Float32Array(count);
  const captions = new Int32Array(count * empty.length);
  for (let row = 0; row < count; row++) {
    const { block, example } = rows[row] ?? {};
    captions.set(Array.from(block ? captionTokens(modality, block.caption) : empty), row * empty.length);
    if (!block) continue;
    present[row] = 1;
    for (let k = 0; k < n; k++) at[row * n + k] = example * time + block.at + k;
  }
  return {
    at: ints(at, [count, n]),
    present: tensor(present),
    captions: ints(captions, [count, empty.length]),
  };
}

/** The first whole block of a modality in a sequence that is cut at `time`. */
const blockOf = (e: OmniExample, modality: Modality, time: number): OmniExample['blocks'][number] | undefined =>
  e.blocks.find((b) => b.modality === modality && b.at + SIGNALS[modality].tokens.length <= time);

/** A padded batch with everything that a stage may look at. */
export type OmniBatch = TokenBatch & { input?: MediaBatch; output?: Record<Modality, BlockBatch> };

export interface OmniBatchOptions {
  shape: OmniShape;
  /** Absent: the stage takes no input media. */
  store?: (medium: number) => EncodedMedium;
  /** Absent: the stage has no output projectors. */
  captionTokens?: CaptionTokens;
  /**
   * Leave out what sequences do not have. So that few shapes are compiled there is room for as many media, and blocks of each modality,
   * as there may be, or for half of them.
   */
  packed?: boolean;
}

export function omniBatch(
  examples: readonly OmniExample[],
  { shape, store, captionTokens, packed }: OmniBatchOptions,
): OmniBatch {
  const batch: OmniBatch = padBatch(examples, shape.maxLength);
  const time = batch.ids.shape[1];
  const { mediaPerRow = 1 } = shape;
  const half = (count: number): number => Math.ceil(count / 2);
  const few =
    packed &&
    examples.reduce((n, e) => n + e.media.length, 0) <= half(examples.length * mediaPerRow) &&
    MODALITIES.every((m) => examples.filter((e) => blockOf(e, m, time)).length <= half(examples.length));
  const roomFor = (count: number): number | undefined => (packed ? (few ? half(count) : count) : undefined);
  if (store) batch.input = mediaBatch(examples, store, time, shape, roomFor(examples.length * mediaPerRow));
  if (captionTokens)
    batch.output = Object.fromEntries(
      MODALITIES.map((m) => [m, blockBatch(examples, m, time, captionTokens, roomFor(examples.length))]),
    ) as Record<Modality, BlockBatch>;
  return batch;
}

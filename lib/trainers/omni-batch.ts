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

/** The media of a batch whose sequences are padded to `time`. */
export function mediaBatch(
  examples: readonly OmniExample[],
  store: (medium: number) => EncodedMedium,
  time: number,
  shape: OmniShape,
): MediaBatch {
  const { slots, mediaPerRow = 1, width, length } = shape;
  const media = examples.flatMap((e) =>
    Array.from({ length: mediaPerRow }, (_, j) => (e.media[j] ? store(e.media[j].medium) : null)),
  );
  return {
    slots: slotIndices(
      examples.map((e) => e.media),
      time,
      slots,
      mediaPerRow,
    ),
    media: packStates(media, width, length),
  };
}

/** The blocks of one modality in a batch, and the caption's tokens: int32 [R, captionLength]. */
export type BlockBatch = BlockPositions & { captions: Tensor };

/** What gives a caption's tokens, padded to the text encoder's length. */
export type CaptionTokens = (modality: Modality, caption: string) => ArrayLike<number>;

/** The first block of each modality in each sequence. */
export function blockBatch(
  examples: readonly OmniExample[],
  modality: Modality,
  time: number,
  captionTokens: CaptionTokens,
): BlockBatch {
  const n = SIGNALS[modality].tokens.length;
  const empty = captionTokens(modality, '');
  const at = new Int32Array(examples.length * n);
  const present = new Float32Array(examples.length);
  const captions = new Int32Array(examples.length * empty.length);
  examples.forEach((e, row) => {
    const block = e.blocks.find((b) => b.modality === modality && b.at + n <= time);
    captions.set(Array.from(block ? captionTokens(modality, block.caption) : empty), row * empty.length);
    if (!block) return;
    present[row] = 1;
    for (let k = 0; k < n; k++) at[row * n + k] = row * time + block.at + k;
  });
  return {
    at: ints(at, [examples.length, n]),
    present: tensor(present),
    captions: ints(captions, [examples.length, empty.length]),
  };
}

/** A padded batch with everything that a stage may look at. */
export type OmniBatch = TokenBatch & { input?: MediaBatch; output?: Record<Modality, BlockBatch> };

export interface OmniBatchOptions {
  shape: OmniShape;
  /** Absent: the stage takes no input media. */
  store?: (medium: number) => EncodedMedium;
  /** Absent: the stage has no output projectors. */
  captionTokens?: CaptionTokens;
}

export function omniBatch(
  examples: readonly OmniExample[],
  { shape, store, captionTokens }: OmniBatchOptions,
): OmniBatch {
  const batch: OmniBatch = padBatch(examples, shape.maxLength);
  const time = batch.ids.shape[1];
  if (store) batch.input = mediaBatch(examples, store, time, shape);
  if (captionTokens)
    batch.output = Object.fromEntries(
      MODALITIES.map((m) => [m, blockBatch(examples, m, time, captionTokens)]),
    ) as Record<Modality, BlockBatch>;
  return batch;
}

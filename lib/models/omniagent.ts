/**
 * What joins OmniAgent's parts in one sequence: vectors of input media go into their slots, and the states at the signal
 * tokens come out for the output projectors. The parts themselves have files of their own.
 */
import { ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Noise } from '../nn/init';
import { embedding } from '../nn/linear';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import type { LlamaInputs, LlamaParams } from './llama';
import { outputProjector, outputProjectorInit } from './output-projector';
import type { OutputProjectorConfig, OutputProjectorParams } from './output-projector';

export type OutputProjectorsConfig = Record<Modality, OutputProjectorConfig>;
export type OutputProjectorsParams = Record<Modality, OutputProjectorParams>;

/** One projector a modality. */
export const outputProjectorsInit = (rng: Noise, c: OutputProjectorsConfig): OutputProjectorsParams =>
  Object.fromEntries(MODALITIES.map((m) => [m, outputProjectorInit(rng, c[m])])) as OutputProjectorsParams;

/**
 * Token embeddings [B, T, width] with the vectors of media in their slots: `slots` int32 [B, T] holds for each position
 * the index of its vector among all of `vectors` [M, K, width], counted through, or -1. Throws ShapeError.
 */
export function fillSlots(embeddings: Tensor, slots: Tensor, vectors: Tensor): Tensor {
  const width = embeddings.shape.at(-1)!;
  if (vectors.rank !== 3 || vectors.shape[2] !== width)
    throw new ShapeError(
      'fillSlots',
      `expected vectors [M, K, ${width}], got ${showShape(vectors.shape)}`,
      'the input projector gives vectors of the width of the language model',
    );
  const chosen = vectors.reshape([-1, width]).gather(slots.maximum(0), 0);
  return where(slots.greaterOrEqual(0).unsqueeze(-1), chosen, embeddings);
}

/** What the language model reads of a batch: its tokens, with vectors in the slots where it has media. */
export const filledInputs = (
  p: LlamaParams,
  { ids, media }: { ids: Tensor; media?: { slots: Tensor; vectors: Tensor } },
): LlamaInputs =>
  media ? { embeddings: fillSlots(embedding(p.model.embed_tokens, ids), media.slots, media.vectors) } : { ids };

/** Where the blocks of one modality stand in a batch, a row each. */
export type BlockPositions = {
  /** int32 [R, n]: row * T + position of each token of the block. */
  at: Tensor;
  /** float32 [R]: 1 where there is a block; elsewhere `at` may be anything in range. */
  present: Tensor;
};

/** The rows of x [B, T, width] at a block's tokens: [R, n, width]. */
export const atBlock = (x: Tensor, at: Tensor): Tensor => x.reshape([-1, x.shape[2]]).gather(at, 0);

/** The conditioning for a modality's decoder from the language model's states and its token embeddings: [R, queries, out]. */
export const projectBlocks = (
  p: OutputProjectorParams,
  c: OutputProjectorConfig,
  hidden: Tensor,
  embeddings: Tensor,
  at: Tensor,
): Tensor => outputProjector(p, c, atBlock(hidden, at), atBlock(embeddings, at));

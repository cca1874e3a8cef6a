/**
 * Stage 4, MM-DPO: preference optimisation by modality (losses/mm-dpo.ts), with mDPO's image and anchor terms. A batch is three
 * blocks of rows in one forward pass: chosen, rejected, and, of pairs whose prompt has an image, chosen after the corrupted image
 * (corrupt-image.ts). The corruption is drawn once for a pair, so that its reference can be computed once too; mDPO draws it anew in
 * every epoch.
 */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tokenLogProbs } from '../losses/cross-entropy';
import { mmDpo } from '../losses/mm-dpo';
import type { MmDpoOptions, SegmentPairs } from '../losses/mm-dpo';
import { llama } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import type { LoraAdapter } from '../nn/lora';
import { SEGMENTS } from '../world/signals';
import { padBatch } from './batches';
import type { TokenBatch, TokenExample } from './batches';
import type { TrainContext } from './context';
import { trainPairs } from './preference-loop';
import type { PairOptions } from './preference-loop';
import { referenceOptions } from './preference';
import type { PreferencePair } from './preference';
import { referenceLogProbs } from './reference';

/** A pair with what MM-DPO needs besides. */
export interface SegmentedPair extends PreferencePair {
  /** The segment of each token: indices into SEGMENTS. */
  segments: { chosen: ArrayLike<number>; rejected: ArrayLike<number> };
  /** The checkers' scores by segment, five each. */
  scores?: { chosen: ArrayLike<number>; rejected: ArrayLike<number> };
  /** The chosen sequence with the vectors of a corrupted image, where the prompt has an image. */
  corrupted?: TokenExample;
}

type MmBatch = {
  tokens: TokenBatch;
  /** int32 [2B, T] */
  segments: Tensor;
  reference: SegmentPairs;
  scores?: SegmentPairs;
  corrupted: { rows: Tensor; present: Tensor; reference: Tensor };
};

/** Sums of a row of token log-probabilities by segment: position t is about token t + 1. */
function sumsBySegment(logProbs: Float32Array, segments: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(SEGMENTS.length);
  for (let t = 0; t < logProbs.length; t++) sums[segments[t + 1]] += logProbs[t];
  return sums;
}

const rowsOf = (rows: readonly ArrayLike<number>[]): Tensor =>
  tensor(Float32Array.from(rows.flatMap((r) => Array.from(r))), { shape: [rows.length, SEGMENTS.length] });

/** Which pairs get a row for their corrupted image: none, or so many that few shapes are compiled (half a batch, or all). */
export function imageRows(present: readonly boolean[]): { rows: number[]; present: number[] } {
  const own = present.flatMap((has, i) => (has ? [i] : []));
  const unit = Math.max(1, Math.ceil(present.length / 2));
  const count = Math.min(present.length, Math.ceil(own.length / unit) * unit);
  return {
    rows: Array.from({ length: count }, (_, k) => own[k] ?? 0),
    present: Array.from({ length: count }, (_, k) => Number(k < own.length)),
  };
}

export function trainMmDpo(
  context: TrainContext,
  o: PairOptions<SegmentedPair>,
  loss: MmDpoOptions = {},
): Promise<LoraAdapter> {
  const { maxLength } = o.model;
  const reference = referenceOptions({ ...o, pairs: [], heldOut: [] });
  return trainPairs<SegmentedPair, MmBatch>(context, o, {
    name: 'mm_dpo',
    prepare: async (pairs) => {
      const all = await referenceLogProbs(reference, [...pairs.map((p) => p.chosen), ...pairs.map((p) => p.rejected)]);
      const sums = {
        chosen: pairs.map((p, i) => sumsBySegment(all[i], p.segments.chosen)),
        rejected: pairs.map((p, i) => sumsBySegment(all[pairs.length + i], p.segments.rejected)),
      };
      const withImage = pairs.flatMap((p, i) => (p.corrupted ? [{ i, example: p.corrupted }] : []));
      const found = await referenceLogProbs(reference, withImage.map((w) => w.example)); // prettier-ignore
      const corruptedSum = new Map(withImage.map(({ i }, k) => [i, found[k].reduce((a, b) => a + b, 0)]));
      return (rows) => batchOf(rows, pairs, sums, corruptedSum);
    },
    loss: (params, b) => {
      const logProbs = tokenLogProbs(llama(params, o.model, filledInputs(params, b.tokens)), b.tokens.labels);
      const half = b.segments.shape[0] / 2;
      const part = (from: number, to: number) => ({
        logProbs: logProbs.slice([from, to]),
        mask: b.tokens.mask.slice([from, to]),
      });
      const side = (from: number) => ({ ...part(from, from + half), segments: b.segments.slice([from, from + half]) });
      const inputs = { chosen: side(0), rejected: side(half), reference: b.reference, scores: b.scores };
      const count = b.corrupted.rows.shape[0];
      const corrupted = count ? { ...b.corrupted, responses: part(2 * half, 2 * half + count) } : undefined;
      return mmDpo({ ...inputs, corrupted }, loss);
    },
  });

  function batchOf(
    rows: readonly number[],
    pairs: readonly SegmentedPair[],
    sums: { chosen: Float64Array[]; rejected: Float64Array[] },
    corruptedSum: ReadonlyMap<number, number>,
  ): MmBatch {
    const chosen = rows.map((r) => pairs[r]);
    const image = imageRows(chosen.map((p) => p.corrupted !== undefined));
    const tokens = padBatch(
      [
        ...chosen.map((p) => p.chosen),
        ...chosen.map((p) => p.rejected),
        ...image.rows.map((k) => chosen[k].corrupted ?? chosen[k].chosen),
      ],
      maxLength,
      o.vectors,
    );
    const time = tokens.ids.shape[1];
    const segments = new Int32Array(2 * rows.length * time);
    for (const [s, side] of (['chosen', 'rejected'] as const).entries())
      chosen.forEach((p, i) => {
        const of = p.segments[side];
        const row = (s * rows.length + i) * time;
        for (let t = 0; t < time && t + 1 < of.length; t++) segments[row + t] = of[t + 1];
      });
    return {
      tokens,
      segments: tensor(segments, { shape: [2 * rows.length, time] }),
      reference: {
        chosen: rowsOf(rows.map((r) => sums.chosen[r])),
        rejected: rowsOf(rows.map((r) => sums.rejected[r])),
      },
      ...(chosen.every((p) => p.scores)
        ? {
            scores: {
              chosen: rowsOf(chosen.map((p) => p.scores!.chosen)),
              rejected: rowsOf(chosen.map((p) => p.scores!.rejected)),
            },
          }
        : {}),
      corrupted: {
        rows: tensor(Int32Array.from(image.rows), { shape: [image.rows.length] }),
        present: tensor(Float32Array.from(image.present), { shape: [image.rows.length] }),
        reference: tensor(
          Float32Array.from(image.rows, (k) => corruptedSum.get(rows[k]) ?? 0),
          { shape: [image.rows.length] },
        ),
      },
    };
  }
}

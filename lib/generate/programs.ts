/**
 * The compiled programs of generation: reading prompts, a step, and what is done to the cache. `freeze` makes them with
 * the weights inside.
 */
import { NonFiniteError } from '../errors';
import { BYTES_PER_ELEMENT } from '../graph/dtype';
import { concat } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';
import type { LayerCache, LlamaConfig, LlamaParams } from '../models/llama';
import { foldLora } from '../nn/lora';
import { jit } from '../runtime/jit';
import { decode, fold, mostProbable, prefill, takeRows } from './llama-cache';
import type { KvCache, MediaRows, Prediction } from './llama-cache';
import type { LlamaModel } from './options';

/**
 * What a run tells of the next tokens: greedy, the most probable tokens and their log-probabilities, [steps, B] each;
 * otherwise all log-probabilities of one token, [B, vocabSize].
 */
export type Outlook = { tokens: Tensor | null; logProbs: Tensor };

/** What a run of the steps is to give; `steps`: how many, as text, since numbers would be operands. */
export interface Wants {
  greedy: boolean;
  hidden: boolean;
  steps: string;
}

/** Bytes that the weights inside a program may take when each of its steps has its own. */
const MANY_STEPS_BYTES = 100e6;
/** Tokens that one run makes at most, where each step has its own weights: more would only make its program larger. */
const TOKENS_A_RUN = 128;

const outlook = ({ logProbs }: Prediction, greedy: boolean): Outlook =>
  greedy ? mostProbable(logProbs) : { tokens: null, logProbs };

/**
 * The programs of one configuration and device; jit keeps one form of each for every combination of sizes. With
 * `frozen` weights the steps have them inside, and take null for them.
 */
function compilePrograms(c: LlamaConfig, device?: string, frozen: LlamaParams | null = null) {
  const prefillTo = new Map<number, ReturnType<typeof makePrefill>>();
  const makePrefill = (length: number) =>
    jit(
      (p: LlamaParams, ids: Tensor, lengths: Tensor, media: MediaRows | null, greedy: boolean) => {
        const { cache, ...prediction } = prefill(p, c, ids, lengths, length, media);
        return { ...outlook(prediction, greedy), cache };
      },
      { device, name: 'prefill' },
    );
  const step = jit(
    (
      p: LlamaParams | null,
      ids: Tensor,
      base: Tensor,
      slot: Tensor,
      wants: Wants,
      long: LayerCache[],
      old: LayerCache[],
    ) => {
      const weights = p ?? frozen!;
      let { window, ...prediction } = decode(weights, c, ids, base, slot, { long, window: old });
      const next = [outlook(prediction, wants.greedy)];
      for (let i = 1; i < Number(wants.steps); i++) {
        ({ window, ...prediction } = decode(weights, c, next[i - 1].tokens!, base, slot.add(i), { long, window }));
        next.push(outlook(prediction, true));
      }
      const all: Outlook =
        next.length === 1
          ? next[0]
          : {
              tokens: concat(
                next.map((n) => n.tokens!),
                0,
              ),
              logProbs: concat(
                next.map((n) => n.logProbs),
                0,
              ),
            };
      return { ...all, hidden: wants.hidden ? prediction.hidden : null, window };
    },
    { device, name: 'decode', donate: [6], embed: frozen ? Infinity : undefined },
  );
  const bytes = tensorsOf(frozen ?? {}).reduce((n, { tensor: t }) => n + t.size * BYTES_PER_ELEMENT[t.dtype], 0);
  return {
    frozen: frozen !== null,
    /**
     * Tokens that one run of `decode` makes for each of `rows`, where the most probable ones are wanted: several cost one
     * exchange with the worker, but each has its own copy of prepared weights. They divide the window.
     */
    stepsFor: (rows: number): number =>
      [4, 2].find((n) => frozen !== null && n * rows <= TOKENS_A_RUN && n * bytes <= MANY_STEPS_BYTES) ?? 1,
    prefill(length: number) {
      if (!prefillTo.has(length)) prefillTo.set(length, makePrefill(length));
      return prefillTo.get(length)!;
    },
    decode: step,
    fold: jit((base: Tensor, long: LayerCache[], window: LayerCache[]) => fold(base, { long, window }), {
      device,
      name: 'fold',
      donate: [1],
    }),
    takeRows: jit((cache: KvCache, rows: Tensor) => takeRows(cache, rows), { device, name: 'takeRows', donate: [0] }),
  };
}
export type Programs = ReturnType<typeof compilePrograms>;

const compiled = new Map<string, Programs>();
/** The programs of a configuration on a device, made once. */
export function programsFor(c: LlamaConfig, device?: string): Programs {
  const key = `${device ?? ''} ${JSON.stringify(c)}`;
  if (!compiled.has(key)) compiled.set(key, compilePrograms(c, device));
  return compiled.get(key)!;
}

/** A model whose weights are part of the compiled steps. */
export interface FrozenModel extends LlamaModel {
  readonly programs: Programs;
  readonly device: string | undefined;
  /** Frees the compiled steps, with their copies of the weights; the parameters stay. */
  release(): void;
}

/**
 * A model for generation whose weights do not change any more: low-rank updates are added to the weights, and the
 * compiled steps hold the weights in the form in which the processor multiplies fastest (measured on the CPU with one
 * thread: products of one row four times as fast, of 32 rows 1.5 times). Each size of batch and length that occurs
 * takes the weights' memory once more, so this is for models that are small beside the memory. The parameters that
 * were given are not changed.
 */
export async function freeze(model: LlamaModel, options: { device?: string } = {}): Promise<FrozenModel> {
  const { config } = model;
  const { device } = options;
  const params = foldLora(model.params);
  const values = await Promise.all(
    tensorsOf(params).map(async ({ path, tensor }) => ({ path, data: await tensor.data() })),
  );
  for (const { path, data } of values)
    if (data instanceof Float32Array && data.some((x) => !Number.isFinite(x)))
      throw new NonFiniteError(
        'freeze',
        `expected finite weights, got some in ${path} that are not`,
        'the weights are damaged or the training diverged: check them',
      );
  const programs = compilePrograms(config, device, params);
  return { config, params, programs, device, release: () => programs.decode.release() };
}

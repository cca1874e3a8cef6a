/**
 * Log-probabilities of a frozen model, computed once: a reference is the supervised model, which is the policy with its adapter
 * switched off. They are kept in files under a hash of the model (weights and compiled graph) and the data, so that the next seed,
 * another loss on the same pairs, or a resumed run reads them.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { HostTensor } from '../graph/dtype';
import type { Tensor } from '../graph/tensor';
import { toHost } from '../io/params';
import { readHostTensors, writeSafetensors } from '../io/safetensors';
import { tokenLogProbs } from '../losses/cross-entropy';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import { jit } from '../runtime/jit';
import { padBatch } from './batches';
import type { TokenBatch, TokenExample, VectorShape } from './batches';

export interface ReferenceOptions {
  model: LlamaConfig;
  base: LlamaParams;
  batchSize: number;
  /** The shape of the examples' media, if any has some. */
  vectors?: VectorShape;
  device?: string;
  /** The folder of the cache; without, nothing is kept. */
  cacheDir?: string;
}

type Hash = ReturnType<typeof createHash>;
const bytesOf = (a: ArrayBufferView): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

function addExample(hash: Hash, { ids, mask, vectors = [] }: TokenExample): void {
  hash.update(bytesOf(Int32Array.of(ids.length, vectors.length)));
  hash.update(bytesOf(Int32Array.from(ids)));
  hash.update(bytesOf(Uint8Array.from(mask)));
  for (const { at, values } of vectors) hash.update(bytesOf(Int32Array.of(at))).update(bytesOf(values));
}

/**
 * The name of the file for this model and these examples. `graph` is the hash of what is computed of them, so that values of other
 * code are not taken for those of this one. Batches have an effect on the last bit, so their size counts too.
 */
async function keyOf(o: ReferenceOptions, examples: readonly TokenExample[], graph: string): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([graph, o.model, o.batchSize, o.vectors ?? null, o.device ?? 'cpu']));
  const params = await toHost(o.base);
  for (const name of Object.keys(params).sort()) hash.update(name).update(bytesOf(params[name].data));
  for (const example of examples) addExample(hash, example);
  return hash.digest('hex').slice(0, 32);
}

/** The stored values; null if there are none, or the file is damaged. */
async function readKept(file: string, count: number): Promise<Float32Array | null> {
  if (!existsSync(file)) return null;
  try {
    const { data } = (await readHostTensors(file)).tensors.logProbs;
    return data instanceof Float32Array && data.length === count ? data : null;
  } catch {
    return null;
  }
}

/**
 * log p of token t + 1 at position t of each example, 0 outside of its response; examples that are longer than the model allows
 * end there. Kept in `cacheDir` under the hash of model and examples; a damaged file is made again.
 */
export async function referenceLogProbs(
  o: ReferenceOptions,
  examples: readonly TokenExample[],
): Promise<Float32Array[]> {
  const lengths = examples.map((e) => Math.min(e.ids.length - 1, o.model.maxLength));
  const work = plannedWork(o, examples, lengths);
  try {
    const file = o.cacheDir && path.join(o.cacheDir, `${await keyOf(o, examples, work.graph())}.safetensors`);
    const count = lengths.reduce((a, b) => a + b, 0);
    const kept = file ? await readKept(file, count) : null;
    if (kept) {
      let from = 0;
      return lengths.map((n) => kept.slice(from, (from += n)));
    }
    const values = await work.run();
    if (file) {
      const data = new Float32Array(count);
      let at = 0;
      for (const row of values) {
        data.set(row, at);
        at += row.length;
      }
      const logProbs: HostTensor = { dtype: 'float32', shape: [count], data };
      await writeSafetensors(file, { logProbs });
    }
    return values;
  } finally {
    work.release();
  }
}

function plannedWork(
  { model, base, batchSize, vectors, device }: ReferenceOptions,
  examples: readonly TokenExample[],
  lengths: readonly number[],
): { graph: () => string; run: () => Promise<Float32Array[]>; release: () => void } {
  const compute = jit(
    (p: LlamaParams, b: TokenBatch): Tensor => tokenLogProbs(llama(p, model, filledInputs(p, b)), b.labels).mul(b.mask),
    { device, name: 'reference' },
  );
  // Examples of like length share a batch, so that little is padded.
  const order = examples.map((_, i) => i).sort((a, b) => lengths[a] - lengths[b] || a - b);
  const rowsFrom = (at: number): number[] => order.slice(at, at + batchSize);
  const batchOf = (rows: readonly number[]): TokenBatch => {
    // The last batch is filled up, so that its shape is compiled already.
    const filled = Array.from({ length: batchSize }, (_, k) => examples[rows[Math.min(k, rows.length - 1)]]);
    return padBatch(filled, model.maxLength, vectors);
  };
  return {
    graph: () => (order.length ? compute.lower(base, batchOf(rowsFrom(0))).executable.hash : ''),
    async run() {
      const out = new Array<Float32Array>(examples.length);
      for (let at = 0; at < order.length; at += batchSize) {
        const rows = rowsFrom(at);
        const batch = batchOf(rows);
        const values = await compute(base, batch);
        const numbers = (await values.data()) as Float32Array;
        const time = batch.ids.shape[1];
        rows.forEach((r, k) => (out[r] = numbers.slice(k * time, k * time + lengths[r])));
        values.dispose();
      }
      return out;
    },
    release: () => compute.release(),
  };
}

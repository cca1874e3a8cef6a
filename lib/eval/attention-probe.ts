/**
 * An attention probe: what can be read out of frozen token states? For each question (a place, say) a learned query attends
 * to the tokens, with learned positions added to them, and linear layers answer several attributes of it. Trained by
 * cross-entropy on some samples, its accuracy is measured on others. It tells what the states hold, not how they were learnt.
 */
import { ArgumentError } from '../errors';
import { valueAndGrad } from '../graph/grad';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { crossEntropy } from '../losses/cross-entropy';
import { adamW, adamWInit, adamWScalars } from '../nn/adamw';
import type { AdamWScalars, AdamWState } from '../nn/adamw';
import { attention, mergeHeads, splitHeads } from '../nn/attention';
import { normal } from '../nn/init';
import { linear, linearInit } from '../nn/linear';
import type { LinearParams } from '../nn/linear';
import { layerNorm, layerNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import { Random } from '../nn/random';
import { learningRateAt } from '../nn/schedule';
import { jit } from '../runtime/jit';
import { batchIndices } from '../trainers/batches';

export interface ProbeData {
  /** Token states [length, width] of each sample, row by row. */
  tokens: readonly Float32Array[];
  length: number;
  /** For each attribute, the class of each question: [samples][questions]; -1 where it does not apply. */
  labels: Record<string, readonly (readonly number[])[]>;
}
export interface ProbeOptions {
  /** Classes of each attribute. */
  classes: Record<string, number>;
  /** Default 300. */
  steps?: number;
  /** Default 64. */
  batchSize?: number;
  /** Default 1e-2, falling to 0. */
  learningRate?: number;
  seed?: number;
  device?: string;
}

type ProbeParams = {
  norm: NormParams;
  positions: Tensor;
  queries: Tensor;
  key: LinearParams;
  value: LinearParams;
  heads: Record<string, LinearParams>;
};
type Batch = { tokens: Tensor; labels: Record<string, Tensor> };
const HEADS = 4;

function logits(p: ProbeParams, tokens: Tensor): Record<string, Tensor> {
  const [batch, , width] = tokens.shape;
  const x = layerNorm(p.norm, tokens).add(p.positions);
  const queries = p.queries.unsqueeze(0).expand([batch, p.queries.shape[0], width]);
  const [q, k, v] = [queries, linear(p.key, x), linear(p.value, x)].map((t) => splitHeads(t, HEADS));
  const mixed = mergeHeads(attention(q, k, v));
  return Object.fromEntries(Object.entries(p.heads).map(([name, head]) => [name, linear(head, mixed)]));
}

/** The classes that a probe trained on `train` finds in `test`: [samples][questions] for each attribute. Throws ArgumentError. */
export async function attentionProbe(
  train: ProbeData,
  test: ProbeData,
  { classes, steps = 300, batchSize = 64, learningRate = 1e-2, seed = 0, device }: ProbeOptions,
): Promise<Record<string, number[][]>> {
  const { length } = train;
  const width = (train.tokens[0]?.length ?? 0) / length;
  if (!(width > 0) || width % HEADS || test.length !== length || !test.tokens.length)
    throw new ArgumentError(
      'attentionProbe',
      `expected samples of one length whose width ${HEADS} divides, got lengths ${length} and ${test.length}, width ${width}`,
      'encode both sets by the same trunk',
    );
  const rng = new Random(seed, 'probe');
  const names = Object.keys(classes);
  const questions = train.labels[names[0]][0].length;
  const init = rng.stream('init');
  let params: ProbeParams = {
    norm: layerNormInit(width),
    positions: normal(init, [length, width], 0.02),
    queries: normal(init, [questions, width], 1),
    key: linearInit(init, width, width),
    value: linearInit(init, width, width),
    heads: Object.fromEntries(names.map((name) => [name, linearInit(init, width, classes[name])])),
  };
  const batchOf = (data: ProbeData, rows: readonly number[]): Batch => {
    const tokens = new Float32Array(rows.length * length * width);
    rows.forEach((r, k) => tokens.set(data.tokens[r], k * length * width));
    const labels = names.map((name) => {
      const list = Int32Array.from(rows.flatMap((r) => data.labels[name][r]));
      return [name, tensor(list, { shape: [rows.length, questions] })] as const;
    });
    return { tokens: tensor(tokens, { shape: [rows.length, length, width] }), labels: Object.fromEntries(labels) };
  };
  const lossOf = (p: ProbeParams, b: Batch): Tensor => {
    const found = logits(p, b.tokens);
    return names
      .map((name) => crossEntropy(found[name], b.labels[name], b.labels[name].greaterOrEqual(0)).loss)
      .reduce((x, y) => x.add(y));
  };
  const step = jit(
    (p: ProbeParams, s: AdamWState<ProbeParams>, b: Batch, scalars: AdamWScalars<Tensor>) =>
      adamW(p, valueAndGrad(lossOf)(p, b).grads, s, scalars),
    { donate: [0, 1], device, name: 'probe step' },
  );
  const guess = jit(
    (p: ProbeParams, tokens: Tensor) =>
      Object.fromEntries(Object.entries(logits(p, tokens)).map(([name, x]) => [name, x.argMax(-1)])),
    { device, name: 'probe' },
  );
  let state = adamWInit(params);
  for (let i = 0; i < steps; i++) {
    const rate = learningRateAt(i + 1, { kind: 'cosine', learningRate, totalSteps: steps + 1, warmupSteps: 10 });
    const batch = batchOf(train, batchIndices(rng.stream('order'), train.tokens.length, batchSize, i));
    const next = await step(params, state, batch, adamWScalars(i + 1, rate));
    ({ params, state } = next);
  }
  const out: Record<string, number[][]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let at = 0; at < test.tokens.length; at += batchSize) {
    const rows = Array.from({ length: batchSize }, (_, k) => Math.min(at + k, test.tokens.length - 1));
    const found = await guess(params, batchOf(test, rows).tokens);
    for (const name of names) {
      const values = await found[name].numbers();
      for (let k = 0; k < batchSize && at + k < test.tokens.length; k++)
        out[name].push(Array.from(values.subarray(k * questions, (k + 1) * questions)));
    }
  }
  step.release();
  guess.release();
  return out;
}

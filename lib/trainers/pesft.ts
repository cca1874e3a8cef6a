/**
 * PeSFT (Omni-R1, section 4.1): supervised fine-tuning on interleaved trajectories with the perception alignment loss
 * (losses/perception.ts). lambda = 0 is plain supervised fine-tuning; with masks of ones it is pre-training on interleaved sequences.
 *
 * Differences from the released trainer: all weights are trained, there on eight GPUs with ZeRO-2; W is trained by default
 * (`projection: 'fixed'` leaves it as drawn); text tokens may weigh more than image tokens (`textWeight`), since few of a small
 * model's tokens are text and these decide the answer.
 *
 * Logged: loss, loss_local (cross-entropy), loss_global (perception), text_loss, image_loss (cross-entropy by kind of token; words
 * without the tokens that begin and end images and sequences), mean_token_accuracy, text_accuracy, grad_norm (before clipping),
 * learning_rate.
 */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { tokenLogProbs } from '../losses/cross-entropy';
import { perceptionLoss, perceptionMask } from '../losses/perception';
import { llamaHidden, llamaLogits } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import type { TokenLayout } from '../models/r1-layout';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { linearInit } from '../nn/linear';
import type { LinearParams } from '../nn/linear';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { groupedIndices, padBatch } from './batches';
import type { TokenBatch } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface PesftOptions {
  model: LlamaConfig;
  layout: TokenLayout;
  /** Weights to begin with, taken over. */
  params: LlamaParams;
  /** [imageCount, D], flat, in the order of image tokens. */
  codebook: Float32Array;
  optimizer: OptimizerConfig;
  /** Weight of the perception loss. */
  lambda: number;
  /** Weight of text tokens in the cross-entropy, an image token's being 1. Default 1, as in the paper. */
  textWeight?: number;
  projection: 'trained' | 'fixed';
  scale: 'dimension' | 'none';
  examples: readonly { ids: ArrayLike<number>; mask: ArrayLike<number> }[];
  evaluate?: (params: LlamaParams, step: number) => Promise<TrainMetrics>;
  evaluateEvery?: number;
  seed: number;
  device?: string;
}

/** What training changes: the model, and W with its bias. */
export type PesftState = { model: LlamaParams; projection: LinearParams };
/** `omega`: float32 [B, T], 1 at image tokens of responses. */
export type PesftBatch = TokenBatch & { omega: Tensor };

/** Examples as a padded batch. */
export function pesftBatch(
  examples: readonly { ids: ArrayLike<number>; mask: ArrayLike<number> }[],
  layout: TokenLayout,
  maxLength: number,
): PesftBatch {
  const batch = padBatch(examples, maxLength);
  const [rows, time] = batch.ids.shape;
  const omega = new Float32Array(rows * time);
  examples.forEach(({ ids, mask }, row) => {
    // The last token is a label only.
    perceptionMask(ids, mask, layout).forEach((v, t) => {
      if (v && t < time) omega[row * time + t] = 1;
    });
  });
  return { ...batch, omega: tensor(omega, { shape: [rows, time] }) };
}

/** The objective of a batch and what is logged of it. */
export function pesftLoss(
  p: PesftState,
  codebook: Tensor,
  b: PesftBatch,
  o: Pick<PesftOptions, 'model' | 'layout' | 'lambda' | 'scale' | 'textWeight'>,
): { loss: Tensor; [metric: string]: Tensor } {
  const { layout } = o;
  const hidden = llamaHidden(p.model, o.model, { ids: b.ids });
  const logits = llamaLogits(p.model, hidden);
  const logProbs = tokenLogProbs(logits, b.labels);
  const mean = (weights: Tensor): Tensor => logProbs.mul(weights).sum().neg().div(weights.sum().maximum(1));
  const image = b.labels
    .greaterOrEqual(layout.imageStart)
    .and(b.labels.less(layout.imageStart + layout.imageCount))
    .cast('float32');
  const right = logits.argMax(-1).equal(b.labels).cast('float32');
  const share = (weights: Tensor): Tensor => right.mul(weights).sum().div(weights.sum().maximum(1));
  const text = b.mask.mul(image.neg().add(1));
  // Where an image begins and ends says nothing about the words.
  const control = [layout.boi, layout.eoi, layout.eos].map((id) => b.labels.equal(id));
  const words = text.mul(
    control
      .reduce((x, y) => x.or(y))
      .cast('float32')
      .neg()
      .add(1),
  );
  const { textWeight = 1 } = o;
  const local = mean(textWeight === 1 ? b.mask : b.mask.add(text.mul(textWeight - 1)));
  const metrics = {
    loss_local: local,
    text_loss: mean(words),
    image_loss: mean(b.mask.mul(image)),
    mean_token_accuracy: share(b.mask),
    text_accuracy: share(words),
  };
  if (o.lambda === 0) return { ...metrics, loss: local };
  const { loss: global } = perceptionLoss(
    p.projection,
    { hidden, ids: b.ids, mask: b.omega, codebook, imageStart: layout.imageStart },
    { scale: o.scale },
  );
  return { ...metrics, loss_global: global, loss: local.add(global.mul(o.lambda)) };
}

export async function trainPesft(context: TrainContext, o: PesftOptions): Promise<PesftState> {
  const { model, optimizer, device } = o;
  const rng = new Random(o.seed, 'pesft');
  const dim = o.codebook.length / o.layout.imageCount;
  const projection = linearInit(rng.stream('projection'), model.width, dim);
  const codebook = tensor(o.codebook, { shape: [o.layout.imageCount, dim] });
  const lengths = o.examples.map((e) => e.ids.length);
  const fixed = o.projection === 'fixed' || o.lambda === 0;
  type Trained = Partial<PesftState> & { model: LlamaParams };
  const full = (t: Trained): PesftState => ({ model: t.model, projection: t.projection ?? projection });

  const step = jit(
    (t: Trained, s: AdamWState<Trained>, table: Tensor, batch: PesftBatch, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad((p: Trained) => pesftLoss(full(p), table, batch, o))(t);
      const next = update(optimizer, t, grads, s, scalars);
      return { trained: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'pesft step') },
  );
  const trained: Trained = fixed ? { model: o.params } : { model: o.params, projection };
  const { evaluate } = o;
  const state = await trainLoop(context, {
    name: 'pesft',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { trained, adam: adamWInit(trained) },
    show: ['loss', 'text_accuracy'],
    ...(evaluate ? { evaluate: (s: { trained: Trained }, n: number) => evaluate(s.trained.model, n) } : {}),
    evaluateEvery: o.evaluateEvery,
    step: async ({ trained, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const rows = groupedIndices(rng.stream('order'), lengths, optimizer.batchSize, i, { mixed: true });
      const batch = pesftBatch(
        rows.map((r) => o.examples[r]),
        o.layout,
        model.maxLength,
      );
      const out = await step(trained, adam, codebook, batch, scalars);
      return {
        state: { trained: out.trained, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  return full(state.trained);
}

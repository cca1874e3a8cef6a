/**
 * Stage 0: the joint encoder, by ImageBind's contrastive objective with vision as the anchor (losses/info-nce.ts). Each step
 * takes scenes in all modalities and sums the losses of the pairs
 *
 *   image-text, image-audio, image-video, video-text
 *
 * so that image and clip, which share a trunk, anchor the rest; audio-text, video-audio are never trained on. The pair
 * video-text (as in ImageBind, whose vision trunk sees video too) is what teaches motion: pictures and sounds have none.
 * Scenes come in groups of near-variants, one attribute apart, so that every attribute tells partners from the others.
 *
 * Logged: loss, loss/<pair>, accuracy/<pair> (in the batch, both directions), logit_scale, grad_norm, learning_rate; on
 * held-out scenes eval_loss, eval_accuracy/<pair>.
 */
import { ArgumentError } from '../errors';
import { valueAndGrad } from '../graph/grad';
import type { Tensor } from '../graph/tensor';
import { infoNce } from '../losses/info-nce';
import { imageBindInit, jointEncode, logitScale } from '../models/imagebind';
import type { ImageBindParams } from '../models/imagebind';
import type { ImageBindConfig } from '../models/imagebind-config';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { batchIndices } from './batches';
import { compiled } from './context';
import { jointBatch } from './joint-batch';
import type { BatchWording, JointBatch, JointScenes } from './joint-batch';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface JointOptions {
  model: ImageBindConfig;
  optimizer: OptimizerConfig;
  /** Scenes i * groupSize to (i + 1) * groupSize - 1 are variants of one; a batch holds whole groups. */
  groupSize: number;
  /** The share of steps with free wordings; the others take the canonical ones, which are short. */
  paraphraseShare: number;
  scenes: JointScenes;
  heldOut: JointScenes;
  seed: number;
  device?: string;
}

export const jointPairs = ['image_text', 'image_audio', 'image_video', 'video_text'] as const;
type Pair = (typeof jointPairs)[number];

type JointLoss = { loss: Tensor; metrics: Record<string, Tensor> };

/** The sum of the pairs' losses. */
export function jointLoss(p: ImageBindParams, c: ImageBindConfig, b: JointBatch): JointLoss {
  const { image, video, audio, text } = jointEncode(p, c, {
    image: b.image,
    video: b.video,
    audio: b.audio,
    text: b.text,
  });
  const [fixed, learned] = [logitScale(p, 'audio'), logitScale(p, 'text')];
  const losses = {
    image_text: infoNce(image.embedding, text.embedding, { scale: learned, ignore: b.alike }),
    image_audio: infoNce(image.embedding, audio.embedding, { scale: fixed, ignore: b.alike }),
    image_video: infoNce(image.embedding, video.embedding, { scale: fixed, ignore: b.alike }),
    video_text: infoNce(video.embedding, text.embedding, { scale: learned, ignore: b.alikeMoving }),
  } satisfies Record<Pair, unknown>;
  const metrics: Record<string, Tensor> = { logit_scale: learned };
  for (const pair of jointPairs) {
    metrics[`loss/${pair}`] = losses[pair].loss;
    metrics[`accuracy/${pair}`] = losses[pair].accuracy;
  }
  return { loss: jointPairs.map((pair) => losses[pair].loss).reduce((a, b) => a.add(b)), metrics };
}

/** Tokens of the longest canonical text, rounded up to a multiple of 8. */
function longestCanonical(list: readonly JointScenes[]): number {
  let longest = 0;
  for (const { texts } of list)
    for (const { plain, moving } of texts) longest = Math.max(longest, plain[0].length, moving[0].length);
  return Math.ceil(longest / 8) * 8;
}

/** Trains from scratch and returns the parameters. Throws ArgumentError. */
export async function trainJointEncoder(context: TrainContext, o: JointOptions): Promise<ImageBindParams> {
  const { model, optimizer, groupSize, device } = o;
  const size = optimizer.batchSize;
  if (size % groupSize || o.scenes.count % groupSize || o.heldOut.count < size)
    throw new ArgumentError(
      'trainJointEncoder',
      `expected whole groups of ${groupSize} and at least a batch of held-out scenes, got batches of ${size}, ${o.scenes.count} scenes and ${o.heldOut.count} held-out ones`,
      'choose multiples of the group size',
    );
  const rng = new Random(o.seed, 'joint-encoder');
  const params = imageBindInit(rng.stream('init'), model);
  const step = jit(
    (p: ImageBindParams, s: AdamWState<ImageBindParams>, batch: JointBatch, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad((q: ImageBindParams) => jointLoss(q, model, batch))(p);
      const next = update(optimizer, p, grads, s, scalars);
      const metrics = { loss: value.loss, ...value.metrics, grad_norm: next.norm };
      return { params: next.params, adam: next.state, metrics };
    },
    { donate: [0, 1], device, ...compiled(context, 'joint encoder step') },
  );
  const evaluation = jit((p: ImageBindParams, batch: JointBatch) => jointLoss(p, model, batch), {
    device,
    ...compiled(context, 'joint encoder evaluation'),
  });
  const canonicalLength = longestCanonical([o.scenes, o.heldOut]);
  const wordingOf = (name: string): BatchWording => {
    const random = rng.stream(name);
    const canonical = random.uniform() >= o.paraphraseShare;
    return { random, canonical, length: canonical ? canonicalLength : model.text.contextLength };
  };
  const held = Array.from({ length: Math.floor(o.heldOut.count / size) }, (_, b) =>
    jointBatch(
      model,
      o.heldOut,
      Array.from({ length: size }, (_, k) => b * size + k),
      { random: rng.stream(`held${b}`), canonical: true, length: canonicalLength },
    ),
  );

  const state = await trainLoop(context, {
    name: 'joint encoder',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { params, adam: adamWInit(params) },
    evaluateEvery: Math.max(1, Math.floor(optimizer.steps / 5)),
    evaluate: async ({ params }) => {
      const out: TrainMetrics = {};
      for (const batch of held) {
        const { loss, metrics } = await evaluation(params, batch);
        const values = await readMetrics({ loss, ...metrics });
        for (const [key, value] of Object.entries(values))
          if (key === 'loss' || key.startsWith('accuracy/'))
            out[`eval_${key}`] = (out[`eval_${key}`] ?? 0) + value / held.length;
      }
      return out;
    },
    step: async ({ params, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const groups = batchIndices(rng.stream('order'), o.scenes.count / groupSize, size / groupSize, i);
      const rows = groups.flatMap((g) => Array.from({ length: groupSize }, (_, k) => g * groupSize + k));
      const batch = jointBatch(model, o.scenes, rows, wordingOf(`wording${i}`));
      const out = await step(params, adam, batch, scalars);
      return {
        state: { params: out.params, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  evaluation.release();
  return state.params;
}

/**
 * Training of latent diffusion (Rombach et al. 2022, section 3.3): text encoder and denoiser together, on latents that a
 * frozen autoencoder made before. Captions are dropped now and then for classifier-free guidance (Ho & Salimans 2022,
 * section 3.2), time steps are spread evenly over each batch (Kingma et al. 2021, appendix I.1).
 *
 * Logged: loss, mse (unweighted), grad_norm (before clipping), learning_rate, and what `evaluate` returns.
 */
import { ArgumentError } from '../errors';
import { valueAndGrad } from '../graph/grad';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tensorsOf, treeMap } from '../graph/tree';
import { addNoise, diffusionLoss } from '../losses/diffusion';
import type { Noised } from '../losses/diffusion';
import { clipText, clipTextInit } from '../models/text-encoder';
import type { ClipTextConfig, ClipTextParams } from '../models/text-encoder';
import { unet, unetInit } from '../models/unet';
import type { UnetConfig, UnetParams } from '../models/unet';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { mapJoined } from '../nn/joined';
import { alphasCumprod } from '../nn/noise-schedule';
import type { NoiseScheduleConfig } from '../nn/noise-schedule';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { batchIndices } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import type { Latents } from './latents';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

/** The denoiser's part: by default the UNet of pictures. */
export interface Denoiser<U> {
  init: (rng: Random) => U;
  apply: (p: U, x: { sample: Tensor; timesteps: Tensor; context: Tensor }) => Tensor;
}
export const unetDenoiser = (config: UnetConfig): Denoiser<UnetParams> => ({
  init: (rng) => unetInit(rng, config),
  apply: (p, x) => unet(p, config, x),
});

export type DiffusionParams<U = UnetParams> = { text_encoder: ClipTextParams; unet: U };

export interface DiffusionOptions<U = UnetParams> {
  textEncoder: ClipTextConfig;
  denoiser: Denoiser<U>;
  scheduler: NoiseScheduleConfig;
  optimizer: OptimizerConfig;
  /** Parameters to begin with instead of drawn ones: host values, which training takes over. */
  start?: DiffusionParams<U>;
  latents: Latents;
  /** Caption ids [count, variants, length] flat: each time a sample comes, one of its captions is drawn. */
  captions: { ids: Int32Array; variants: number; length: number };
  /** Ids of the empty caption [length], and how often it takes a caption's place. */
  empty: Int32Array;
  captionDropout: number;
  /** How far training's time steps are moved towards noise (`shiftedTime`). Default 1: they are even. */
  timestepShift?: number;
  /** gamma of the min-SNR weights; none: all weights 1. */
  snrGamma?: number;
  /** Decay of a moving average of the parameters, which is then what is evaluated and returned; none: no average. */
  emaDecay?: number;
  evaluate?: (params: DiffusionParams<U>, step: number) => Promise<TrainMetrics>;
  evaluateEvery?: number;
  seed: number;
  device?: string;
}

export async function trainDiffusion<U>(context: TrainContext, o: DiffusionOptions<U>): Promise<DiffusionParams<U>> {
  const { textEncoder, denoiser, scheduler, optimizer, device, emaDecay } = o;
  const rng = new Random(o.seed, 'diffusion');
  const params: DiffusionParams<U> = o.start ?? {
    text_encoder: clipTextInit(rng.stream('text encoder'), textEncoder),
    unet: denoiser.init(rng.stream('unet')),
  };
  const draw = batchMaker(rng, o);

  const lossOf = (p: DiffusionParams<U>, x: DiffusionBatch) => {
    const states = clipText(p.text_encoder, textEncoder, x.ids);
    const prediction = denoiser.apply(p.unet, { sample: addNoise(x), timesteps: x.timesteps, context: states });
    const { loss, metrics } = diffusionLoss(prediction, x, {
      predictionType: scheduler.predictionType,
      snrGamma: o.snrGamma,
    });
    return { loss, ...metrics };
  };
  type Averaged = DiffusionParams<U> | null;
  // `Feed` cannot be resolved for a U that is still open; tensors feed themselves.
  type Tensors = never;
  const step = jit(
    (
      p: DiffusionParams<U>,
      s: AdamWState<DiffusionParams<U>>,
      average: Averaged,
      batch: DiffusionBatch,
      scalars: StepScalars<Tensor>,
      decay: Tensor,
    ) => {
      const { value, grads } = valueAndGrad(lossOf)(p, batch);
      const next = update(optimizer, p, grads, s, scalars);
      const ema: Averaged = average && movingAverage(average, next.params, decay);
      return { params: next.params, adam: next.state, ema, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1, 2], device, ...compiled(context, 'diffusion step') },
  );

  const { evaluate } = o;
  // The average starts as a copy: a step takes its state over.
  const ema: Averaged = emaDecay
    ? treeMap(params, (t) => tensor(t.storage!.hostValues!.slice(), { shape: t.shape }))
    : null;
  const state = await trainLoop(context, {
    name: 'diffusion',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { params, adam: adamWInit(params), ema },
    ...(evaluate
      ? {
          evaluate: (s: { params: DiffusionParams<U>; ema: Averaged }, step: number) =>
            evaluate(s.ema ?? s.params, step),
        }
      : {}),
    evaluateEvery: o.evaluateEvery,
    step: async (old, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      // The average follows closely at first (as in diffusers' EMAModel).
      const decay = Math.min(emaDecay ?? 0, (1 + i) / (10 + i));
      const out = await step(old.params as Tensors, old.adam as Tensors, old.ema as Tensors, draw(i), scalars, decay);
      return {
        state: { params: out.params, adam: out.adam, ema: out.ema },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  return state.ema ?? state.params;
}

/** Each parameter's average moved to its value by the share 1 - decay. */
function movingAverage<P>(average: P, params: P, decay: Tensor): P {
  const now = tensorsOf(params);
  const next = mapJoined(
    tensorsOf(average).map(({ tensor }, i) => [tensor, now[i].tensor]),
    ([a, q]) => [q.add(a.sub(q).mul(decay))],
  );
  let i = 0;
  return treeMap(average, () => next[i++][0]);
}

/**
 * Time u from 0 (no noise) to 1 moved towards 1: s u / (1 + (s - 1) u) (Esser et al. 2024, section 5.3.2, equation 23). What
 * a caption tells is learned where noise hides it: in latents whose many channels repeat one another, near the end.
 */
export const shiftedTime = (u: number, shift: number): number => (shift * u) / (1 + (shift - 1) * u);

/** sample, noise [B, ...], alphaBar [B]; time steps [B] and caption ids [B, L], int32. */
type DiffusionBatch = Noised & { timesteps: Tensor; ids: Tensor };

/** The batch of step `i`: a function of the seed and `i`. */
function batchMaker(
  rng: Random,
  o: Omit<DiffusionOptions, 'denoiser' | 'evaluate' | 'start'>,
): (i: number) => DiffusionBatch {
  const { latents, captions, empty, captionDropout } = o;
  const { batchSize } = o.optimizer;
  const size = latents.shape.reduce((a, b) => a * b);
  const count = latents.values.length / size;
  const { length, variants, ids } = captions;
  if (ids.length !== count * variants * length || empty.length !== length)
    throw new ArgumentError(
      'diffusion',
      `expected ${variants} captions of ${length} ids for each of ${count} samples, got ${ids.length} ids, and ${empty.length} of the empty caption`,
      'check captions and latents',
    );
  const alphas = alphasCumprod(o.scheduler);
  const shift = o.timestepShift ?? 1;
  return (i) => {
    const rows = batchIndices(rng.stream('order'), count, batchSize, i);
    const random = rng.stream('noise').stream(i);
    const sample = new Float32Array(batchSize * size);
    const tokens = new Int32Array(batchSize * length);
    const timesteps = new Int32Array(batchSize);
    const offset = random.uniform();
    rows.forEach((row, k) => {
      sample.set(latents.values.subarray(row * size, (row + 1) * size), k * size);
      const at = (row * variants + random.int(variants)) * length;
      const dropped = random.uniform() < captionDropout;
      tokens.set(dropped ? empty : ids.subarray(at, at + length), k * length);
      timesteps[k] = Math.floor(shiftedTime((k + offset) / batchSize, shift) * alphas.length);
    });
    const shape = [batchSize, ...latents.shape];
    return {
      sample: tensor(sample, { shape }),
      noise: tensor(random.normals(sample.length), { shape }),
      alphaBar: tensor(Float32Array.from(timesteps, (t) => alphas[t])),
      timesteps: tensor(timesteps),
      ids: tensor(tokens, { shape: [batchSize, length] }),
    };
  };
}

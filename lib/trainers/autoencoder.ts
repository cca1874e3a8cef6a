/**
 * Training of the autoencoder of latent diffusion: reconstruction and a small divergence from the normal distribution
 * (losses/autoencoder.ts). Afterwards `scalingFactor` of its configuration is 1 / the latents' standard deviation, measured
 * on the last batches, as latent diffusion sets it (Rombach et al. 2022, appendix G).
 *
 * Logged: loss, reconstruction, mse, kl, grad_norm (before clipping), learning_rate, and what `evaluate` returns.
 */
import type { Tensor } from '../graph/tensor';
import { tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { autoencoderLoss } from '../losses/autoencoder';
import type { AutoencoderLossOptions } from '../losses/autoencoder';
import { autoencoderFactor, autoencoderInit, decodeLatents, encodeLatents, sampleLatents } from '../models/vae';
import type { AutoencoderConfig, AutoencoderParams } from '../models/vae';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface AutoencoderOptions {
  model: AutoencoderConfig;
  optimizer: OptimizerConfig;
  loss?: AutoencoderLossOptions;
  /** Parameters to begin with instead of drawn ones: host values, which training takes over. */
  start?: AutoencoderParams;
  /** Channels, height, width of a sample. */
  shape: readonly [number, number, number];
  /** The samples of step `i`, [batchSize, ...shape] flat, about -1 to 1: a function of the step's number. */
  batch: (i: number) => Float32Array;
  evaluate?: (params: AutoencoderParams, step: number) => Promise<TrainMetrics>;
  evaluateEvery?: number;
  seed: number;
  device?: string;
}

/** The trained parameters, and the configuration with its scaling factor. */
export async function trainAutoencoder(
  context: TrainContext,
  o: AutoencoderOptions,
): Promise<{ params: AutoencoderParams; config: AutoencoderConfig }> {
  const { model, optimizer, device } = o;
  const rng = new Random(o.seed, 'autoencoder');
  const params = o.start ?? autoencoderInit(rng.stream('init'), model);
  const factor = autoencoderFactor(model);
  const latentShape = [optimizer.batchSize, model.latentChannels, o.shape[1] / factor, o.shape[2] / factor];
  const latentSize = latentShape.reduce((a, b) => a * b);
  const samples = (i: number): Tensor => tensor(o.batch(i), { shape: [optimizer.batchSize, ...o.shape] });

  const lossOf = (p: AutoencoderParams, target: Tensor, noise: Tensor) => {
    const latents = encodeLatents(p, model, target);
    const output = decodeLatents(p, model, sampleLatents(latents, noise));
    const { loss, metrics } = autoencoderLoss({ target, output, ...latents }, o.loss);
    return { loss, ...metrics };
  };
  const step = jit(
    (
      p: AutoencoderParams,
      s: AdamWState<AutoencoderParams>,
      target: Tensor,
      noise: Tensor,
      scalars: StepScalars<Tensor>,
    ) => {
      const { value, grads } = valueAndGrad(lossOf)(p, target, noise);
      const next = update(optimizer, p, grads, s, scalars);
      return { params: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'autoencoder step') },
  );
  const spread = jit(
    (p: AutoencoderParams, target: Tensor) => {
      const { mean, logVariance } = encodeLatents(p, model, target);
      return mean.square().add(logVariance.exp()).mean().sub(mean.mean().square());
    },
    { device, ...compiled(context, 'autoencoder latents') },
  );

  const { evaluate } = o;
  const state = await trainLoop(context, {
    name: 'autoencoder',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { params, adam: adamWInit(params) },
    ...(evaluate ? { evaluate: (s: { params: AutoencoderParams }, step: number) => evaluate(s.params, step) } : {}),
    evaluateEvery: o.evaluateEvery,
    step: async ({ params, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const noise = tensor(rng.stream('noise').stream(i).normals(latentSize), { shape: latentShape });
      const out = await step(params, adam, samples(i), noise, scalars);
      return {
        state: { params: out.params, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  let variance = 0;
  const last = [1, 2, 3, 4].map((k) => Math.max(0, optimizer.steps - k));
  for (const i of last) variance += (await (await spread(state.params, samples(i))).item()) / last.length;
  step.release();
  spread.release();
  return { params: state.params, config: { ...model, scalingFactor: 1 / Math.sqrt(variance) } };
}

/**
 * The optional diffusion loss of stages 2 and 3 (NExT-GPT 1.5): the decoder's own noise-prediction loss, with the output
 * projector's conditioning in the place of the text encoder's. The decoder is frozen; its gradient reaches the projector.
 * Rows without a block are left out; with `snrGamma`, weights are min-SNR (losses/diffusion.ts).
 */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { addNoise, diffusionTarget, minSnrWeights } from '../losses/diffusion';
import { alphasCumprod } from '../nn/noise-schedule';
import type { NoiseScheduleConfig } from '../nn/noise-schedule';
import type { Random } from '../nn/random';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import type { OmniExample } from './omni-batch';

/** The frozen decoders, and the latents of what blocks are to show. */
export interface DiffusionTerm<P = unknown> {
  /** Of this loss in the sum. */
  weight: number;
  params: Record<Modality, P>;
  predict: (modality: Modality, params: P, x: { sample: Tensor; timesteps: Tensor; context: Tensor }) => Tensor;
  scheduler: Record<Modality, NoiseScheduleConfig>;
  snrGamma?: number;
  latents: Record<Modality, { shape: readonly number[]; of: (caption: string) => Float32Array }>;
}

/** sample, noise [R, ...], alphaBar [R], timesteps int32 [R]. */
export type DenoiseBatch = { sample: Tensor; noise: Tensor; alphaBar: Tensor; timesteps: Tensor };

/** Latents with noise for the first block of each modality in each example: a function of the random stream. */
export function denoiseBatches(
  { latents, scheduler }: DiffusionTerm,
  examples: readonly OmniExample[],
  random: Random,
): Record<Modality, DenoiseBatch> {
  const of = (m: Modality): DenoiseBatch => {
    const alphas = alphasCumprod(scheduler[m]);
    const size = latents[m].shape.reduce((a, b) => a * b, 1);
    const shape = [examples.length, ...latents[m].shape];
    const sample = new Float32Array(examples.length * size);
    examples.forEach((e, row) => {
      const block = e.blocks.find((b) => b.modality === m);
      if (block) sample.set(latents[m].of(block.caption), row * size);
    });
    const own = random.stream(m);
    const timesteps = Int32Array.from(examples, () => own.int(alphas.length));
    return {
      sample: tensor(sample, { shape }),
      noise: tensor(own.normals(sample.length), { shape }),
      alphaBar: tensor(Float32Array.from(timesteps, (t) => alphas[t])),
      timesteps: tensor(timesteps),
    };
  };
  return Object.fromEntries(MODALITIES.map((m) => [m, of(m)])) as Record<Modality, DenoiseBatch>;
}

/** The loss of one modality: `context` [R, queries, width] from the projector, `present` [R]. */
export function denoiseLoss(
  { predict, scheduler, snrGamma }: DiffusionTerm,
  modality: Modality,
  params: unknown,
  x: DenoiseBatch,
  context: Tensor,
  present: Tensor,
): Tensor {
  const type = scheduler[modality].predictionType;
  const prediction = predict(modality, params, { sample: addNoise(x), timesteps: x.timesteps, context });
  const errors = prediction.sub(diffusionTarget(x, type)).square().reshape([present.size, -1]).mean(1);
  const weights = snrGamma ? present.mul(minSnrWeights(x.alphaBar, type, snrGamma)) : present;
  return errors.mul(weights).sum().div(present.sum().maximum(1));
}

/**
 * Training of the vocoder (Kong et al. 2020, HiFi-GAN, section 2.3) by its spectral losses: the distance of log-mel
 * spectrograms, and the multi-resolution STFT loss of Parallel WaveGAN (Yamamoto et al. 2020) in place of the discriminators.
 *
 *   L = lambda_mel mel_distance + lambda_sc spectral_convergence + log_magnitude,  lambda_mel = 45 as in HiFi-GAN
 *
 * Differences: 1. no discriminators: they need far more steps than a small profile has.
 *
 * Logged: loss, mel_distance, spectral_convergence, log_magnitude, grad_norm (before clipping), learning_rate, and what
 * `evaluate` returns.
 */
import { ArgumentError } from '../errors';
import { valueAndGrad } from '../graph/grad';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { melDistance, multiResolutionStft } from '../losses/stft';
import { vocoder, vocoderExcitation, vocoderHop, vocoderInit } from '../models/vocoder';
import type { VocoderConfig, VocoderParams } from '../models/vocoder';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { logMelSpectrogram, melFrames } from '../nn/mel';
import type { MelConfig } from '../nn/mel';
import { Random } from '../nn/random';
import type { StftConfig } from '../nn/stft';
import { jit } from '../runtime/jit';
import { batchIndices } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface VocoderOptions {
  model: VocoderConfig;
  mel: MelConfig;
  optimizer: OptimizerConfig;
  /** Training sounds, each of the same number of samples: a multiple of the hop. */
  sounds: readonly Float32Array[];
  /** Frames of the pieces that a step sees. */
  segmentFrames: number;
  resolutions: readonly StftConfig[];
  /** lambda_mel, default 45. */
  melWeight?: number;
  /**
   * lambda_sc, default 1. As a squared error it favours waveforms that are too quiet wherever phases cannot be foretold; 0 keeps
   * the loudness.
   */
  convergenceWeight?: number;
  /** Added to powers under the STFT loss's logarithms; default 1e-7. */
  epsilon?: number;
  evaluate?: (params: VocoderParams, step: number) => Promise<TrainMetrics>;
  evaluateEvery?: number;
  seed: number;
  device?: string;
}

type Segments = { mel: Tensor; wave: Tensor; excitation?: Tensor };

export async function trainVocoder(context: TrainContext, o: VocoderOptions): Promise<VocoderParams> {
  const { model, mel, optimizer, device, melWeight = 45, convergenceWeight = 1 } = o;
  const rng = new Random(o.seed, 'vocoder');
  const params = vocoderInit(rng.stream('init'), model);
  const draw = await segmentMaker(rng.stream('segments'), o);

  const lossOf = (p: VocoderParams, x: Segments) => {
    const y = vocoder(p, model, x.mel, x.excitation);
    const stft = multiResolutionStft(y, x.wave, { resolutions: o.resolutions, epsilon: o.epsilon });
    const distance = melDistance(y, x.wave, mel);
    const { spectral_convergence: convergence, log_magnitude: magnitude } = stft.metrics;
    const weighted = convergenceWeight ? magnitude.add(convergence.mul(convergenceWeight)) : magnitude;
    return { loss: distance.mul(melWeight).add(weighted), mel_distance: distance, ...stft.metrics };
  };
  const step = jit(
    (p: VocoderParams, s: AdamWState<VocoderParams>, x: Segments, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad(lossOf)(p, x);
      const next = update(optimizer, p, grads, s, scalars);
      return { params: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'vocoder step') },
  );
  const { evaluate } = o;
  const state = await trainLoop(context, {
    name: 'vocoder',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { params, adam: adamWInit(params) },
    ...(evaluate ? { evaluate: (s: { params: VocoderParams }, step: number) => evaluate(s.params, step) } : {}),
    evaluateEvery: o.evaluateEvery,
    step: async ({ params, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const out = await step(params, adam, draw(i), scalars);
      return {
        state: { params: out.params, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  return state.params;
}

/** Sounds whose spectrograms and excitations are computed together. */
const TOGETHER = 16;

/** The segments of step `i`: a function of the stream and `i`. Spectrograms and excitations are those of whole sounds. */
async function segmentMaker(rng: Random, o: VocoderOptions): Promise<(i: number) => Segments> {
  const { model, mel, sounds, segmentFrames } = o;
  const hop = vocoderHop(model);
  const length = sounds.at(0)?.length ?? 0;
  const frames = length / hop;
  if (!length || sounds.some((s) => s.length !== length) || melFrames(mel, length) !== frames || frames < segmentFrames)
    throw new ArgumentError(
      'trainVocoder',
      `expected sounds of one length, a frame for each ${hop} samples and ${segmentFrames} frames or more, got ${length} samples and ${length ? melFrames(mel, length) : 0} frames`,
      'cut the sounds, and choose the padding of the spectrogram as (nFft - hop) / 2, rounded up',
    );
  const prepare = jit(
    (x: Tensor) => {
      const m = logMelSpectrogram(x, mel);
      return model.source ? { mel: m, excitation: vocoderExcitation(model, m) } : { mel: m };
    },
    { device: o.device, name: 'vocoder input' },
  );
  const mels = new Float32Array(sounds.length * frames * mel.mels);
  const excitations = new Float32Array(model.source ? sounds.length * length : 0);
  for (let first = 0; first < sounds.length; first += TOGETHER) {
    const rows = sounds.slice(first, first + TOGETHER);
    const batch = new Float32Array(TOGETHER * length);
    rows.forEach((s, i) => batch.set(s, i * length));
    const out = await prepare(tensor(batch, { shape: [TOGETHER, length] }));
    const found = (await out.mel.data()) as Float32Array;
    mels.set(found.subarray(0, rows.length * frames * mel.mels), first * frames * mel.mels);
    if (out.excitation)
      excitations.set(
        ((await out.excitation.data()) as Float32Array).subarray(0, rows.length * length),
        first * length,
      );
  }
  prepare.release();

  const { batchSize } = o.optimizer;
  const samples = segmentFrames * hop;
  return (i) => {
    const rows = batchIndices(rng.stream('order'), sounds.length, batchSize, i);
    const random = rng.stream(i);
    const m = new Float32Array(batchSize * segmentFrames * mel.mels);
    const wave = new Float32Array(batchSize * samples);
    const excitation = new Float32Array(model.source ? wave.length : 0);
    rows.forEach((row, k) => {
      const start = random.int(frames - segmentFrames + 1);
      const at = (row * frames + start) * mel.mels;
      m.set(mels.subarray(at, at + segmentFrames * mel.mels), k * segmentFrames * mel.mels);
      wave.set(sounds[row].subarray(start * hop, start * hop + samples), k * samples);
      if (model.source) {
        const from = row * length + start * hop;
        excitation.set(excitations.subarray(from, from + samples), k * samples);
      }
    });
    const shape = [batchSize, samples];
    return {
      mel: tensor(m, { shape: [batchSize, segmentFrames, mel.mels] }),
      wave: tensor(wave, { shape }),
      ...(model.source ? { excitation: tensor(excitation, { shape }) } : {}),
    };
  };
}

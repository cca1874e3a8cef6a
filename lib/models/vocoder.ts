/**
 * HiFi-GAN's generator (Kong et al. 2020, "HiFi-GAN: Generative adversarial networks for efficient and high fidelity speech
 * synthesis", section 2.2): log-mel frames to a waveform by transposed convolutions, each followed by residual blocks of
 * several kernel sizes whose results are averaged. Parameters are nested so that their paths are the names of transformers'
 * SpeechT5HifiGan, the vocoder of AudioLDM 2.
 *
 * Differences:
 * 1. No weight normalisation while training: AdamW's steps do not depend on the gradient's scale.
 * 2. `source` (absent in the published vocoders) gives the generator an excitation, as neural source-filter models have (Wang
 *    et al. 2019): Griffin and Lim's estimate of the waveform. The generator sees it before its last residual blocks and
 *    learns what to add to it. Why: a network of convolutions over frames answers a steady spectrum with a wave that
 *    repeats every hop, so on its own it holds a tone at multiples of sampleRate / hop only (64 Hz in OmniWorld, whose
 *    pitches are 38 Hz apart at the bottom); recordings vary enough to hide that, steady tones do not.
 */
import { z } from 'zod';
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { stopGradient } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { conv1d, conv1dInit, convTranspose1d, convTranspose1dInit } from '../nn/conv';
import type { ConvLayerParams } from '../nn/conv';
import { filled } from '../nn/init';
import type { Noise } from '../nn/init';
import { griffinLim, melToMagnitudes } from '../nn/griffin-lim';
import { melConfigs, melSchema } from '../nn/mel';

const count = z.number().int().positive();
/** transformers' SpeechT5HifiGanConfig, in camel case. */
export const vocoderSchema = z.strictObject({
  /** Mels of the input. */
  modelInDim: count,
  samplingRate: count,
  upsampleInitialChannel: count,
  /** Their product is the number of samples a frame: the hop of the spectrogram. */
  upsampleRates: z.array(count).min(1),
  upsampleKernelSizes: z.array(count).min(1),
  resblockKernelSizes: z.array(count).min(1),
  resblockDilationSizes: z.array(z.array(count).min(1)).min(1),
  leakyReluSlope: z.number().min(0).lt(1).default(0.1),
  /** Whether the spectrogram is normalised by `mean` and `scale` first. */
  normalizeBefore: z.boolean().default(false),
  /** The excitation, if there is one. */
  source: z
    .strictObject({
      /** Of the input spectrogram. */
      mel: melSchema,
      iterations: count,
    })
    .optional(),
});
export type VocoderConfig = z.infer<typeof vocoderSchema>;

/** Sizes: a second of OmniWorld in 64 frames of 125 samples, and AudioLDM 2's (16 kHz, 160 samples a frame). */
export const vocoderSizes: Record<'nano' | 'audioldm2', VocoderConfig> = {
  nano: vocoderSchema.parse({
    modelInDim: 64,
    samplingRate: 8000,
    upsampleInitialChannel: 32,
    upsampleRates: [5, 5, 5],
    upsampleKernelSizes: [11, 11, 11],
    resblockKernelSizes: [3, 7],
    resblockDilationSizes: [
      [1, 3],
      [1, 3],
    ],
    source: { mel: melConfigs.omniworldFine, iterations: 16 },
  }),
  audioldm2: vocoderSchema.parse({
    modelInDim: 64,
    samplingRate: 16000,
    upsampleInitialChannel: 1024,
    upsampleRates: [5, 4, 2, 2, 2],
    upsampleKernelSizes: [16, 16, 8, 4, 4],
    resblockKernelSizes: [3, 7, 11],
    resblockDilationSizes: [
      [1, 3, 5],
      [1, 3, 5],
      [1, 3, 5],
    ],
  }),
};

export type VocoderBlockParams = { convs1: ConvLayerParams[]; convs2: ConvLayerParams[] };
export type VocoderParams = {
  conv_pre: ConvLayerParams;
  upsampler: ConvLayerParams[];
  /** Those of the first stage, one a kernel size, then those of the second, .... */
  resblocks: VocoderBlockParams[];
  conv_post: ConvLayerParams;
  /** Of the spectrogram, [modelInDim]; no gradient passes to them. */
  mean: Tensor;
  scale: Tensor;
  /** Excitation to the channels of the last stage. */
  source_conv?: ConvLayerParams;
};

/** Samples a frame. */
export const vocoderHop = (c: VocoderConfig): number => c.upsampleRates.reduce((a, b) => a * b, 1);

function checkConfig(c: VocoderConfig): void {
  const stages = c.upsampleRates.length;
  if (c.upsampleKernelSizes.length !== stages || c.upsampleInitialChannel % 2 ** stages)
    throw new ArgumentError(
      'vocoderInit',
      `expected a kernel for each of the ${stages} rates and channels that halve as often, got ${c.upsampleKernelSizes.length} and ${c.upsampleInitialChannel}`,
      'every stage halves the channels',
    );
  if (c.upsampleKernelSizes.some((k, i) => k < c.upsampleRates[i]))
    throw new ArgumentError(
      'vocoderInit',
      'expected kernels of at least their rate',
      'twice the rate, a little more or less, is usual',
    );
  if (
    c.resblockDilationSizes.length !== c.resblockKernelSizes.length ||
    c.resblockKernelSizes.some((k) => k % 2 === 0) ||
    c.resblockKernelSizes.length === 0
  )
    throw new ArgumentError(
      'vocoderInit',
      `expected odd kernel sizes of residual blocks, each with its dilations, got [${c.resblockKernelSizes.join(', ')}]`,
      'the published vocoders have 3, 7 and 11',
    );
}

/**
 * Convolutions as PyTorch draws them; mean 0 and scale 1. With a source the last one is zero: training starts from the
 * excitation as it is. Throws ArgumentError.
 */
export function vocoderInit(rng: Noise, c: VocoderConfig): VocoderParams {
  checkConfig(c);
  const width = (stage: number): number => c.upsampleInitialChannel / 2 ** stage;
  const stages = c.upsampleRates.map((_, i) => i);
  const params: VocoderParams = {
    conv_pre: conv1dInit(rng, c.modelInDim, width(0), 7),
    upsampler: stages.map((i) => convTranspose1dInit(rng, width(i), width(i + 1), c.upsampleKernelSizes[i])),
    resblocks: stages.flatMap((i) =>
      c.resblockKernelSizes.map((kernel, j) => {
        const convs = (): ConvLayerParams[] =>
          c.resblockDilationSizes[j].map(() => conv1dInit(rng, width(i + 1), width(i + 1), kernel));
        return { convs1: convs(), convs2: convs() };
      }),
    ),
    conv_post: conv1dInit(rng, width(stages.length), 1, 7),
    mean: filled([c.modelInDim], 0),
    scale: filled([c.modelInDim], 1),
  };
  if (c.source) {
    params.source_conv = conv1dInit(rng, 1, width(stages.length), 7);
    params.conv_post = { weight: filled(params.conv_post.weight.shape, 0), bias: filled([1], 0) };
  }
  return params;
}

const leakyRelu = (x: Tensor, slope: number): Tensor => x.maximum(x.mul(slope));

function block(p: VocoderBlockParams, x: Tensor, dilations: readonly number[], slope: number): Tensor {
  return dilations.reduce((h, dilation, i) => {
    const first = conv1d(p.convs1[i], leakyRelu(h, slope), { dilation, padding: 'same' });
    return h.add(conv1d(p.convs2[i], leakyRelu(first, slope), { padding: 'same' }));
  }, x);
}

/** The excitation [B, T hop] of frames [B, T, modelInDim]. Throws ArgumentError where the vocoder takes none. */
export function vocoderExcitation(c: VocoderConfig, mel: Tensor): Tensor {
  if (!c.source)
    throw new ArgumentError('vocoderExcitation', 'expected a vocoder with a source, got one without', 'it needs none');
  const { mel: config, iterations } = c.source;
  return griffinLim(melToMagnitudes(mel, config), config, mel.shape[1] * vocoderHop(c), { iterations });
}

/**
 * Log-mel frames [B, T, modelInDim] -> waveform [B, T hop], -1..1. A vocoder with a source computes its excitation itself if
 * it is not given [B, T hop]; for segments cut out of a sound give that of the whole sound, cut likewise. Throws ShapeError.
 */
export function vocoder(p: VocoderParams, c: VocoderConfig, mel: Tensor, excitation?: Tensor): Tensor {
  if (mel.rank !== 3 || mel.shape[2] !== c.modelInDim)
    throw new ShapeError(
      'vocoder',
      `expected frames [B, T, ${c.modelInDim}], got ${showShape(mel.shape)}`,
      'the spectrogram has other mels than the vocoder was made for',
    );
  const input = c.normalizeBefore ? mel.sub(stopGradient(p.mean)).div(stopGradient(p.scale)) : mel;
  const source = p.source_conv && (excitation ?? vocoderExcitation(c, mel));
  const kernels = c.resblockKernelSizes.length;
  let h = conv1d(p.conv_pre, input.transpose([0, 2, 1]), { padding: 3 });
  c.upsampleRates.forEach((stride, i) => {
    const padding = Math.floor((c.upsampleKernelSizes[i] - stride) / 2);
    let up = convTranspose1d(p.upsampler[i], leakyRelu(h, c.leakyReluSlope), { stride, padding });
    if (source && i === c.upsampleRates.length - 1)
      up = up.add(conv1d(p.source_conv!, source.unsqueeze(1), { padding: 'same' }));
    h = c.resblockDilationSizes
      .map((dilations, j) => block(p.resblocks[i * kernels + j], up, dilations, c.leakyReluSlope))
      .reduce((a, b) => a.add(b))
      .div(kernels);
  });
  // The last slope is PyTorch's default, not the configuration's: so the published vocoder computes.
  const wave = conv1d(p.conv_post, leakyRelu(h, 0.01), { padding: 3 }).reshape([mel.shape[0], -1]).tanh();
  return source ? source.add(wave).clip(-1, 1) : wave;
}

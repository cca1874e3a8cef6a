/** How near the sound decoder's parts come to held-out sounds: the vocoder's spectral errors, the autoencoder's. */
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import { melDistance, multiResolutionStft } from '../../losses/stft';
import type { SoundConfig } from '../../models/decoder';
import { decodeLatents, encodeLatents } from '../../models/vae';
import type { AutoencoderConfig, AutoencoderParams } from '../../models/vae';
import { vocoder, vocoderExcitation } from '../../models/vocoder';
import type { VocoderParams } from '../../models/vocoder';
import { logMelSpectrogram } from '../../nn/mel';
import { jit } from '../../runtime/jit';

/** Sounds that are computed together. */
const TOGETHER = 16;

export interface Measured {
  metrics: Record<string, number>;
  sounds: Float32Array[];
}

export interface SoundMeasures {
  /** Rendered sounds through spectrogram and vocoder; `excitation/...`: without what the vocoder learned. */
  vocoder(params: VocoderParams): Promise<Measured>;
  /** Through spectrogram, autoencoder and vocoder; `variance` is the squared error of the mean spectrogram value. */
  autoencoder(params: AutoencoderParams, config: AutoencoderConfig, vocoder: VocoderParams): Promise<Measured>;
}

export function soundMeasures(sound: SoundConfig, sounds: readonly Float32Array[], device?: string): SoundMeasures {
  const { mel } = sound;
  const length = sounds[0].length;
  const resolutions = [
    { nFft: 256, hop: 64 },
    { nFft: 1024, hop: 256 },
  ];
  const errors = (y: Tensor, x: Tensor): Record<string, Tensor> => ({
    mel_distance: melDistance(y, x, mel),
    spectral_convergence: multiResolutionStft(y, x, { resolutions }).metrics.spectral_convergence,
  });
  const named = (prefix: string, record: Record<string, Tensor>): [string, Tensor][] =>
    Object.entries(record).map(([key, t]) => [prefix + key, t]);

  const vocode = jit(
    (p: VocoderParams, x: Tensor) => {
      const frames = logMelSpectrogram(x, mel);
      const excitation = sound.vocoder.source && vocoderExcitation(sound.vocoder, frames);
      const y = vocoder(p, sound.vocoder, frames, excitation);
      const metrics = [...named('', errors(y, x)), ...(excitation ? named('excitation/', errors(excitation, x)) : [])];
      return { y, metrics: Object.fromEntries(metrics) };
    },
    { device, name: 'vocoder measures' },
  );
  const reconstructWith = (config: AutoencoderConfig) =>
    jit(
      (p: AutoencoderParams, v: VocoderParams, x: Tensor) => {
        const target = logMelSpectrogram(x, mel);
        const { mean } = encodeLatents(p, config, target.unsqueeze(1));
        const output = decodeLatents(p, config, mean).squeeze(1);
        const metrics: Record<string, Tensor> = {
          mse: output.sub(target).square().mean(),
          variance: target.variance(),
        };
        return { y: vocoder(v, sound.vocoder, output), metrics };
      },
      { device, name: 'autoencoder measures' },
    );

  const measure = async (
    run: (x: Tensor) => Promise<{ y: Tensor; metrics: Record<string, Tensor> }>,
  ): Promise<Measured> => {
    const out: Measured = { metrics: {}, sounds: [] };
    const batches = Math.ceil(sounds.length / TOGETHER);
    for (let first = 0; first < sounds.length; first += TOGETHER) {
      const batch = new Float32Array(TOGETHER * length);
      // One size is compiled: the last batch is filled with the first sounds.
      for (let i = 0; i < TOGETHER; i++) batch.set(sounds[(first + i) % sounds.length], i * length);
      const { y, metrics } = await run(tensor(batch, { shape: [TOGETHER, length] }));
      const values = (await y.data()) as Float32Array;
      for (let i = 0; i < TOGETHER && first + i < sounds.length; i++)
        out.sounds.push(values.slice(i * length, (i + 1) * length));
      for (const [key, t] of Object.entries(metrics))
        out.metrics[key] = (out.metrics[key] ?? 0) + (await t.item()) / batches;
    }
    return out;
  };
  return {
    vocoder: async (params) => {
      const found = await measure((x) => vocode(params, x));
      vocode.release();
      return found;
    },
    autoencoder: async (params, config, voice) => {
      const reconstruct = reconstructWith(config);
      const found = await measure((x) => reconstruct(params, voice, x));
      reconstruct.release();
      return found;
    },
  };
}

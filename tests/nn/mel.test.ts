/** Fourier transforms, mel filters and log-mel spectrograms against torch, librosa and transformers (goldens/mel.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gradients, tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import {
  griffinLim,
  hertzToMel,
  inverseMelWeights,
  istft,
  logMelSpectrogram,
  melConfigs,
  melFilterBank,
  melFrames,
  melToHertz,
  melToMagnitudes,
  melWeights,
  spectrogram,
  stft,
  windowOf,
} from '../../lib/nn';
import type { MelConfig, StftConfig } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { assertClose, param } from './golden';

const stored = new Map(
  readFileSync(path.join(__dirname, '../../../tests/goldens/data/mel.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { case: name, values } = JSON.parse(line) as { case: string; values: Record<string, number[]> };
      return [name, values];
    }),
);
const samples = (name: string, shape: readonly number[]): Tensor => param(name, shape, 0.5);

describe('Fourier transform against torch.stft', () => {
  after(closeDevices);
  const check = (name: string, length: number, config: StftConfig): void => {
    it(name, async () => {
      const expected = stored.get(name)!;
      const x = samples(`${name}.x`, [2, length]);
      const { real, imag } = stft(x, config);
      assertClose(await real.numbers(), expected.real, 'real');
      assertClose(await imag.numbers(), expected.imag, 'imaginary');
      const dy = samples(`${name}.dy`, [...real.shape, 2]);
      const both = real.mul(dy.slice(null, null, null, 0)).add(imag.mul(dy.slice(null, null, null, 1)));
      const [dx] = gradients(both.sum(), [x]);
      assertClose(await dx.numbers(), expected.dx, 'gradient');
    });
  };
  check('stft', 100, { nFft: 32, hop: 8 });
  check('stft.short-window', 100, { nFft: 32, hop: 8, windowLength: 20 });
  check('stft.odd-hop', 90, { nFft: 24, hop: 10, window: 'hamming' });
  check('stft.no-padding', 77, { nFft: 16, hop: 5, padding: 0 });
  check('stft.zeros', 40, { nFft: 16, hop: 16, padMode: 'zeros' });

  it('a magnitude of silence has a finite gradient', async () => {
    const x = tensor(new Float32Array(64), { shape: [1, 64] });
    const [dx] = gradients(spectrogram(x, { nFft: 16, hop: 8 }, { power: 1 }).sum(), [x]);
    assert.ok((await dx.numbers()).every(Number.isFinite));
  });

  it('bad arguments are named', () => {
    const x = samples('x', [1, 40]);
    assert.throws(() => stft(x, { nFft: 15, hop: 4 }), /stft: expected an even nFft, got 15/);
    assert.throws(() => stft(x, { nFft: 16, hop: 0 }), /hop of at least 1/);
    assert.throws(() => stft(x, { nFft: 16, hop: 4, windowLength: 20 }), /window of at most nFft = 16/);
    assert.throws(() => stft(x, { nFft: 128, hop: 4 }), /more than 64 samples to reflect/);
    assert.throws(() => stft(x, { nFft: 64, hop: 4, padding: 0 }), /at least one frame of 64 samples/);
    assert.throws(() => stft(samples('x', [40]), { nFft: 16, hop: 4 }), /expected samples \[B, N\]/);
    assert.throws(() => windowOf('blackman' as never, 8), /expected hann, hamming/);
  });
});

describe('mel filters against librosa and transformers', () => {
  const check = (name: string, config: Omit<MelConfig, 'hop'>): void => {
    it(name, () => {
      const { rows, columns, weights } = stored.get(name)!;
      const dense = new Float64Array((config.nFft / 2 + 1) * config.mels);
      weights.forEach((w, i) => (dense[rows[i] * config.mels + columns[i]] = w));
      assertClose(melWeights({ ...config, hop: 1 }), dense, 'weights', 2e-8);
    });
  };
  check('mel.htk', { sampleRate: 8000, nFft: 256, mels: 20, scale: 'htk', norm: 'none' });
  check('mel.htk.slaney', { sampleRate: 16000, nFft: 256, mels: 12, fMin: 100, fMax: 7000, scale: 'htk' });
  check('mel.slaney', { sampleRate: 8000, nFft: 512, mels: 32 });
  check('mel.slaney.none', { sampleRate: 22050, nFft: 512, mels: 24, fMin: 50, fMax: 8000, norm: 'none' });
  check('mel.kaldi', { sampleRate: 16000, nFft: 512, mels: 128, fMin: 20, scale: 'kaldi', norm: 'none' });

  it('scales are inverted', () => {
    for (const scale of ['htk', 'slaney', 'kaldi'] as const)
      for (const hertz of [0, 60, 999, 1000, 1001, 7000])
        assert.ok(Math.abs(melToHertz(hertzToMel(hertz, scale), scale) - hertz) < 1e-8, `${scale} ${hertz}`);
  });

  it('bad arguments are named', () => {
    const c = { sampleRate: 8000, nFft: 256, hop: 64, mels: 8 };
    assert.throws(() => melFilterBank({ ...c, fMax: 5000 }), /fMax <= 4000 Hz, got 0 and 5000/);
    assert.throws(() => melFilterBank({ ...c, fMin: 4000 }), /fMin < fMax/);
    assert.throws(() => melFilterBank({ ...c, mels: 0 }), /at least one filter/);
  });
});

describe('log-mel spectrograms against librosa and transformers', () => {
  after(closeDevices);
  const check = (kind: keyof typeof melConfigs, length: number): void => {
    const name = `logMel.${kind}`;
    for (const device of ['cpu', 'tfjs'])
      it(`${name} on ${device}`, async () => {
        const mel = jit((x: Tensor) => logMelSpectrogram(x, melConfigs[kind]), { name, device });
        const y = await mel(samples(`${name}.x`, [length]).reshape([1, length]));
        assert.deepEqual(y.shape, [1, melFrames(melConfigs[kind], length), melConfigs[kind].mels]);
        assertClose(await y.numbers(), stored.get(name)!.y, name, 2e-4);
      });
  };
  check('omniworld', 2000);
  check('omniworldFine', 1200);
  check('audioldm2', 1600);
  check('imagebind', 1600);

  it('a second of OmniWorld has 64 frames, one of AudioLDM 2 101', () => {
    assert.deepEqual([melFrames(melConfigs.omniworld, 8000), melFrames(melConfigs.audioldm2, 16000)], [64, 101]);
    assert.equal(melFrames(melConfigs.imagebind, 32000), 198);
  });
});

describe('waveforms of spectrograms against torch and librosa', () => {
  after(closeDevices);
  const inverse = (name: string, frames: number, config: StftConfig, length: number): void => {
    it(name, async () => {
      const shape = [2, frames, config.nFft / 2 + 1];
      const y = istft(samples(`${name}.real`, shape), samples(`${name}.imag`, shape), config, length);
      assertClose(await y.numbers(), stored.get(name)!.y, name);
    });
  };
  inverse('istft', 12, { nFft: 32, hop: 8 }, 80);
  inverse('istft.odd', 9, { nFft: 24, hop: 10 }, 80);

  it('griffinLim', async () => {
    const config: StftConfig = { nFft: 32, hop: 8, padMode: 'zeros' };
    const x = samples('griffinLim.x', [12, 17]).abs().reshape([1, 12, 17]);
    const y = griffinLim(x, config, 88, { iterations: 5, start: 'zero' });
    assertClose(await y.numbers(), stored.get('griffinLim')!.y, 'griffinLim', 1e-4);
  });

  it('inverse mel filters', () => {
    const found = inverseMelWeights({ sampleRate: 8000, nFft: 128, hop: 32, mels: 16, scale: 'htk' });
    const expected = stored.get('inverseMel')!.y;
    const largest = Math.max(...expected.map(Math.abs));
    assertClose(
      found.map((v) => v / largest),
      expected.map((v) => v / largest),
      'weights',
      1e-7,
    );
    assert.throws(() => inverseMelWeights({ sampleRate: 8000, nFft: 64, hop: 32, mels: 64 }), /filter 0 holds none/);
  });

  it('a tone comes back from its spectrogram at its pitch', async () => {
    const config = melConfigs.omniworldFine;
    const hertz = 517;
    const wave = Float32Array.from({ length: 4000 }, (_, n) => 0.3 * Math.sin((2 * Math.PI * hertz * n) / 8000));
    const mel = logMelSpectrogram(tensor(wave, { shape: [1, 4000] }), config);
    const y = await griffinLim(melToMagnitudes(mel, config), config, 4000).numbers();
    let crossings = 0;
    for (let n = 1001; n < 3001; n++) if (y[n - 1] < 0 && y[n] >= 0) crossings++;
    assert.ok(Math.abs(crossings * 4 - hertz) < 15, `${crossings * 4} Hz`);
  });
});

/** Mono sound as a WAV file of 16-bit PCM, which every browser plays. */
import { ArgumentError } from '../errors';

/** RIFF/WAVE bytes of `samples` in [-1, 1]; what lies outside is clipped. @throws ArgumentError */
export function encodeWav(samples: Float32Array, sampleRate: number): Uint8Array {
  if (!(samples instanceof Float32Array) || samples.length === 0) {
    throw new ArgumentError('audio', 'expected a Float32Array with at least one sample, got none', 'give mono samples');
  }
  if (!(Number.isInteger(sampleRate) && sampleRate >= 1000 && sampleRate <= 384_000)) {
    throw new ArgumentError(
      'audio',
      `expected a sample rate from 1000 to 384000 Hz, got ${sampleRate}`,
      'for instance 8000',
    );
  }
  const bytes = new Uint8Array(44 + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const text = (at: number, letters: string) => bytes.set(new TextEncoder().encode(letters), at);
  text(0, 'RIFF');
  view.setUint32(4, 36 + samples.length * 2, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true); // bytes of the format chunk
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a frame
  view.setUint16(34, 16, true); // bits a sample
  text(36, 'data');
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, i) => {
    if (!Number.isFinite(sample)) {
      throw new ArgumentError('audio', `expected finite samples, got ${sample} at ${i}`, 'look at what made the sound');
    }
    view.setInt16(44 + i * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
  });
  return bytes;
}

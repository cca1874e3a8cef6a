/** The sound of a scene: one note for each object (notes.ts), over a faint noise. */
import { ArgumentError } from '../errors';
import type { Sound } from '../io/media';
import { AMPLITUDE, addNote } from './notes';
import { noiseAt } from './render-image';
import type { Scene } from './scene';

/** Loudest value of the noise of a background as dark as can be, and what a full tint adds. */
const NOISE = 0.001;
const TINTED = 0.004;

/** The sound of a scene; motion is not heard. Same scene, same bytes. @throws ArgumentError */
export function renderAudio(
  scene: Scene,
  { sampleRate = 8000, seconds = 1 }: { sampleRate?: number; seconds?: number } = {},
): Sound {
  if (!(Number.isInteger(sampleRate) && sampleRate >= 8000 && sampleRate <= 192_000))
    throw new ArgumentError(
      'renderAudio',
      `expected a sample rate from 8000 to 192000 Hz, got ${sampleRate}`,
      'the highest notes need 8000',
    );
  if (!(seconds >= 0.25 && seconds <= 60))
    throw new ArgumentError(
      'renderAudio',
      `expected 0.25 to 60 seconds, got ${seconds}`,
      'notes last 0.3 of the whole',
    );
  const { tint, noise } = scene.background;
  const loudest = NOISE + (TINTED * (tint[0] + tint[1] + tint[2])) / 3;
  const samples = new Float32Array(Math.round(sampleRate * seconds));
  for (let i = 0; i < samples.length; i++) samples[i] = loudest * noiseAt(noise, i);
  for (const { cell, colour, shape, size } of scene.objects)
    addNote(samples, { cell, colour, shape, amplitude: AMPLITUDE[size] }, sampleRate, seconds);
  return { sampleRate, samples };
}

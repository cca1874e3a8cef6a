/**
 * How attributes sound: one note an object.
 *
 *   column -> when it begins: notes of different columns do not overlap in time
 *   row    -> register: the bands of fundamentals of the three rows do not overlap (the top row is the highest)
 *   colour -> pitch within the register
 *   shape  -> timbre: partials, and the course of loudness
 *   size   -> loudness
 *
 * Pitches are evenly spaced on the mel scale, 45 mel apart: over half a band of 32 mel bands below 4 kHz.
 */
import { COLOURS, SIZES } from './lexicon';
import type { Cell, Colour, Shape, Size } from './lexicon';

/** Begin of a column's note, and length of a note, in parts of the whole sound. */
export const onsetOf = (column: number): number => 0.03 + 0.32 * column;
export const NOTE = 0.3;

/** The mel scale of O'Shaughnessy (1987), as HTK has it. */
const toMel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
const fromMel = (mel: number): number => 700 * (10 ** (mel / 2595) - 1);

const [LOWEST, HIGHEST] = [toMel(250), toMel(1900)];
/** Steps of pitch in a register, one of them the gap to the next. */
const STEPS = COLOURS.length + 1;

/** Fundamental frequency in Hz. */
export function pitchOf(cell: Cell, colour: Colour): number {
  const step = (2 - cell[0]) * STEPS + COLOURS.indexOf(colour);
  return fromMel(LOWEST + ((HIGHEST - LOWEST) * step) / (3 * STEPS - 2));
}

/** Greatest amplitude: three large notes at once stay below 1. */
export const AMPLITUDE: Record<Size, number> = { small: 0.12, large: 0.3 };

/** The amplitude between the two sizes, in ratio. */
export const MIDDLE_AMPLITUDE = Math.sqrt(SIZES.reduce((product, size) => product * AMPLITUDE[size], 1));

interface Timbre {
  /** [multiple of the fundamental, amplitude]; amplitudes add up to 1. */
  partials: readonly (readonly [number, number])[];
  /** Loudness, 0 to 1, at time 0 to 1 of the note. */
  course: (t: number) => number;
}

/** Smooth step from 0 at `a` to 1 at `b`. */
const ramp = (t: number, a: number, b: number): number => {
  const x = Math.max(0, Math.min(1, (t - a) / (b - a)));
  return x * x * (3 - 2 * x);
};
/** Loud from `a` to `b`, with soft edges. */
const pulse = (t: number, a: number, b: number): number => ramp(t, a, a + 0.06) * (1 - ramp(t, b - 0.06, b));

/** The partials alone would not tell shapes apart in the highest register, where few are below 4 kHz: the course does. */
export const TIMBRES: Record<Shape, Timbre> = {
  /** Pure and steady. */
  circle: { partials: [[1, 1]], course: (t) => pulse(t, 0, 1) },
  /** Hollow (odd partials), in three short blows. */
  square: {
    partials: [
      [1, 0.7],
      [3, 0.3],
    ],
    course: (t) => pulse(t, 0, 0.22) + pulse(t, 0.38, 0.6) + pulse(t, 0.76, 0.98),
  },
  /** Plucked. */
  triangle: {
    partials: [
      [1, 0.75],
      [2, 0.25],
    ],
    course: (t) => ramp(t, 0, 0.04) * Math.exp(-5 * t) * (1 - ramp(t, 0.94, 1)),
  },
  /** Bright, swelling. */
  star: {
    partials: [
      [1, 0.6],
      [2, 0.25],
      [3, 0.15],
    ],
    course: (t) => Math.exp(-4 * (0.94 - Math.min(t, 0.94))) * ramp(t, 0, 0.06) * (1 - ramp(t, 0.94, 1)),
  },
  /** A bell (a partial out of tune) in two blows. */
  cross: {
    partials: [
      [1, 0.75],
      [1.5, 0.25],
    ],
    course: (t) => pulse(t, 0, 0.36) + pulse(t, 0.62, 0.98),
  },
};

/** Adds a note to `samples`, which last `seconds`. Partials above the highest that the rate can carry are left out. */
export function addNote(
  samples: Float32Array | Float64Array,
  note: { cell: Cell; colour: Colour; shape: Shape; amplitude: number },
  sampleRate: number,
  seconds: number,
): void {
  const { partials, course } = TIMBRES[note.shape];
  const begin = Math.round(onsetOf(note.cell[1]) * seconds * sampleRate);
  const length = Math.round(NOTE * seconds * sampleRate);
  const pitch = pitchOf(note.cell, note.colour);
  const carried = partials.filter(([multiple]) => multiple * pitch < 0.49 * sampleRate);
  for (let i = 0; i < length && begin + i < samples.length; i++) {
    let wave = 0;
    const turn = (2 * Math.PI * pitch * i) / sampleRate;
    for (const [multiple, amplitude] of carried) wave += amplitude * Math.sin(multiple * turn);
    samples[begin + i] += note.amplitude * course(i / length) * wave;
  }
}

/**
 * Finds the notes in a sound by analysis through synthesis: the magnitudes of every note that could be there are matched
 * with those of the sound, the one that explains most is taken away, and so on (matching pursuit, Mallat & Zhang 1993);
 * then each is matched again, given the others. Columns do not overlap in time, so each is searched by itself.
 */
import { COLOURS, SHAPES } from './lexicon';
import type { Colour, Shape } from './lexicon';
import { AMPLITUDE, MIDDLE_AMPLITUDE, NOTE, addNote, onsetOf } from './notes';
import type { SceneObject } from './scene';
import { magnitudes } from './spectrum';

/** Everything is matched at this rate, in sounds of one second. */
export const HEARING_RATE = 8000;
const WINDOW = 256;
const HOP = 80;
const FRAMES = Math.round((NOTE * HEARING_RATE) / HOP) + 1;

/** A note counts from this amplitude on: half of a small object's. */
const FAINTEST = AMPLITUDE.small / 2;

const spectrogram = (samples: Float32Array | Float64Array, column: number): Float32Array =>
  magnitudes(samples, { begin: Math.round(onsetOf(column) * HEARING_RATE), hop: HOP, frames: FRAMES, window: WINDOW });

/** Level of steady noise: notes fill few of the bins, so it is the median. */
const noiseLevel = (values: Float32Array): number => values.slice().sort()[values.length >> 1];

/** A note's gain must be more than this many squares of the noise level, or noise would be taken for notes. */
const CLEAR = 60;

interface Template {
  row: number;
  shape: Shape;
  colour: Colour;
  /** Magnitudes of the note at amplitude 1, and their squares' sum. */
  values: Float32Array;
  energy: number;
}

let known: Template[] | undefined;

/** The 120 notes of a column (all columns' are alike). */
function templates(): readonly Template[] {
  if (known) return known;
  known = [];
  for (const row of [0, 1, 2])
    for (const shape of SHAPES)
      for (const colour of COLOURS) {
        const samples = new Float64Array(HEARING_RATE);
        addNote(samples, { cell: [row, 1], colour, shape, amplitude: 1 }, HEARING_RATE, 1);
        const values = spectrogram(samples, 1);
        known.push({ row, shape, colour, values, energy: values.reduce((sum, v) => sum + v * v, 0) });
      }
  return known;
}

interface Note {
  template: Template;
  amplitude: number;
  /** By how much it lessens the squared error. */
  gain: number;
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** Adds `factor` times a note's magnitudes. */
function add(to: Float32Array, { template, amplitude }: Note, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] += factor * amplitude * template.values[i];
}

/** The note that explains most of the rest, in one of the rows. */
function bestNote(rest: Float32Array, rows: readonly number[]): Note | undefined {
  let best: Note | undefined;
  for (const template of templates()) {
    if (!rows.includes(template.row)) continue;
    const along = dot(rest, template.values);
    const amplitude = along / template.energy;
    const gain = amplitude * along;
    if (amplitude > 0 && gain > (best?.gain ?? 0)) best = { template, amplitude, gain };
  }
  return best;
}

/** The notes of a column, at most one a row. */
function notesOf(samples: Float32Array, column: number): Note[] {
  const rest = spectrogram(samples, column);
  const noise = noiseLevel(rest);
  for (let i = 0; i < rest.length; i++) rest[i] -= noise;
  const counts = (note: Note): boolean => note.amplitude >= FAINTEST && note.gain >= CLEAR * noise ** 2;
  const notes: Note[] = [];
  while (notes.length < 3) {
    const free = [0, 1, 2].filter((row) => !notes.some((n) => n.template.row === row));
    const note = bestNote(rest, free);
    if (!note || !counts(note)) break;
    notes.push(note);
    add(rest, note, -1);
    for (let pass = 0, changed = notes.length > 1; changed && pass < 6; pass++) {
      changed = false;
      for (const [i, old] of notes.entries()) {
        add(rest, old, 1);
        const again = bestNote(rest, [old.template.row]) ?? old;
        changed ||= again.template !== old.template || Math.abs(again.amplitude - old.amplitude) > 0.003;
        notes[i] = again;
        add(rest, again, -1);
      }
    }
  }
  return notes.filter(counts);
}

/** Up to three objects in one second at 8 kHz, in reading order; sounds do not tell motion, so all stand still. */
export function findNotes(samples: Float32Array): SceneObject[] {
  const found = [0, 1, 2].flatMap((column) => notesOf(samples, column).map((note) => ({ column, ...note })));
  return found
    .sort((a, b) => b.gain - a.gain)
    .slice(0, 3)
    .map(({ column, amplitude, template: { row, shape, colour } }): SceneObject => ({
      shape,
      colour,
      cell: [row, column],
      size: amplitude > MIDDLE_AMPLITUDE ? 'large' : 'small',
      motion: 'still',
    }))
    .sort((a, b) => a.cell[0] * 3 + a.cell[1] - (b.cell[0] * 3 + b.cell[1]));
}

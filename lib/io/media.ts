/**
 * Pictures, sounds and clips as numbers: the form in which every part of the package hands them on. Files of them are
 * read and written by the other files of this folder.
 */
import { ArgumentError } from '../errors';

/** A colour picture. `data` is [3, height, width]: red, green, blue planes in rows from the top, each value 0 to 1. */
export interface Picture {
  width: number;
  height: number;
  data: Float32Array;
}

/** A mono sound: `samples` from -1 to 1, `sampleRate` of them a second. */
export interface Sound {
  sampleRate: number;
  samples: Float32Array;
}

/** A silent clip. `data` is [frames, 3, height, width], each value 0 to 1. */
export interface Clip {
  width: number;
  height: number;
  frames: number;
  /** Frames a second. */
  fps: number;
  data: Float32Array;
}

/** Any of the three, with its modality's name. */
export type Medium =
  { modality: 'image'; picture: Picture } | { modality: 'audio'; sound: Sound } | { modality: 'video'; clip: Clip };

/** Frame `index` of a clip as a picture; it shares the clip's memory. @throws ArgumentError */
export function frameOf(clip: Clip, index: number): Picture {
  if (!(Number.isInteger(index) && index >= 0 && index < clip.frames))
    throw new ArgumentError(
      'frameOf',
      `expected a frame from 0 to ${clip.frames - 1}, got ${index}`,
      'count from the first frame, which is 0',
    );
  const length = 3 * clip.height * clip.width;
  return { width: clip.width, height: clip.height, data: clip.data.subarray(index * length, (index + 1) * length) };
}

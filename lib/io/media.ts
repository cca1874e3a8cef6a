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

/**
 * Refuses a medium whose sizes and values do not fit together: a model would be given NaN without a word.
 * @throws ArgumentError
 */
export function checkMedium(where: string, name: string, medium: Medium): void {
  const fail = (expected: string, got: unknown, help: string): never => {
    throw new ArgumentError(where, `expected ${name} ${expected}, got ${String(got)}`, help);
  };
  const given = medium as Partial<Record<'modality' | 'picture' | 'sound' | 'clip', unknown>> | null | undefined;
  const content = given?.modality === 'image' ? given.picture : given?.modality === 'audio' ? given.sound : given?.modality === 'video' ? given.clip : undefined; // prettier-ignore
  if (typeof content !== 'object' || content === null)
    fail(
      'as a picture, a sound or a clip',
      content,
      "write { modality: 'image', picture }, and likewise sound and clip",
    );
  const { width, height, frames = 1, fps = 1, sampleRate, samples, data } = content as Partial<Picture & Sound & Clip>;
  const whole = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 1;
  const values = medium.modality === 'audio' ? samples : data;
  if (!(values instanceof Float32Array))
    return fail('to hold a Float32Array', typeof values, 'see Picture, Sound and Clip');
  if (medium.modality === 'audio') {
    if (!whole(sampleRate)) fail('to have a sample rate above 0', sampleRate, 'in samples a second, 8000 for example');
    if (!values.length) fail('to have at least one sample', 0, 'give a sound that is not empty');
  } else {
    if (!whole(width) || !whole(height) || !whole(frames) || !(fps > 0))
      return fail('to have sides, frames and frames a second above 0', `${width} x ${height} x ${frames} at ${fps}`, 'give all of them'); // prettier-ignore
    if (values.length !== frames * 3 * height * width)
      fail(
        `to have ${frames * 3 * height * width} values`,
        values.length,
        'order them frames, channels, rows, columns',
      );
  }
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) fail('to have finite values', `${values[at]} at ${at}`, 'look at what made it');
}

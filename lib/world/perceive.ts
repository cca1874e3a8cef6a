/**
 * The oracles of pictures, sounds and clips: which objects are seen or heard in them. They take rendered and generated
 * media alike, and files of a user's.
 */
import { ArgumentError } from '../errors';
import { cropClip, cropSquare, pickFrames, resizeClip, resizePicture } from '../io/resize';
import { resample } from '../io/resample';
import type { Clip, Medium, Picture, Sound } from '../io/media';
import { HEARING_RATE, findNotes } from './hearing';
import type { SceneObject } from './scene';
import { findObjects } from './sight';

/** Larger pictures are made smaller first: objects are large enough in these. */
const LARGEST_PICTURE = 64;
const LARGEST_FRAME = 32;
const MOST_FRAMES = 8;

function checkData(where: string, data: Float32Array, length: number): void {
  if (data.length !== length)
    throw new ArgumentError(
      where,
      `expected ${length} values, got ${data.length}`,
      'data is [frames,] 3, height, width',
    );
  if (!data.every(Number.isFinite))
    throw new ArgumentError(where, 'expected finite values, got NaN or infinity', 'look at what made them');
}

/** The objects in a picture, at most three, in reading order (motion: still). @throws ArgumentError */
export function seeObjects(picture: Picture): SceneObject[] {
  checkData('seeObjects', picture.data, 3 * picture.width * picture.height);
  const square = cropSquare(picture);
  const side = Math.min(square.width, LARGEST_PICTURE);
  return findObjects(resizePicture(square, side, side).data, side, 1);
}

/** The objects in a sound's first second, at most three, in reading order (motion: still). @throws ArgumentError */
export function hearObjects(sound: Sound): SceneObject[] {
  checkData('hearObjects', sound.samples, sound.samples.length);
  return findNotes(resample(sound, HEARING_RATE).samples);
}

/** The objects in a clip, at most three, in reading order, with their motions. @throws ArgumentError */
export function watchObjects(clip: Clip): SceneObject[] {
  checkData('watchObjects', clip.data, clip.frames * 3 * clip.width * clip.height);
  if (clip.frames < 2) return seeObjects({ width: clip.width, height: clip.height, data: clip.data });
  const square = cropClip(pickFrames(clip, Math.min(clip.frames, MOST_FRAMES)));
  const side = Math.min(square.width, LARGEST_FRAME);
  return findObjects(resizeClip(square, side, side).data, side, square.frames);
}

/** The objects in any medium. */
export function perceive(medium: Medium): SceneObject[] {
  switch (medium.modality) {
    case 'image':
      return seeObjects(medium.picture);
    case 'audio':
      return hearObjects(medium.sound);
    case 'video':
      return watchObjects(medium.clip);
  }
}

/** The clip of a scene: its objects move across their cells over a background that stands still. */
import { ArgumentError } from '../errors';
import type { Clip } from '../io/media';
import { checkSide, paintFrames } from './render-image';
import type { Scene } from './scene';

/** The clip of a scene: one second of `frames` frames, `size` x `size` each. Same scene, same bytes. @throws ArgumentError */
export function renderVideo(scene: Scene, { size = 48, frames = 8 }: { size?: number; frames?: number } = {}): Clip {
  checkSide('renderVideo', size);
  if (!(Number.isInteger(frames) && frames >= 2 && frames <= 256))
    throw new ArgumentError(
      'renderVideo',
      `expected 2 to 256 frames, got ${frames}`,
      'one frame is a picture: renderImage',
    );
  return { width: size, height: size, frames, fps: frames, data: paintFrames(scene, size, frames) };
}

/** A scene in any modality. */
import type { Medium } from '../io/media';
import { renderAudio } from './render-audio';
import { renderImage } from './render-image';
import { renderVideo } from './render-video';
import type { Scene } from './scene';
import type { Modality } from './signals';

/** The picture (32 x 32), sound (1 s at 8 kHz) or clip (8 frames of 32 x 32) of a scene. */
export function renderMedium(modality: Modality, scene: Scene): Medium {
  switch (modality) {
    case 'image':
      return { modality, picture: renderImage(scene) };
    case 'audio':
      return { modality, sound: renderAudio(scene) };
    case 'video':
      return { modality, clip: renderVideo(scene) };
  }
}

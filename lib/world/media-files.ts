/** The media of records: read from the file beside them where there is one, rendered from the scene where not. */
import * as path from 'node:path';
import type { z } from 'zod';
import { encodeGif } from '../io/gif-write';
import type { Medium } from '../io/media';
import { readAudio, readClip, readImage } from '../io/media-files';
import { pixelsOf } from '../io/pixels';
import { encodePng } from '../io/png-write';
import { encodeWav } from '../io/wav-write';
import type { instructionSchema } from './records';
import { renderMedium } from './render';
import { MODALITIES } from './signals';
import type { Modality } from './signals';

/** The media of a record. */
export type RecordMedia = z.infer<typeof instructionSchema>['media'];
/** One of them. */
export type RecordMedium = NonNullable<RecordMedia[Modality]>;

/**
 * The medium of a record. `folder`: where the records lie; without it, or for a record without a file, the scene is
 * rendered. A file's sound keeps its sample rate, and a clip its colours, of which GIF has 256.
 * @throws FormatError for a file that is missing or damaged
 */
export async function loadMedium(modality: Modality, { scene, file }: RecordMedium, folder?: string): Promise<Medium> {
  if (file === undefined || folder === undefined) return renderMedium(modality, scene);
  const source = path.join(folder, file);
  switch (modality) {
    case 'image':
      return { modality, picture: await readImage(source) };
    case 'audio':
      return { modality, sound: await readAudio(source) };
    case 'video':
      return { modality, clip: await readClip(source) };
  }
}

/** Endings of the files of each modality. */
export const MEDIA_ENDINGS: Record<Modality, string> = { image: 'png', audio: 'wav', video: 'gif' };

/** A medium as the bytes of a file: PNG, WAV or GIF. Same medium, same bytes. */
export function encodeMedium(medium: Medium): Uint8Array {
  switch (medium.modality) {
    case 'image':
      return encodePng(pixelsOf(medium.picture));
    case 'audio':
      return encodeWav(medium.sound.samples, medium.sound.sampleRate);
    case 'video':
      return encodeGif(medium.clip);
  }
}

/**
 * The record with the files of its media named, `<folder>/<modality>/<id>.<ending>`, and what is to be written into them.
 */
export function withFiles<R extends { id: string; media: RecordMedia }>(
  record: R,
  folder: string,
): { record: R; files: { file: string; modality: Modality; medium: RecordMedium }[] } {
  const media: RecordMedia = {};
  const files: { file: string; modality: Modality; medium: RecordMedium }[] = [];
  for (const modality of MODALITIES) {
    const medium = record.media[modality];
    if (!medium) continue;
    const file = `${folder}/${modality}/${record.id}.${MEDIA_ENDINGS[modality]}`;
    files.push({ file, modality, medium });
    media[modality] = { ...medium, file };
  }
  return { record: { ...record, media }, files };
}

/** Generated media as files of a run, for people to look at and listen to. */
import path from 'node:path';
import { writeFileAtomic } from '../../io/atomic';
import { writeGif, writePng, writeWav } from '../../io/media-files';
import type { Medium } from '../../io/media';

export interface Sample {
  medium: Medium;
  /** What it is to show. */
  caption: string;
}

/** Pictures and clips are small: they are enlarged, so that one sees something. */
const SCALE = 4;

async function writeSample(stem: string, medium: Medium): Promise<string> {
  switch (medium.modality) {
    case 'image':
      await writePng(`${stem}.png`, medium.picture, { scale: SCALE });
      return `${stem}.png`;
    case 'audio':
      await writeWav(`${stem}.wav`, medium.sound);
      return `${stem}.wav`;
    case 'video':
      await writeGif(`${stem}.gif`, medium.clip, { scale: SCALE });
      return `${stem}.gif`;
  }
}

/** Writes `<name>/0.png`, `1.wav`, `2.gif`, ... and `<name>/index.json` with the captions. */
export async function saveSamples(dir: string, name: string, samples: readonly Sample[]): Promise<void> {
  const folder = path.join(dir, name);
  const index = [];
  for (const [i, { medium, caption }] of samples.entries())
    index.push({ file: path.basename(await writeSample(path.join(folder, String(i)), medium)), caption });
  await writeFileAtomic(path.join(folder, 'index.json'), JSON.stringify(index, null, 1) + '\n');
}

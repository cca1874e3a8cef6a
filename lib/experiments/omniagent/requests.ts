/** Held-out requests as a user would make them: words, and media as files. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { ChatRequest } from '../../agent';
import { ArgumentError } from '../../errors';
import { writeGif, writePng, writeWav } from '../../io/media-files';
import type { Medium } from '../../io/media';
import { readOmniAgentConfig } from '../../models/omniagent-folder';
import { CATEGORIES, evaluationSet, makeEncyclopaedia, mediaIn, mediaSegment, renderMedium } from '../../world';
import type { Category, Encyclopaedia, Modality, Oracle } from '../../world';
import type { Profile } from '../../pipeline/profile';
import { run } from '../../pipeline/run';

export interface HeldOutRequest {
  id: string;
  category: Category;
  /** For `chat`. */
  request: Pick<ChatRequest, 'text' | 'imagePath' | 'audioPath' | 'videoPath'>;
  /** What a right answer has. */
  oracle: Oracle;
}

/** Writes a medium as `<stem>.png`, `.wav` or `.gif`, and returns the path under the name that `chat` gives it. */
export async function writeRequestMedium(
  stem: string,
  medium: Medium,
): Promise<Pick<ChatRequest, 'imagePath' | 'audioPath' | 'videoPath'>> {
  await fs.mkdir(path.dirname(stem), { recursive: true });
  switch (medium.modality) {
    case 'image':
      await writePng(`${stem}.png`, medium.picture);
      return { imagePath: `${stem}.png` };
    case 'audio':
      await writeWav(`${stem}.wav`, medium.sound);
      return { audioPath: `${stem}.wav` };
    case 'video':
      await writeGif(`${stem}.gif`, medium.clip);
      return { videoPath: `${stem}.gif` };
  }
}

/** The first `count` held-out requests of each category, their media as files in `folder`. */
export async function heldOutRequests(book: Encyclopaedia, folder: string, count: number): Promise<HeldOutRequest[]> {
  const samples = evaluationSet(book);
  const requests: HeldOutRequest[] = [];
  for (const category of CATEGORIES)
    for (const { record, oracle, prompt } of samples.filter((s) => s.record.category === category).slice(0, count)) {
      let text = prompt[0].content;
      let files = {};
      for (const modality of mediaIn(text)) {
        text = text.replace(mediaSegment(modality), '');
        const stem = path.join(folder, record.id.replace(/[^\w.-]/g, '_'));
        files = {
          ...files,
          ...(await writeRequestMedium(stem, renderMedium(modality, record.media[modality]!.scene))),
        };
      }
      requests.push({ id: record.id, category, request: { text: text.trim(), ...files }, oracle });
    }
  return requests;
}

/** Whether just the media that were asked for came, in order, whole. */
export const bringsWhatWasAsked = (
  oracle: Pick<Oracle, 'outputs'>,
  reply: { media: readonly { modality: Modality }[]; incomplete: readonly Modality[] },
): boolean => !reply.incomplete.length && reply.media.map((m) => m.modality).join() === oracle.outputs.join();

/**
 * The folder of a checkpoint: as it is, or that of an experiment, which is made if it is not there; and the encyclopaedia that
 * the checkpoint knows. Throws ArgumentError for a checkpoint that names none.
 */
export async function openCheckpoint(
  checkpoint: string,
  { profile, seed }: { profile?: Profile; seed?: number } = {},
): Promise<{ dir: string; book: Encyclopaedia }> {
  const stat = await fs.stat(checkpoint).catch(() => null);
  const dir = stat?.isDirectory() ? checkpoint : (await run(checkpoint, { profile, seed })).dir;
  const { encyclopaedia } = await readOmniAgentConfig(dir);
  if (!encyclopaedia)
    throw new ArgumentError(
      'openCheckpoint',
      `expected a checkpoint that names its encyclopaedia, got ${checkpoint}`,
      'checkpoints of stage 3 and 4 have one; held-out requests are about its places',
    );
  return { dir, book: makeEncyclopaedia(encyclopaedia.seed, encyclopaedia.places) };
}

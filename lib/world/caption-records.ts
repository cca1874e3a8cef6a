/** Records of stages 0 to 2: pairs, captioned media, captions of media, captions for signals. */
import { Random } from '../nn/random';
import { captionOf } from './caption';
import { makeMediaCaption, targetCaption } from './captions';
import { describeObjects } from './describe';
import { mediaSegment, showsMotion } from './media';
import { drawScene } from './scene';
import type { Scene } from './scene';
import { MODALITIES, SIGNALS } from './signals';
import type { Modality } from './signals';
import type { Split } from './splits';
import type { CaptionedRecord, MediaCaptionRecord, PairRecord, SignalCaptionRecord } from './stage-records';
import { Wording } from './wording';

const modalityOf = (index: number): Modality => MODALITIES[index % MODALITIES.length];

/** Stage 0: pair `index` of a split, a pure function of the seed and these. */
export function makePair(seed: number, split: Split, index: number): PairRecord {
  const random = new Random(seed, `pair/${split}/${index}`);
  const { objects } = drawScene(random, { split });
  // A background that picture and clip share would give partners away.
  const medium = (): { role: 'input'; scene: Scene } => ({
    role: 'input',
    scene: { objects, background: drawScene(random, { count: 1 }).background },
  });
  const wording = new Wording(random);
  return {
    id: `pair-${split}-${index}`,
    split,
    media: { image: medium(), audio: medium(), video: medium() },
    captions: { still: captionOf(objects), moving: captionOf(objects, { motion: true }) },
    texts: {
      still: describeObjects(objects, wording, { motion: false }),
      moving: describeObjects(objects, wording, { motion: true }),
    },
  };
}

/** Stage 0: captioned medium `index`, the modalities by turns. */
export function makeCaptioned(seed: number, split: Split, index: number): CaptionedRecord {
  const random = new Random(seed, `captioned/${split}/${index}`);
  const modality = modalityOf(index);
  const scene = drawScene(random, { split });
  return {
    id: `captioned-${split}-${index}`,
    split,
    modality,
    caption: captionOf(scene.objects, { motion: showsMotion(modality) }),
    media: { [modality]: { role: 'output', scene } },
  };
}

const REQUESTS: Record<Modality, readonly string[]> = {
  image: ['Describe this picture.', 'What do you see here?', 'What is in this image?', 'Say what the picture shows.'],
  audio: ['Describe this sound.', 'What do you hear?', 'What is in this recording?', 'Say what the sound tells.'],
  video: ['Describe this clip.', 'What happens here?', 'What is in this video?', 'Say what the clip shows.'],
};

/** A request to say what a medium shows, its segment before or after it. */
export function askCaption(modality: Modality, wording: Wording): string {
  const request = wording.pick(REQUESTS[modality]);
  const segment = mediaSegment(modality);
  return wording.chance(0.5) ? `${segment}${request}` : `${request} ${segment}`;
}

/** Stage 1: caption `index`, the modalities by turns; of each modality every second one as a conversation. */
export function makeMediaCaptionRecord(seed: number, split: Split, index: number): MediaCaptionRecord {
  const { modality, scene, text: caption } = makeMediaCaption(seed, split, index);
  const style = Math.floor(index / MODALITIES.length) % 2 ? 'conversation' : 'caption';
  const record: MediaCaptionRecord = {
    id: `caption-${split}-${index}`,
    split,
    modality,
    style,
    caption,
    media: { [modality]: { role: 'input', scene } },
  };
  if (style === 'conversation')
    record.conversations = [
      {
        from: 'human',
        value: askCaption(modality, new Wording(new Random(seed, `caption_request/${split}/${index}`))),
        input_modality: ['text', modality],
      },
      { from: 'gpt', value: caption, output_modality: ['text'] },
    ];
  return record;
}

/** Stage 2: caption `index` as answers have it, then the blocks of all modalities in some order. */
export function makeSignalCaption(seed: number, split: Split, index: number): SignalCaptionRecord {
  const random = new Random(seed, `signal/${split}/${index}`);
  const { objects } = drawScene(random, { split });
  // Answers to requests that know no motion tell none.
  const motion = random.uniform() < 0.6;
  const order = Array.from(random.permutation(MODALITIES.length), (i) => MODALITIES[i]);
  return {
    id: `signal-${split}-${index}`,
    split,
    caption: `${captionOf(objects, { motion })}.`,
    blocks: order.map((modality) => ({
      modality,
      signals: [...SIGNALS[modality].tokens],
      target: targetCaption(modality, { objects, motion }),
    })),
  };
}

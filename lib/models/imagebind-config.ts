/** Sizes of ImageBind: what a configuration holds, and the table from the tests' size to the published model's. */
import { z } from 'zod';
import { melConfigs, melSchema } from '../nn/mel';

const count = z.number().int().positive();
const trunkShape = { width: count, layers: count, heads: count };
const channels = z.tuple([z.number(), z.number(), z.number()]);

export const imageBindSchema = z.strictObject({
  /** Width of the joint space. */
  embedWidth: count,
  /** Pictures and clips. */
  vision: z.strictObject({
    ...trunkShape,
    /** Height and width in pixels. */
    imageSize: count,
    /** Side of a patch; patches overlap where the stride is smaller. */
    patch: count,
    stride: count,
    /** Frames of one clip; a longer video is several. */
    frames: count,
    /** Frames that a patch spans. */
    tubelet: count,
    /** Of each channel, subtracted from and divided out of pixels in 0 to 1. */
    mean: channels,
    std: channels,
  }),
  audio: z.strictObject({
    ...trunkShape,
    /** How a sound becomes a normalised log-mel spectrogram. */
    mel: melSchema,
    /** Frames of the spectrogram of one piece. */
    frames: count,
    /** [mel bands, frames]; patches overlap where the stride is smaller. */
    kernel: z.tuple([count, count]),
    stride: z.tuple([count, count]),
    /** Fixed. */
    logitScale: z.number().positive(),
  }),
  text: z.strictObject({
    ...trunkShape,
    vocabSize: count,
    contextLength: count,
    eosId: z.number().int().min(0),
    /** At the start: it is learned. */
    logitScale: z.number().positive(),
  }),
});
export type ImageBindConfig = z.infer<typeof imageBindSchema>;

/** Mean and deviation of OmniWorld's log-mel values (1000 sounds). */
const worldMel = { ...melConfigs.omniworld, mean: -7, deviation: 1.1 };
/** OmniWorld's pictures: 48 x 48, dark backgrounds; a patch is a cell of the grid. */
const worldPixels = {
  imageSize: 48,
  patch: 16,
  stride: 16,
  frames: 8,
  tubelet: 4,
  mean: [0.16, 0.16, 0.16] as [number, number, number],
  std: [0.16, 0.16, 0.16] as [number, number, number],
};
/** One token sixteen frames (a quarter of a second) of all bands, half of them shared with the next. */
const worldSound = {
  mel: worldMel,
  frames: 64,
  kernel: [32, 16] as [number, number],
  stride: [32, 8] as [number, number],
  logitScale: 20,
};

/**
 * The beginning and end of a text are 1 and 2 of the tokenizer (joint-input.ts); `vocabSize` follows it. Near-variants lie close
 * together, hence a temperature of 0.03 at the start in place of CLIP's 0.07.
 */
const worldText = { vocabSize: 512, contextLength: 64, eosId: 2, logitScale: 1 / 0.03 };

export const imageBindSizes = {
  smoke: {
    embedWidth: 64,
    vision: { width: 48, layers: 2, heads: 4, ...worldPixels },
    audio: { width: 48, layers: 2, heads: 4, ...worldSound },
    text: { width: 48, layers: 2, heads: 4, ...worldText },
  },
  laptop: {
    embedWidth: 128,
    vision: { width: 96, layers: 3, heads: 4, ...worldPixels },
    audio: { width: 96, layers: 3, heads: 4, ...worldSound },
    text: { width: 64, layers: 2, heads: 4, ...worldText },
  },
  gpu: {
    embedWidth: 256,
    vision: { width: 384, layers: 8, heads: 8, ...worldPixels, patch: 8, stride: 8, tubelet: 2 },
    audio: {
      width: 384,
      layers: 8,
      heads: 8,
      ...worldSound,
      kernel: [16, 8] as [number, number],
      stride: [8, 8] as [number, number],
    },
    text: { width: 256, layers: 6, heads: 8, ...worldText },
  },
  'imagebind-huge': {
    embedWidth: 1024,
    vision: {
      width: 1280,
      layers: 32,
      heads: 16,
      imageSize: 224,
      patch: 14,
      stride: 14,
      frames: 2,
      tubelet: 2,
      // CLIP's pictures.
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    },
    audio: {
      width: 768,
      layers: 12,
      heads: 12,
      mel: melConfigs.imagebind,
      frames: 204,
      kernel: [16, 16],
      stride: [10, 10],
      logitScale: 20,
    },
    text: {
      width: 1024,
      layers: 24,
      heads: 16,
      vocabSize: 49408,
      contextLength: 77,
      eosId: 49407,
      logitScale: 1 / 0.07,
    },
  },
} satisfies Record<string, z.input<typeof imageBindSchema>>;

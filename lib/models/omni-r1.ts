/** Omni-R1's unified model as a whole: language model, image tokenizer, vocabulary; pictures to tokens and back. */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Picture } from '../io/media';
import { cropSquare, resizePicture } from '../io/resize';
import type { Tokenizer } from '../io/tokenizer';
import { jit } from '../runtime/jit';
import type { LlamaConfig, LlamaParams } from './llama';
import { imageCodes, imageLength, imageTokens, perceptionTable } from './r1-layout';
import type { TokenLayout } from './r1-layout';
import { vqganCodes, vqganDecode, vqganEncode, vqganLookUp } from './vqgan';
import type { VqganConfig, VqganParams } from './vqgan';

export interface OmniR1 {
  config: LlamaConfig;
  params: LlamaParams;
  vqgan: { config: VqganConfig; params: VqganParams };
  tokenizer: Tokenizer;
  layout: TokenLayout;
}

/** Pictures are coded together in batches of this size, the last one filled up, so that one program serves. */
const BATCH = 32;

export interface PictureCoder {
  /** Token ids of each picture, BOI and EOI about them. Pictures of other sizes are cut to squares and resized (released: shortest edge to the side, then the middle). */
  encode(pictures: readonly Picture[]): Promise<number[][]>;
  /** Pictures of image tokens, without BOI and EOI: exactly an image's length each. Throws ArgumentError. */
  decode(images: readonly (readonly number[])[]): Promise<Picture[]>;
  release(): void;
}

/** The compiled programs of an image tokenizer. */
export function pictureCoder(
  { vqgan, layout }: Pick<OmniR1, 'vqgan' | 'layout'>,
  options: { device?: string } = {},
): PictureCoder {
  const { config, params } = vqgan;
  const { resolution: side } = config;
  const { device } = options;
  const values = 3 * side * side;
  const length = imageLength(layout);
  // Weights that are part of the programs are prepared for the convolutions once: a quarter less time (LOG.md).
  const embed = Infinity;
  const toCodes = jit((x: Tensor) => vqganCodes(params, vqganEncode(params, config, x)), {
    device,
    embed,
    name: 'encode pictures',
  });
  const toPictures = jit(
    (codes: Tensor) =>
      vqganDecode(params, config, vqganLookUp(params, codes, layout.rows))
        .mul(0.5)
        .add(0.5)
        .clip(0, 1),
    { device, embed, name: 'decode pictures' },
  );
  return {
    async encode(pictures) {
      const out: number[][] = [];
      for (let at = 0; at < pictures.length; at += BATCH) {
        const part = pictures.slice(at, at + BATCH);
        const batch = new Float32Array(BATCH * values);
        part.forEach((picture, i) => {
          const { data } = square(picture, side);
          for (let k = 0; k < values; k++) batch[i * values + k] = 2 * data[k] - 1;
        });
        const codes = await toCodes(tensor(batch, { shape: [BATCH, 3, side, side] }));
        const found = (await codes.data()) as Int32Array;
        part.forEach((_, i) => out.push(imageTokens(layout, found.subarray(i * length, (i + 1) * length))));
      }
      return out;
    },
    async decode(images) {
      const out: Picture[] = [];
      for (let at = 0; at < images.length; at += BATCH) {
        const part = images.slice(at, at + BATCH);
        const batch = new Int32Array(BATCH * length);
        part.forEach((tokens, i) => {
          if (tokens.length !== length)
            throw new ArgumentError(
              'pictureCoder.decode',
              `expected ${length} tokens of an image, got ${tokens.length}`,
              'the model ended the image too early or too late',
            );
          batch.set(imageCodes(layout, tokens), i * length);
        });
        const pixels = (await (await toPictures(tensor(batch, { shape: [BATCH, length] }))).data()) as Float32Array;
        part.forEach((_, i) =>
          out.push({ width: side, height: side, data: pixels.slice(i * values, (i + 1) * values) }),
        );
      }
      return out;
    },
    release() {
      toCodes.release();
      toPictures.release();
    },
  };
}

function square(picture: Picture, side: number): Picture {
  if (picture.width === side && picture.height === side) return picture;
  return resizePicture(cropSquare(picture), side, side);
}

/** The codebook in the order of image tokens, [imageCount, embedDim]. */
export async function codebookOf({ vqgan, layout }: Pick<OmniR1, 'vqgan' | 'layout'>): Promise<Float32Array> {
  return perceptionTable(layout, (await vqgan.params.quantize.embedding.weight.data()) as Float32Array);
}

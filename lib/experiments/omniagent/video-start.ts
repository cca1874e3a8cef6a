/** What the clip decoder takes over from the picture decoder, as ModelScope did from Stable Diffusion. */
import { ArgumentError } from '../../errors';
import { tensor } from '../../graph/tensor';
import type { Tokenizer } from '../../io/tokenizer';
import { trainCaptionTokenizer } from '../../models/caption-tokens';
import { isClipUnet } from '../../models/decoder';
import type { Decoder } from '../../models/decoder';
import type { ClipTextConfig, ClipTextParams } from '../../models/text-encoder';
import type { UnetConfig, UnetParams } from '../../models/unet';
import { normal } from '../../nn/init';
import type { Noise } from '../../nn/init';

/** The denoiser of a picture decoder. Throws ArgumentError for that of clips. */
export function pictureUnet({ config, params }: Decoder): { config: UnetConfig; params: UnetParams } {
  if (isClipUnet(config.unet))
    throw new ArgumentError('stage0_video', 'expected a decoder of pictures, got one of clips', 'check the parent');
  return { config: config.unet, params: params.unet };
}

/**
 * A tokenizer for captions with motion, and the text encoder for it: words that the picture decoder's tokenizer has keep their
 * embeddings, new ones are drawn as at the start of training; all else is the picture decoder's.
 */
export async function textEncoderFor(
  rng: Noise,
  pictures: Decoder,
  captions: Iterable<string>,
): Promise<{ tokenizer: Tokenizer; config: ClipTextConfig; params: ClipTextParams }> {
  const { textEncoder } = pictures.config;
  const tokenizer = trainCaptionTokenizer(captions, Math.max(pictures.tokenizer.vocabSize, 512));
  const known = new Map<string, number>();
  for (let id = 0; id < pictures.tokenizer.vocabSize; id++) {
    const token = pictures.tokenizer.token(id);
    if (token !== undefined) known.set(token, id);
  }
  const { text_model } = pictures.params.text_encoder;
  const { token_embedding } = text_model.embeddings;
  const width = textEncoder.hiddenSize;
  const old = (await token_embedding.weight.data()) as Float32Array;
  const weight = (await normal(rng, [tokenizer.vocabSize, width], 0.02).data()) as Float32Array;
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const at = known.get(tokenizer.token(id) ?? '');
    if (at !== undefined) weight.set(old.subarray(at * width, (at + 1) * width), id * width);
  }
  return {
    tokenizer,
    config: { ...textEncoder, vocabSize: tokenizer.vocabSize },
    params: {
      text_model: {
        ...text_model,
        embeddings: {
          ...text_model.embeddings,
          token_embedding: { weight: tensor(weight, { shape: [tokenizer.vocabSize, width] }) },
        },
      },
    },
  };
}

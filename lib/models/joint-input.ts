/** What the joint encoder's trunks are fed: pixels, log-mel spectrograms and token ids as its configuration wants them. */
import { ArgumentError } from '../errors';
import { constant, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Picture } from '../io/media';
import type { Tokenizer } from '../io/tokenizer';
import { logMelSpectrogram } from '../nn/mel';
import type { ImageBindConfig } from './imagebind-config';

/** Tokens of the text trunk besides words: padding, begin and end of a text. */
export const JOINT_TOKENS = ['<|pad|>', '<|startoftext|>', '<|endoftext|>'] as const;

/** Pixels [..., 3, H, W] from 0..1, normalised channel by channel. */
export function normalizePixels({ vision }: ImageBindConfig, x: Tensor): Tensor {
  const perChannel = (values: readonly number[]): Tensor =>
    constant({ dtype: 'float32', shape: [3, 1, 1], data: Float32Array.from(values) });
  return x.sub(perChannel(vision.mean)).div(perChannel(vision.std));
}

/** Samples that one spectrogram of `audio.frames` frames is made of. */
export const pieceLength = ({ audio: { mel, frames } }: ImageBindConfig): number => frames * mel.hop;

/** samples [B, pieceLength] -> normalised log-mel [B, 1, M, T], cut or padded (with log-mel 0, as the original) to T frames. */
export function spectrogramOf({ audio }: ImageBindConfig, samples: Tensor): Tensor {
  const { mean = 0, deviation = 1 } = audio.mel;
  const x = logMelSpectrogram(samples, audio.mel);
  const missing = Math.max(0, audio.frames - x.shape[1]);
  return x
    .pad([0, 0, 0], [0, missing, 0], -mean / deviation)
    .slice(null, [0, audio.frames])
    .transpose([0, 2, 1])
    .unsqueeze(1);
}

/** `count` evenly spaced choices among `n`, the first and the last among them if there are two or more. */
const spread = (n: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * (n - 1)) / (count - 1))));

/** Frames of a video, a whole number of clips: those that it has if they make whole clips, else evenly chosen ones of one clip. */
export const framesFor = ({ vision }: ImageBindConfig, frames: number): number[] =>
  frames % vision.frames === 0 ? spread(frames, frames) : spread(frames, vision.frames);

/** A picture [3, H, W] as [3, size, size]: the middle square of it, each pixel the mean of what it covers. */
export function fitPicture({ width, height, data }: Picture, size: number): Float32Array {
  if (width === size && height === size) return data;
  const side = Math.min(width, height);
  const [left, top] = [(width - side) / 2, (height - side) / 2];
  const out = new Float32Array(3 * size * size);
  const across = shares(left, side, size);
  const down = shares(top, side, size);
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        let sum = 0;
        for (const [row, h] of down[y])
          for (const [column, w] of across[x]) sum += h * w * data[(c * height + row) * width + column];
        out[(c * size + y) * size + x] = sum;
      }
  return out;
}

/** For each of `size` equal stretches of [start, start + side): the pixels under it and their shares, which add up to 1. */
function shares(start: number, side: number, size: number): [number, number][][] {
  const step = side / size;
  return Array.from({ length: size }, (_, i) => {
    const [from, to] = [start + i * step, start + (i + 1) * step];
    const first = Math.floor(from);
    return Array.from({ length: Math.ceil(to) - first }, (_, k): [number, number] => [
      first + k,
      (Math.min(to, first + k + 1) - Math.max(from, first + k)) / step,
    ]).filter(([, share]) => share > 0);
  });
}

/** Ids of a text: begin, the text (cut where it is too long), end. */
export function textIds({ text }: ImageBindConfig, tokenizer: Tokenizer, content: string): number[] {
  const begin = tokenizer.id(JOINT_TOKENS[1]);
  return [begin, ...tokenizer.encodePlain(content).slice(0, text.contextLength - 2), text.eosId];
}

/** Rows of ids padded to `length` (default: the longest) as int32 [B, length]. */
export function padIds(rows: readonly ArrayLike<number>[], length = Math.max(...rows.map((r) => r.length))): Tensor {
  const data = new Int32Array(rows.length * length);
  rows.forEach((row, i) => {
    if (row.length > length)
      throw new ArgumentError(
        'padIds',
        `expected at most ${length} tokens, got ${row.length}`,
        'raise the length, or cut the text before its end token',
      );
    data.set(Array.from(row), i * length);
  });
  return tensor(data, { shape: [rows.length, length] });
}

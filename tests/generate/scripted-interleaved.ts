/**
 * A model of interleaved text and images for tests of what stands around models: four tokens an image, letters as tokens. What
 * it says is a function of the prompt; words in the prompt make it fail.
 */
import { ArgumentError } from '../../lib/errors';
import type { InterleavedModel } from '../../lib/generate/omni-r1/interleaved-model';
import type { TokenLayout } from '../../lib/models/r1-layout';

export const layout: TokenLayout = {
  vocabSize: 512,
  bos: 0,
  pad: 1,
  eos: 2,
  imageStart: 4,
  imageCount: 16,
  eoi: 20,
  boi: 21,
  sep: 22,
  placeholder: 23,
  thoughtOpen: 24,
  thoughtClose: 25,
  answerOpen: 26,
  answerClose: 27,
  rows: 2,
  columns: 2,
};
const TEXT = 128;
const NAMES: [number, string][] = [
  [layout.placeholder, '<image>'],
  [layout.bos, '<s>'],
  [layout.eos, '</s>'],
];

/** Ids of what it says after a prompt: a word, an image, the answer. */
function says(prompt: string): number[] {
  const text = (words: string): number[] => [...words].map((char) => TEXT + char.charCodeAt(0));
  const image = [layout.boi, 4, 5, 6, 7, layout.eoi];
  if (prompt.includes('short image')) return [...text('a'), layout.boi, 4, 5, layout.eoi, layout.eos];
  if (prompt.includes('odd image')) return [layout.boi, 4, 5, 6, 200, layout.eoi, layout.eos];
  if (prompt.includes('open image')) return [...text('b'), layout.boi, 4, 5, 6, 7];
  if (prompt.includes('undecodable')) return [layout.boi, 19, 19, 19, 19, layout.eoi, layout.eos];
  if (prompt.includes('two images')) return [...image, ...image, layout.eos];
  if (prompt.includes('fail')) throw new ArgumentError('model', 'expected no such prompt, got it', 'a test wants it');
  return [...text('THOUGHT '), ...image, ...text(`Final Answer: ${prompt.length % 10}`), layout.eos];
}

export interface Scripted extends InterleavedModel {
  /** Prompts of every call, as text. */
  calls: string[][];
}

export function scriptedModel(maxLength = 400): Scripted {
  const decodeText = (ids: readonly number[]): string =>
    ids.map((id) => NAMES.find(([named]) => named === id)?.[1] ?? (id >= TEXT ? String.fromCharCode(id - TEXT) : `<${id}>`)).join(''); // prettier-ignore
  const model: Scripted = {
    layout,
    maxLength,
    calls: [],
    encodeText: (text) => [
      layout.bos,
      ...text
        .split('<image>')
        .flatMap((part, i) => [
          ...(i ? [layout.placeholder] : []),
          ...[...part].map((char) => TEXT + Math.min(char.charCodeAt(0), 383)),
        ]),
    ],
    decodeText,
    encodeImage: ({ width, height }) => Promise.resolve([4 + (width % 16), 4 + (height % 16), 4, 5]),
    decodeImage: (ids) =>
      ids[0] === 19
        ? Promise.reject(new ArgumentError('decoder', 'expected other tokens, got 19', 'a test wants it'))
        : Promise.resolve({
            width: 2,
            height: 2,
            data: Float32Array.from({ length: 12 }, (_, i) => Math.min(1, ids[i % 4] / 20)),
          }),
    generate: (prompts, { maxLength: most, signal }) => {
      signal?.throwIfAborted();
      const texts = prompts.map(decodeText);
      model.calls.push(texts);
      return Promise.resolve(prompts.map((ids, i) => [...ids, ...says(texts[i])].slice(0, most)));
    },
  };
  return model;
}

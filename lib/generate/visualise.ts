/**
 * The step-wise visualiser of Omni-R1-Zero (section 4.2): a picture for each step of a text-only chain, made by the unified model from
 * the step's words alone.
 */
import { imageLength } from '../models/r1-layout';
import type { OmniR1 } from '../models/omni-r1';
import { generate } from './generate';
import type { GenerateOptions } from './options';
import { modeConstraint } from './interleaved';

/** Image tokens (BOI and EOI about them) for each text, in order. */
export async function visualiseSteps(
  model: OmniR1,
  texts: readonly string[],
  options: Pick<GenerateOptions, 'temperature' | 'topP' | 'seed' | 'streams' | 'maxBatch' | 'device'> & {
    onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<number[][]> {
  const { layout, tokenizer, config } = model;
  const { onProgress, maxBatch = 64, streams = texts.map((_, i) => i), ...rest } = options;
  const prompts = texts.map((text) => [layout.bos, ...tokenizer.encode(text), layout.boi]);
  const out: number[][] = [];
  for (let at = 0; at < prompts.length; at += maxBatch) {
    const part = prompts.slice(at, at + maxBatch);
    const made = await generate(model, part, {
      ...rest,
      maxBatch,
      streams: streams.slice(at, at + maxBatch),
      maxNewTokens: imageLength(layout) + 1,
      constraint: modeConstraint(layout, 'image-only', part, { maxLength: config.maxLength }),
    });
    out.push(...made.map(({ tokens }) => [layout.boi, ...tokens]));
    onProgress?.(out.length, texts.length);
  }
  return out;
}

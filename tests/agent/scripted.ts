/** A model that answers from a script, and notes what it was given. */
import { tensor } from '../../lib/graph';
import type { AgentModel, ChatMessage, DecodeOptions, ModelResponse, RespondOptions } from '../../lib/agent';
import type { Medium } from '../../lib/io';
import { drawScene, readParts, renderMedium, SIGNALS } from '../../lib/world';
import type { Modality } from '../../lib/world';
import { Random } from '../../lib/nn/random';
import { OmniError } from '../../lib/errors';

/** A turn: its text, or more of a response, or what is thrown. */
export type Line = string | Partial<ModelResponse> | Error | ((messages: readonly ChatMessage[]) => string);

export interface Scripted extends AgentModel {
  asked: { messages: readonly ChatMessage[]; options: RespondOptions }[];
  decoded: { modality: Modality; seed: number }[];
}

export const block = (modality: Modality): string => SIGNALS[modality].tokens.join('');

/** Decoding renders a scene drawn from the seed; `failing` modalities throw. Words of a text are its tokens. */
export function scripted(
  lines: readonly Line[],
  { failing = [], room, delayMs = 0 }: { failing?: Modality[]; room?: AgentModel['room']; delayMs?: number } = {},
): Scripted {
  const left = [...lines];
  const asked: Scripted['asked'] = [];
  const decoded: Scripted['decoded'] = [];
  return {
    asked,
    decoded,
    ...(room ? { room } : {}),
    async respond(messages, options) {
      asked.push({ messages: structuredClone(messages), options });
      const line = left.shift();
      if (line === undefined) throw new Error('the script is over');
      if (line instanceof Error) throw line;
      const given =
        typeof line === 'string' ? { text: line } : typeof line === 'function' ? { text: line(messages) } : line;
      const text = given.text ?? '';
      for (const piece of text.match(/<[A-Z_0-9]+>|\s*[^\s<]+|\s+|./g) ?? []) {
        if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
        options.signal?.throwIfAborted();
        options.onToken?.(piece);
      }
      const blocks = readParts(text).flatMap((p) =>
        p.kind === 'block' ? [{ modality: p.modality, embeds: tensor(new Float32Array(4), { shape: [1, 2, 2] }) }] : [],
      );
      return { text, finish: 'stop', blocks, incomplete: [], ...given };
    },
    async decode(modality: Modality, _embeds, { seed, onStep, signal }: DecodeOptions): Promise<Medium> {
      if (failing.includes(modality)) throw new OmniError('decodeBlocks', `no decoder for ${modality}`, 'train one');
      decoded.push({ modality, seed });
      for (let step = 1; step <= 3; step++) {
        if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
        signal?.throwIfAborted();
        onStep?.(step, 3);
      }
      return renderMedium(modality, drawScene(new Random(seed, 'scripted')));
    },
  };
}

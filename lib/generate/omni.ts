/**
 * Answers from OmniAgent: conversations with pictures, sounds and clips in, text with signal tokens out, and for each whole
 * block of signal tokens the conditioning for its decoder. Conversations are answered in batches; what a row gets depends
 * on neither the batch nor the order of rows.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Medium } from '../io/media';
import type { Tokenizer } from '../io/tokenizer';
import { inputProjector } from '../models/input-projector';
import type { InputProjectorConfig, InputProjectorParams, MediaStates } from '../models/input-projector';
import { encodeMedia } from '../models/joint-encoder';
import type { JointEncoder } from '../models/joint-encoder';
import { outputProjector } from '../models/output-projector';
import type { OutputProjectorParams } from '../models/output-projector';
import type { OutputProjectorsConfig, OutputProjectorsParams } from '../models/omniagent';
import type { Decoder } from '../models/decoder';
import { packStates } from '../models/media-states';
import type { EncodedMedium } from '../models/media-states';
import { jit } from '../runtime/jit';
import { encodeChat, findBlocks, mediaIn, SIGNALS, CHAT_TOKENS, MODALITIES } from '../world';
import type { Message, Modality } from '../world';
import { generateMedia } from './diffusion';
import { generate } from './generate';
import type { FinishReason, GenerateOptions, LlamaModel, MediaSpan, Prompt } from './options';

/** A turn; input media stand in its content as <|image|><|media_end|> (likewise audio, video), in the order of `media`. */
export interface ChatMessage extends Message {
  media?: readonly Medium[];
}

/** OmniAgent, loaded. Parts of later stages, and decoders, may be missing. */
export interface OmniModel {
  llama: LlamaModel;
  tokenizer: Tokenizer;
  encoder?: JointEncoder;
  input?: { config: InputProjectorConfig; params: InputProjectorParams };
  output?: { config: OutputProjectorsConfig; params: OutputProjectorsParams };
  decoders: Partial<Record<Modality, Decoder>>;
}

export interface Block {
  modality: Modality;
  /** What the modality's decoder takes: [1, queries, width of its text encoder]. */
  embeds: Tensor;
}

/** The model's turn. */
export interface OmniResponse {
  tokens: number[];
  logProbs: number[];
  /** Signal tokens included, without the end token. */
  text: string;
  finish: FinishReason;
  /** Whole blocks, in order. */
  blocks: Block[];
  /** Modalities with a block that was begun, broken or out of order. */
  incomplete: Modality[];
}

export type RespondOptions = Pick<
  GenerateOptions,
  | 'temperature'
  | 'topK'
  | 'topP'
  | 'maxNewTokens'
  | 'seed'
  | 'streams'
  | 'maxBatch'
  | 'constraint'
  | 'onToken'
  | 'signal'
  | 'device'
>;

/** Programs are compiled for batches of this many media or blocks. */
const BATCH = 16;

const projectors = new Map<string, (p: InputProjectorParams, media: MediaStates) => Promise<Tensor>>();
function projectorFor(c: InputProjectorConfig, device?: string) {
  const key = `${device ?? ''} ${JSON.stringify(c)}`;
  let found = projectors.get(key);
  if (!found)
    projectors.set(
      key,
      (found = jit((p: InputProjectorParams, media: MediaStates) => inputProjector(p, c, media), {
        device,
        name: 'input projector',
      })),
    );
  return found;
}

/** The input projector's vectors of media that are encoded already: [slots * width] each. */
export async function projectMedia(
  { config, params }: NonNullable<OmniModel['input']>,
  media: readonly EncodedMedium[],
  device?: string,
): Promise<Float32Array[]> {
  const out: Float32Array[] = [];
  const length = Math.max(0, ...media.map((m) => m.length));
  for (let at = 0; at < media.length; at += BATCH) {
    const rows = Array.from({ length: media.length === 1 ? 1 : BATCH }, (_, k) => media[at + k] ?? null);
    const vectors = await projectorFor(config, device)(params, packStates(rows, config.inWidth, length));
    const values = (await vectors.data()) as Float32Array;
    const size = config.slots * config.outWidth;
    for (let k = 0; k < rows.length && at + k < media.length; k++) out.push(values.slice(k * size, (k + 1) * size));
    vectors.dispose();
  }
  return out;
}

/** Conversations as prompts: tokens, and the vectors of their media. Throws ArgumentError. */
export async function encodeConversations(
  model: OmniModel,
  conversations: readonly (readonly ChatMessage[])[],
  device?: string,
): Promise<Prompt[]> {
  const { tokenizer, encoder, input } = model;
  const media = conversations.flatMap((messages) => messages.flatMap((m) => [...(m.media ?? [])]));
  if (media.length && (!encoder || !input))
    throw new ArgumentError(
      'encodeConversations',
      `expected a model that takes media, got one without ${encoder ? 'an input projector' : 'an encoder'}`,
      'use a checkpoint of stage 1 or later',
    );
  const encoded = media.length ? await encodeMedia(encoder!, media, { device }) : [];
  const states = encoded.map((e, i) => ({ modality: media[i].modality, states: e.tokens, length: e.length }));
  const vectors = media.length ? await projectMedia(input!, states, device) : [];
  let next = 0;
  return conversations.map((messages, row) => {
    for (const { content, media: given = [] } of messages) {
      const named = mediaIn(content);
      if (named.join() !== given.map((m) => m.modality).join())
        throw new ArgumentError(
          `conversation ${row}`,
          `expected the media that its text names (${named.join(', ') || 'none'}), got ${given.map((m) => m.modality).join(', ') || 'none'}`,
          'give one medium for each segment, in order',
        );
    }
    const chat = encodeChat(tokenizer, messages, { generate: true, slots: input?.config.slots });
    const spans: MediaSpan[] = chat.media.map(({ at }) => ({ at, embeddings: vectors[next++] }));
    return spans.length ? { ids: chat.tokens, media: spans } : chat.tokens;
  });
}

type ProjectBlock = (p: OutputProjectorParams, states: Tensor, embeddings: Tensor) => Promise<Tensor>;
const blockProjectors = new Map<string, ProjectBlock>();

/** States at blocks, [n * width] each, through a modality's projector: [1, queries, outWidth] each. */
async function projectStates(
  { config, params }: NonNullable<OmniModel['output']>,
  modality: Modality,
  rows: readonly { states: Float32Array; embeddings: Float32Array }[],
  device?: string,
): Promise<Tensor[]> {
  const c = config[modality];
  const key = `${device ?? ''} ${JSON.stringify(c)}`;
  let project = blockProjectors.get(key);
  if (!project)
    blockProjectors.set(
      key,
      (project = jit((p: OutputProjectorParams, s: Tensor, e: Tensor) => outputProjector(p, c, s, e), {
        device,
        name: 'output projector',
      })),
    );
  const out: Tensor[] = [];
  const size = c.tokens * c.inWidth;
  for (let at = 0; at < rows.length; at += BATCH) {
    const count = rows.length === 1 ? 1 : BATCH;
    const pack = (part: 'states' | 'embeddings'): Tensor => {
      const values = new Float32Array(count * size);
      rows.slice(at, at + count).forEach((r, k) => values.set(r[part], k * size));
      return tensor(values, { shape: [count, c.tokens, c.inWidth] });
    };
    const projected = await project(params[modality], pack('states'), pack('embeddings'));
    const values = (await projected.data()) as Float32Array;
    const rowSize = c.queries * c.outWidth;
    for (let k = 0; k < count && at + k < rows.length; k++)
      out.push(tensor(values.slice(k * rowSize, (k + 1) * rowSize), { shape: [1, c.queries, c.outWidth] }));
    projected.dispose();
  }
  return out;
}

/** The ids of the signal tokens of media. */
const mediaSignals = (tokenizer: Tokenizer): number[] =>
  MODALITIES.flatMap((m) => SIGNALS[m].tokens.map((t) => tokenizer.id(t)));

/** Answers conversations that end with a user's or a tool's turn. Throws ArgumentError, CancelledError, NonFiniteError. */
export async function respond(
  model: OmniModel,
  conversations: readonly (readonly ChatMessage[])[],
  options: RespondOptions = {},
): Promise<OmniResponse[]> {
  const { tokenizer, llama, output } = model;
  const { device } = options;
  const prompts = await encodeConversations(model, conversations, device);
  const end = tokenizer.id(CHAT_TOKENS.end);
  const made = await generate(llama, prompts, {
    ...options,
    stop: [end],
    hidden: output ? mediaSignals(tokenizer) : undefined,
  });
  const table = llama.params.model.embed_tokens.weight;
  const embeddings = output ? ((await table.data()) as Float32Array) : new Float32Array(0);
  const { width } = llama.config;
  const waiting: {
    response: OmniResponse;
    index: number;
    modality: Modality;
    states: Float32Array;
    embeddings: Float32Array;
  }[] = [];
  const responses: OmniResponse[] = [];
  for (const { tokens, logProbs, finish, hidden, hiddenAt = [] } of made) {
    const said = finish === 'stop' ? tokens.slice(0, -1) : tokens;
    const { blocks, incomplete } = findBlocks(tokenizer, said);
    const response: OmniResponse = { tokens, logProbs, text: tokenizer.decode(said), finish, blocks: [], incomplete };
    responses.push(response);
    const states = hidden ? ((await hidden.data()) as Float32Array) : null;
    for (const [index, { modality, at }] of blocks.entries()) {
      if (!states) break;
      const first = hiddenAt.indexOf(at);
      const n = SIGNALS[modality].tokens.length;
      const own = new Float32Array(n * width);
      for (let k = 0; k < n; k++)
        own.set(embeddings.subarray(said[at + k] * width, (said[at + k] + 1) * width), k * width);
      waiting.push({
        response,
        index,
        modality,
        states: states.slice(first * width, (first + n) * width),
        embeddings: own,
      });
    }
    hidden?.dispose();
  }
  for (const modality of MODALITIES) {
    const rows = waiting.filter((w) => w.modality === modality);
    if (!rows.length || !output) continue;
    const projected = await projectStates(output, modality, rows, device);
    rows.forEach(({ response, index }, k) => (response.blocks[index] = { modality, embeds: projected[k] }));
  }
  return responses;
}

export interface DecodeOptions {
  seed?: number;
  streams?: readonly (string | number)[];
  steps?: number;
  guidanceScale?: number;
  onStep?: (done: number, total: number) => void;
  signal?: AbortSignal;
  device?: string;
}

/** Media of one modality from their conditioning, [R, queries, width]. Throws ArgumentError where the decoder is missing. */
export async function decodeBlocks(
  model: OmniModel,
  modality: Modality,
  embeds: Tensor,
  { onStep, ...options }: DecodeOptions = {},
): Promise<Medium[]> {
  const decoder = model.decoders[modality];
  if (!decoder)
    throw new ArgumentError(
      'decodeBlocks',
      `expected a checkpoint with a decoder for ${modality}, got one without`,
      `decoders are in decoders/${modality}/ of the checkpoint`,
    );
  return generateMedia(decoder, {
    ...options,
    promptEmbeds: embeds,
    ...(onStep ? { onStep: ({ step, steps }: { step: number; steps: number }) => onStep(step, steps) } : {}),
  });
}

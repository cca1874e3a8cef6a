/** What the agent needs of a model. The agent knows nothing else of it, so that tests can put a script in its place. */
import type { Tensor } from '../graph/tensor';
import type { FinishReason } from '../generate/options';
import type { Medium } from '../io/media';
import type { Message } from '../world/chat';
import type { Modality } from '../world/signals';

/**
 * A turn; input media stand in its content as <|image|><|media_end|> (likewise audio, video), in the order of `media`.
 */
export interface ChatMessage extends Message {
  media?: readonly Medium[];
}

/** How the model is to answer. */
export interface RespondOptions {
  seed: number;
  temperature?: number;
  topP?: number;
  maxNewTokens?: number;
  /** Called with the text of each token as it comes, signal tokens too. */
  onToken?: (piece: string) => void;
  signal?: AbortSignal;
}

/** The model's turn. */
export interface ModelResponse {
  /** Signal tokens included, without the end token. */
  text: string;
  finish: FinishReason;
  /** Whole blocks of signal tokens, in order, with what their decoders take. */
  blocks: { modality: Modality; embeds: Tensor }[];
  /** Modalities whose block was begun, broken or out of order. */
  incomplete: Modality[];
}

export interface DecodeOptions {
  seed: number;
  onStep?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface AgentModel {
  /** Continues a conversation that ends with a user's or a tool's turn. */
  respond(messages: readonly ChatMessage[], options: RespondOptions): Promise<ModelResponse>;
  /** Makes the medium of a block. */
  decode(modality: Modality, embeds: Tensor, options: DecodeOptions): Promise<Medium>;
  /** Tokens left for an answer after these messages; without it every conversation is taken to fit. */
  room?(messages: readonly ChatMessage[]): number;
}

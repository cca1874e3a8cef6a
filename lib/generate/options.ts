/** What generation takes and gives: the model, the options, the result. */
import type { Tensor } from '../graph/tensor';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import type { SamplingOptions } from './sample';

/** Weights and what they mean. The weights stay on the device between calls; none is given up. */
export interface LlamaModel {
  params: LlamaParams;
  config: LlamaConfig;
}

/**
 * Vectors of an input medium, which stand in a prompt where its slot tokens are: row j of `embeddings` [K, width] takes
 * the place of the embedding of the token at position at + j.
 */
export interface MediaSpan {
  at: number;
  /** Row-major values, K * width of them, or a float32 tensor [K, width]. */
  embeddings: Float32Array | Tensor;
}

/** Token ids, or token ids and the vectors that replace some of their embeddings. */
export type Prompt = readonly number[] | { ids: readonly number[]; media?: readonly MediaSpan[] };

/** Why a row ended: a stop token came; maxNewTokens came; prompt and tokens fill maxLength. */
export type FinishReason = 'stop' | 'max-new-tokens' | 'max-length';

/** What became of one prompt. */
export interface Generation {
  /** The new tokens, a stop token included. */
  tokens: number[];
  /** log pi(token | what is before it) of the model itself: temperature 1, no top-k, no top-p. */
  logProbs: number[];
  finish: FinishReason;
  /** With `hidden`: the last hidden states (normalised) at the new tokens that were asked for, float32 [n, width]. */
  hidden?: Tensor;
  /** With `hidden`: where those are, as indices into `tokens`. */
  hiddenAt?: number[];
}

/** A token that has just been drawn. */
export interface TokenEvent {
  /** Index of the prompt. */
  row: number;
  /** Index among the row's new tokens. */
  index: number;
  token: number;
  logProb: number;
}

/** How to generate. */
export interface GenerateOptions extends SamplingOptions {
  /** Default: up to the end of `maxLength`. */
  maxNewTokens?: number;
  /** Prompt and new tokens together; default and limit: the configuration's. */
  maxLength?: number;
  /** Tokens that end a row. */
  stop?: readonly number[];
  /** Default 0. */
  seed?: number;
  /** Names of the rows' random streams; default: their indices. A row's name and the seed decide what it draws. */
  streams?: readonly (string | number)[];
  /** Rows computed together; more prompts are taken one batch after the other. Default 32. */
  maxBatch?: number;
  /**
   * Return hidden states too: true, at every new token; a list of token ids, only where one of these was drawn, which
   * costs next to nothing where none was.
   */
  hidden?: boolean | readonly number[];
  /**
   * Called before each draw with the prompt's index and its new tokens: the ids that may follow, or null for all. The
   * distribution is restricted to them before temperature, top-k and top-p; log-probabilities stay the model's own.
   */
  constraint?: (row: number, tokens: readonly number[]) => readonly number[] | null;
  /**
   * Called for each token as it comes: batch by batch, step by step, rows in order. An error in it ends the
   * generation.
   */
  onToken?: (event: TokenEvent) => void;
  /** Aborting it ends the generation with CancelledError before the next step. */
  signal?: AbortSignal;
  device?: string;
}

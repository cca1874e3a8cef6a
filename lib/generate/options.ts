/** What generation takes and gives: the model, the options, the result. */
import type { Tensor } from '../graph/tensor';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import type { SamplingOptions } from './sample';

/** Weights and what they mean. The weights stay on the device between calls; none is given up. */
export interface LlamaModel {
  params: LlamaParams;
  config: LlamaConfig;
}

/** Why a row ended: a stop token came; maxNewTokens came; prompt and tokens fill maxLength. */
export type FinishReason = 'stop' | 'max-new-tokens' | 'max-length';

/** What became of one prompt. */
export interface Generation {
  /** The new tokens, a stop token included. */
  tokens: number[];
  /** log pi(token | what is before it) of the model itself: temperature 1, no top-k, no top-p. */
  logProbs: number[];
  finish: FinishReason;
  /** With `hidden`: the last hidden state (normalised) at each new token, float32 [n, width]. */
  hidden?: Tensor;
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
  /** Return hidden states too. */
  hidden?: boolean;
  /**
   * Called for each token as it comes: batch by batch, step by step, rows in order. An error in it ends the
   * generation.
   */
  onToken?: (event: TokenEvent) => void;
  /** Aborting it ends the generation with CancelledError before the next step. */
  signal?: AbortSignal;
  device?: string;
}

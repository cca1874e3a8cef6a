/**
 * The part of @huggingface/tokenizers that is used here. Its own declarations do not resolve under Node's module
 * rules, so the types are stated again.
 */
import * as library from '@huggingface/tokenizers';

export interface LibraryTokenizer {
  readonly model: object | null;
  readonly pre_tokenizer: { pre_tokenize(text: string): string[] } | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_added_tokens_decoder(): Map<number, { content: string }>;
  get_vocab(withAddedTokens: boolean): Map<string, number>;
}

export const LibraryTokenizer = (
  library as unknown as { Tokenizer: new (definition: object, config: object) => LibraryTokenizer }
).Tokenizer;

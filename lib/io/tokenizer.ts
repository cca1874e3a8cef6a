/** Tokenizers: any Hugging Face `tokenizer.json`, read by @huggingface/tokenizers. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LibraryTokenizer } from './tokenizer-library';
import { ArgumentError, FormatError } from '../errors';
import { writeFileAtomic } from './atomic';

/** Text to token ids and back, as a tokenizer.json says. */
export class Tokenizer {
  private readonly inner: LibraryTokenizer;
  /** Every place where the name of an added token begins, overlapping ones too. */
  private readonly addedNames: RegExp;
  /** One more than the largest id. */
  readonly vocabSize: number;

  /** From the parsed contents of tokenizer.json and tokenizer_config.json. Throws FormatError. */
  constructor(
    readonly definition: object,
    readonly config: object = {},
    where = 'tokenizer',
  ) {
    try {
      this.inner = new LibraryTokenizer(definition, config);
      if (!this.inner.model) throw new Error('no "model"');
    } catch (error) {
      throw new FormatError(
        where,
        `expected a Hugging Face tokenizer.json, got one that does not load: ${(error as Error).message}`,
        'export the tokenizer again',
        { cause: error },
      );
    }
    let largest = -1;
    for (const id of this.inner.get_vocab(true).values()) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
    const names = [...this.inner.get_added_tokens_decoder().values()]
      .map((token) => token.content.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .filter(Boolean);
    this.addedNames = names.length ? new RegExp(`(?=${names.join('|')})[^]`, 'gu') : /(?!)/g;
  }

  /** Reads `<dir>/tokenizer.json` (and tokenizer_config.json, if there), or the json file itself. */
  static load(location: string): Tokenizer {
    const file = location.endsWith('.json') ? location : path.join(location, 'tokenizer.json');
    const read = (name: string, optional: boolean): object => {
      let text: string;
      try {
        text = readFileSync(name, 'utf8');
      } catch (error) {
        if (optional) return {};
        throw new FormatError(name, 'expected a tokenizer.json, found no readable file', 'check the path', {
          cause: error,
        });
      }
      try {
        return JSON.parse(text) as object;
      } catch (error) {
        throw new FormatError(
          name,
          `expected JSON, got a damaged file: ${(error as Error).message}`,
          'restore or export it again',
          { cause: error },
        );
      }
    };
    return new Tokenizer(read(file, false), read(path.join(path.dirname(file), 'tokenizer_config.json'), true), file);
  }

  /** Writes tokenizer.json and tokenizer_config.json. */
  async save(dir: string): Promise<void> {
    await writeFileAtomic(path.join(dir, 'tokenizer.json'), JSON.stringify(this.definition, null, 1) + '\n');
    await writeFileAtomic(path.join(dir, 'tokenizer_config.json'), JSON.stringify(this.config, null, 1) + '\n');
  }

  /** Token ids of a text; added tokens (<IMG0>, <|end|>, ...) are recognised anywhere in it. */
  encode(text: string): number[] {
    if (typeof text !== 'string')
      throw new ArgumentError('tokenizer.encode', `expected a string, got ${typeof text}`, 'pass the text');
    return this.inner.encode(text, { add_special_tokens: false }).ids;
  }

  /**
   * Token ids of a text from outside (a user's words, a tool's result): the names of added tokens in it are spelled
   * out in ordinary tokens, so that it cannot forge a role or a signal.
   */
  encodePlain(text: string): number[] {
    const ids: number[] = [];
    let start = 0;
    // Cut after the first character of each name: neither half is an added token.
    for (const match of text.matchAll(this.addedNames)) {
      const cut = match.index + [...match[0]][0].length;
      ids.push(...this.encode(text.slice(start, cut)));
      start = cut;
    }
    return [...ids, ...this.encode(text.slice(start))];
  }

  /** The text of ids; special tokens are kept unless `skipSpecial`. */
  decode(ids: readonly number[], skipSpecial = false): string {
    if (!ids.length) return '';
    return this.inner.decode([...ids], { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false });
  }

  /** The id of a token. Throws ArgumentError for one that the vocabulary lacks. */
  id(token: string): number {
    const id = this.inner.token_to_id(token);
    if (id === undefined)
      throw new ArgumentError(
        'tokenizer',
        `expected a token of the vocabulary, got "${token}"`,
        'train or load the tokenizer with this token added',
      );
    return id;
  }

  /** The token of an id, or undefined. */
  token(id: number): string | undefined {
    return this.inner.id_to_token(id);
  }
}

/**
 * Answers of a model to samples of OmniWorld, many at a time: rounds of generation, between which the tools that were
 * called are run and their results given back. Media are not decoded here.
 */
import type { ChatMessage, OmniModel, OmniResponse, RespondOptions } from '../generate/omni';
import { respond } from '../generate/omni';
import { mediaIn, parseResponse, renderMedium, runCall } from '../world';
import type { Encyclopaedia, Instruction, Message } from '../world';

export interface Answer {
  /** The model's turns, and the tools' results between them. */
  turns: Message[];
  /** Blocks of all turns, in order, and modalities with a broken one. */
  blocks: OmniResponse['blocks'];
  incomplete: OmniResponse['incomplete'];
  /** Tokens that were generated. */
  tokens: number;
  /** Whether every turn ended with its end token. */
  finished: boolean;
}

export interface AnswerOptions extends Omit<RespondOptions, 'streams' | 'onToken'> {
  /** Generated turns of one sample, at most. Default 3. */
  maxTurns?: number;
  onProgress?: (done: number, total: number) => void;
}

/** The user's turn of a sample, with its media. */
export const promptOf = ({ prompt, record }: Pick<Instruction, 'prompt' | 'record'>): ChatMessage[] =>
  prompt.map((m) => ({ ...m, media: mediaIn(m.content).map((name) => renderMedium(name, record.media[name]!.scene)) }));

/** Answers the samples, greedily unless `temperature` says otherwise. */
export async function answerSamples(
  model: OmniModel,
  book: Encyclopaedia,
  samples: readonly Pick<Instruction, 'prompt' | 'record'>[],
  { maxTurns = 3, onProgress, temperature = 0, ...options }: AnswerOptions = {},
): Promise<Answer[]> {
  const conversations = samples.map(promptOf);
  const answers: Answer[] = samples.map(() => ({ turns: [], blocks: [], incomplete: [], tokens: 0, finished: true }));
  let open = samples.map((_, i) => i);
  for (let turn = 1; turn <= maxTurns && open.length; turn++) {
    const responses = await respond(
      model,
      open.map((i) => conversations[i]),
      { ...options, temperature, streams: open.map((i) => `${samples[i].record.id} turn ${turn}`) },
    );
    const calling: number[] = [];
    open.forEach((i, k) => {
      const { text, blocks, incomplete, tokens, finish } = responses[k];
      const answer = answers[i];
      const said: Message = { role: 'assistant', content: text };
      answer.turns.push(said);
      answer.blocks.push(...blocks);
      answer.incomplete.push(...incomplete);
      answer.tokens += tokens.length;
      if (finish !== 'stop') answer.finished = false;
      const call = parseResponse(text).calls.at(-1);
      if (!call || finish !== 'stop') return;
      const result: Message = { role: 'tool', content: runCall(book, call) };
      if (turn < maxTurns) {
        answer.turns.push(result);
        conversations[i] = [...conversations[i], said, result];
        calling.push(i);
      }
    });
    open = calling;
    onProgress?.(samples.length - open.length, samples.length);
  }
  return answers;
}

/** Stage 3's records besides the conversations: questions on media, and use of tools. */
import { Random } from '../nn/random';
import { composeAnswer } from './answers';
import type { Message } from './chat';
import type { Encyclopaedia } from './encyclopaedia';
import { askFact, drawFact, factKey } from './facts';
import { NOTHING, searchPart, sumPart, until } from './instructions';
import { askQuestion } from './questions';
import type { Oracle } from './records';
import { askSum } from './requests';
import { renderDraft } from './response';
import { drawScene } from './scene';
import { MODALITIES } from './signals';
import type { Split } from './splits';
import type { ToolUseRecord, UnderstandingRecord } from './stage-records';
import { drawSum, sumKey } from './sums';
import { Wording, sentenceCase } from './wording';

/** A sample, its turns, and the entropy of the response's wording in nats (as Instruction has it). */
export interface Sample<R> {
  record: R;
  prompt: Message[];
  response: Message[];
  nats: number;
}

/** Question `index` of a split, the modalities by turns: a pure function of the seed and these. */
export function makeUnderstanding(
  seed: number,
  split: Split,
  index: number,
  purpose = 'understanding',
): Sample<UnderstandingRecord> {
  const random = new Random(seed, `${purpose}/${split}/${index}`);
  const modality = MODALITIES[index % MODALITIES.length];
  const scene = drawScene(random, { split });
  const wording = new Wording(random);
  const { question, prompt, response } = askQuestion(scene.objects, modality, random, [new Wording(random), wording]);
  return {
    record: {
      id: `${purpose}-${split}-${index}`,
      split,
      modality,
      question,
      objects: scene.objects,
      input_modalities: ['text', modality],
      output_modalities: ['text'],
      media: { [modality]: { role: 'input', scene } },
      conversations: [
        { from: 'human', value: prompt, input_modality: ['text', modality] },
        { from: 'gpt', value: response, output_modality: ['text'] },
      ],
    },
    prompt: [{ role: 'user', content: prompt }],
    response: [{ role: 'assistant', content: response }],
    nats: wording.nats,
  };
}

/** Tool question `index` of a split, search and sums by turns: a pure function of the encyclopaedia's seed and these. */
export function makeToolUse(
  book: Encyclopaedia,
  split: Split,
  index: number,
  purpose = 'tool_use',
): Sample<ToolUseRecord> {
  const random = new Random(book.seed, `${purpose}/${split}/${index}`);
  const ask = new Wording(random);
  let content: string;
  let oracle: Oracle;
  if (index % 2) {
    const sum = until(split, sumKey, () => drawSum(random));
    content = askSum(sum, ask);
    oracle = { ...NOTHING, ...sumPart(random, sum) };
  } else {
    const fact = until(split, factKey, () => drawFact(book, random));
    content = `${sentenceCase(ask.pick(['', 'tell me, ', 'please find out: ']) + askFact(fact, ask))}?`;
    oracle = { ...NOTHING, ...searchPart(book, fact) };
  }
  const wording = new Wording(random);
  const draft = composeAnswer(index % 2 ? 'code_and_explain' : 'search_and_generate', oracle, wording);
  const response = renderDraft(draft);
  const call = JSON.parse(draft.call?.json ?? '{}') as { name: string; arguments: Record<string, unknown> };
  return {
    record: {
      id: `${purpose}-${split}-${index}`,
      split,
      tool: index % 2 ? 'code_interpreter' : 'web_search',
      input_modalities: ['text'],
      output_modalities: ['text'],
      conversations: [
        { from: 'human', value: content, input_modality: ['text'] },
        ...response.map((m) =>
          m.role === 'tool'
            ? { from: 'tool' as const, value: m.content }
            : { from: 'gpt' as const, value: m.content, output_modality: ['text' as const] },
        ),
      ],
      plan: draft.plan ?? [],
      tool_calls: [{ ...call, result: draft.call?.result ?? '' }],
      oracle,
    },
    prompt: [{ role: 'user', content }],
    response,
    nats: wording.nats,
  };
}

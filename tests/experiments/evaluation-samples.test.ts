/** Which samples are answered, and the segments of preference pairs' tokens. */
import assert from 'node:assert/strict';
import { agenticPrompts } from '../../lib/eval';
import { answeredSamples } from '../../lib/experiments/omniagent/evaluate';
import { exampleSegments } from '../../lib/experiments/omniagent/pairs';
import { trainTokenizer } from '../../lib/io/tokenizer-train';
import { ADDED_TOKENS, CATEGORIES, encodeChat, evaluationSet, makeEncyclopaedia, preferences, SEGMENTS, tokenizerTexts } from '../../lib/world'; // prettier-ignore

const book = makeEncyclopaedia(0, 30);

describe('samples of the evaluation', () => {
  it("ACI's prompts are always answered, and every category alike", () => {
    const all = evaluationSet(book);
    for (const n of [12, 30, 50]) {
      const chosen = answeredSamples(all, n);
      for (const category of CATEGORIES) assert.equal(chosen.filter((s) => s.record.category === category).length, n);
      assert.ok(agenticPrompts(all).every((s) => chosen.includes(s)));
      assert.equal(new Set(chosen).size, 6 * n);
    }
    assert.deepEqual(new Set(answeredSamples(all, 50)), new Set(all));
  });

  it("segments from tokens and mask are the chat template's, turn by turn", () => {
    const tokenizer = trainTokenizer(tokenizerTexts(book, 300), { vocabSize: 600, addedTokens: ADDED_TOKENS }); // prettier-ignore
    const seen = new Set<number>();
    for (const pair of preferences(book, 'train', 60))
      for (const side of ['chosen', 'rejected'] as const) {
        const chat = encodeChat(tokenizer, [...pair.prompt, ...pair[side]]);
        const segments = exampleSegments(tokenizer, { ids: chat.tokens, mask: chat.lossMask });
        assert.deepEqual(segments, chat.segments);
        segments.forEach((s) => seen.add(s));
      }
    assert.equal(seen.size, SEGMENTS.length);
  });
});

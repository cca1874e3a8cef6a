/** OmniWorld as an environment: right responses earn the full reward, each fault costs where it is, tools really answer. */
import assert from 'node:assert/strict';
import type { Rollout } from '../../lib/generate';
import { trainTokenizer } from '../../lib/io';
import { omniEnvironment, processRewards, responseReward, turnsOf } from '../../lib/trainers';
import type { OmniTask } from '../../lib/trainers';
import { ADDED_TOKENS, encodeChat, makeEncyclopaedia, makeInstruction, tokenizerTexts } from '../../lib/world';
import type { Category, Instruction, Message } from '../../lib/world';

const book = makeEncyclopaedia(0, 12);
const tokenizer = trainTokenizer(tokenizerTexts(book, 200), { vocabSize: 700, addedTokens: ADDED_TOKENS });

const sampleOf = (category: Category, index = 0): Instruction => makeInstruction(book, category, 'train', index);

/** The rollout that says these turns after a prompt. */
function rolloutOf(prompt: readonly Message[], response: readonly Message[]): Rollout {
  const whole = encodeChat(tokenizer, [...prompt, ...response]);
  const from = encodeChat(tokenizer, prompt, { generate: true }).tokens.length;
  const tokens = whole.tokens.slice(from);
  const own = whole.lossMask.slice(from).map(Boolean);
  return { tokens, own, logProbs: tokens.map(() => 0), turns: 1, finish: 'stop' };
}
const taskOf = ({ record, prompt, oracle }: Instruction): OmniTask => ({
  id: record.id,
  category: record.category,
  ids: encodeChat(tokenizer, prompt, { generate: true }).tokens,
  media: [],
  text: prompt[0].content,
  oracle,
});
const edited = (response: readonly Message[], change: (text: string) => string): Message[] =>
  response.map((m) => (m.role === 'assistant' ? { ...m, content: change(m.content) } : m));

describe('OmniWorld as an environment', () => {
  const categories = ['text_to_multimodal', 'search_and_generate', 'code_and_explain', 'multi_step_creation'] as const;

  for (const category of categories)
    it(`${category}: the reference response earns 1, and nothing in it is punished`, () => {
      for (let index = 0; index < 8; index++) {
        const sample = sampleOf(category, index);
        const rollout = rolloutOf(sample.prompt, sample.response);
        assert.deepEqual(turnsOf(tokenizer, rollout), sample.response);
        const task = taskOf(sample);
        const environment = omniEnvironment({ book, tokenizer, tasks: [task], heldOut: [], processReward: 0.5 });
        const { reward, rewards, process, calls, failedCalls } = environment.judge(task, rollout);
        assert.ok(reward > 0.999, `${index}: ${JSON.stringify(rewards)}`);
        assert.ok(process.every((r, t) => r >= 0 && (r === 0 || rollout.own[t])));
        const { oracle } = sample;
        const agentic = oracle.tool || oracle.plan.length ? 2 : 0;
        const right = oracle.outputs.length + agentic + (oracle.plan.length ? 1 : 0) + (oracle.tool ? 2 : 0);
        assert.equal(process.filter((r) => r === 0.5).length, right);
        assert.deepEqual([calls, failedCalls], [oracle.tool ? 1 : 0, 0]);
      }
    });

  it('parts that nobody asked for and nobody emitted do not count', () => {
    const sample = sampleOf('code_and_explain');
    const { rewards } = responseReward(book, sample.oracle, sample.response);
    assert.deepEqual(Object.keys(rewards), ['text', 'task']);
    const extra = edited(sample.response, (text) => `${text}<VID0><VID1><VID2><VID3>`);
    assert.equal(responseReward(book, sample.oracle, extra).rewards.vid, 0);
  });

  it('wrong signals are punished where they stand', () => {
    const sample = sampleOf('text_to_multimodal', 1);
    const rewardsOf = (response: readonly Message[]): { token: string; reward: number }[] => {
      const rollout = rolloutOf(sample.prompt, response);
      const rewards = processRewards(tokenizer, book, sample.oracle, rollout, 1);
      return [...rewards].flatMap((reward, t) =>
        reward ? [{ token: tokenizer.decode([rollout.tokens[t]]), reward }] : [],
      );
    };
    const answer = (content: string): Message[] => [{ role: 'assistant', content }];
    const [wanted] = sample.oracle.outputs;
    const block = {
      image: '<IMG0><IMG1><IMG2><IMG3><IMG4>',
      audio: '<AUD0><AUD1><AUD2><AUD3>',
      video: '<VID0><VID1><VID2><VID3>',
    };
    const last = block[wanted].slice(-6);
    // The block counts once.
    assert.deepEqual(rewardsOf(answer(`Yes.${block[wanted]}${block[wanted]}`)), [
      { token: last, reward: 1 },
      { token: last, reward: -1 },
    ]);
    assert.deepEqual(rewardsOf(answer('No.<IMG0><IMG2>')), [
      { token: '<IMG0>', reward: -1 },
      { token: '<IMG2>', reward: -1 },
    ]);
    const call = rewardsOf(answer('<THINK>Hm.<TOOL_CALL>{"name": 3'));
    assert.deepEqual(call.slice(0, 2), [
      { token: '<THINK>', reward: -1 },
      { token: '<TOOL_CALL>', reward: -1 },
    ]);
    assert.deepEqual([call.length, call[2].reward], [3, -1]);
    assert.ok(
      processRewards(tokenizer, book, sample.oracle, rolloutOf(sample.prompt, answer('<ACT>')), 0).every((r) => !r),
    );
  });

  it('a call of another result is neither praised nor punished', () => {
    const sample = sampleOf('search_and_generate');
    const changed = edited(sample.response, (text) => text.replace(/"query":\s*"[^"]*"/, '"query":"lighthouse"'));
    const rollout = rolloutOf(sample.prompt, changed);
    const rewards = processRewards(tokenizer, book, sample.oracle, rollout, 1);
    assert.ok(rewards.every((r) => r >= 0));
    const reference = processRewards(tokenizer, book, sample.oracle, rolloutOf(sample.prompt, sample.response), 1);
    const sum = (values: Float32Array): number => values.reduce((a, b) => a + b, 0);
    assert.equal(sum(rewards), sum(reference) - 1);
  });

  it('the environment answers a call with the result that the oracle has, and nothing else', () => {
    const sample = sampleOf('code_and_explain');
    const task = taskOf(sample);
    const environment = omniEnvironment({ book, tokenizer, tasks: [task], heldOut: [] });
    const [first, result] = sample.response;
    const reply = environment.reply(task, tokenizer.encode(first.content))!;
    assert.equal(tokenizer.decode([...reply]), `<|tool|>${result.content}<|end|><|assistant|>`);
    assert.equal(environment.reply(task, tokenizer.encode('<ACT>Done.')), null);
  });
});

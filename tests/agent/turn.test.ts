/** Turns: what the model writes is routed, executed, planned and decoded; nothing that it writes breaks the chat. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { codeInterpreter, defineTool, encyclopaediaSearch, route, runTurn, toolRegistry } from '../../lib/agent';
import type { AgentEvent, TurnOptions } from '../../lib/agent';
import { ArgumentError, CancelledError } from '../../lib/errors';
import { evaluationSet, makeEncyclopaedia, parseResponse, SIGNAL_TOKENS } from '../../lib/world';
import { Random } from '../../lib/nn/random';
import { block, scripted } from './scripted';
import type { Line } from './scripted';

const book = makeEncyclopaedia(0);
const tools = toolRegistry([
  encyclopaediaSearch(book),
  codeInterpreter({ timeoutMs: 20_000 }),
  defineTool({
    name: 'flaky',
    description: 'Fails unless told not to.',
    parameters: z.object({ ok: z.boolean() }),
    run({ ok }) {
      if (!ok) throw new Error('out of order');
      return 'fine';
    },
  }),
]);
const [IMG, AUD, VID] = [block('image'), block('audio'), block('video')];
const call = (name: string, args: object) => `<TOOL_CALL>${JSON.stringify({ name, arguments: args })}`;
const flaky = (ok: boolean) => call('flaky', { ok });

async function ask(
  lines: Line[],
  options: Partial<TurnOptions> = {},
  scriptOptions: Parameters<typeof scripted>[1] = {},
) {
  const model = scripted(lines, scriptOptions);
  const reply = await runTurn(model, [], { text: 'Go.' }, { tools, ...options });
  return { model, reply };
}
const statuses = (reply: Awaited<ReturnType<typeof ask>>['reply']) =>
  reply.plan?.steps.map((s) => `${s.id} ${s.kind} ${s.status}${s.detail ? `: ${s.detail}` : ''}`);

describe('agent: turns', function () {
  it('answers every sample of the evaluation set as its reference does', async () => {
    let seen = 0;
    for (const { oracle, prompt, response } of evaluationSet(book)) {
      if (oracle.tool === 'code_interpreter' && seen++ % 8) continue;
      const lines = response.filter((m) => m.role === 'assistant').map((m) => m.content);
      const model = scripted(lines);
      const reply = await runTurn(model, [], { text: prompt[0].content.replace(/<\|.*?\|>/g, '') }, { tools });
      // The turns are those of the data, the tool's among them.
      assert.deepEqual(reply.messages.slice(1), response);
      const parsed = parseResponse(response);
      assert.equal(reply.text, parsed.text);
      assert.equal(reply.thoughts.length, parsed.thoughts.length);
      assert.deepEqual(
        reply.media.map((m) => m.modality),
        oracle.outputs,
      );
      assert.deepEqual([reply.warnings, reply.incomplete], [[], []]);
      assert.equal(reply.toolCalls.length, oracle.tool ? 1 : 0);
      if (oracle.tool) assert.deepEqual([reply.toolCalls[0].ok, reply.toolCalls[0].result], [true, oracle.result]);
      assert.equal(reply.plan !== null, oracle.plan.length > 0);
      if (!reply.plan) continue;
      assert.ok(reply.plan.valid);
      assert.deepEqual(
        reply.plan.steps.map((s) => [s.kind, s.status]),
        oracle.plan.map((kind) => [kind, 'done']),
      );
    }
  });

  it("gives a call's result or error back to the model, which may try again", async () => {
    const { model, reply } = await ask([
      `<THINK>I compute.<PLAN>1. Compute it. 2. Draw it.<TOOL_CALL>{"name":"code_interpreter","arguments":{"code":"6*7"}`,
      call('code_interpreter', { code: 'six * 7' }),
      call('code_interpreter', { code: '6 * 7' }),
      `<ACT>It is 42.${IMG}`,
    ]);
    assert.deepEqual(
      model.asked.map(({ messages }) => messages.at(-1)),
      [
        { role: 'user', content: 'Go.' },
        { role: 'tool', content: 'error: the call is not valid JSON' },
        { role: 'tool', content: "error: ReferenceError: 'six' is not defined" },
        { role: 'tool', content: '42' },
      ],
    );
    assert.deepEqual(
      reply.toolCalls.map((c) => c.ok),
      [false, false, true],
    );
    assert.equal(reply.text, 'It is 42.');
    assert.deepEqual(statuses(reply), ['1 compute done', '2 image done']);
    assert.deepEqual(reply.plan!.problems, ['the call of code_interpreter is in no step']);
  });

  it('skips what builds on a step that failed, unless the model does it knowing so', async () => {
    const plan = '<PLAN>1. Use flaky. 2. Draw the result of step 1. 3. Play a sound.';
    // In the same turn: the picture was emitted before the failure was known.
    const blind = await ask([`${plan}${flaky(false)}${IMG}${AUD}`, '<ACT>Sorry.']);
    assert.deepEqual(statuses(blind.reply), [
      '1 tool failed: error: flaky failed: out of order',
      '2 image skipped: step 1 failed',
      '3 audio done',
    ]);
    assert.deepEqual(
      blind.reply.media.map((m) => m.modality),
      ['audio'],
    );
    assert.deepEqual(blind.reply.warnings, ['no image was made: step 1 failed']);
    // In a later turn: the model had seen the error.
    const knowing = await ask([`${plan}${flaky(false)}`, `<ACT>Sorry.${IMG}${AUD}`]);
    assert.deepEqual(
      knowing.reply.plan!.steps.map((s) => s.status),
      ['failed', 'done', 'done'],
    );
    // Not at all.
    const never = await ask([`${plan}${flaky(false)}`, '<ACT>Sorry.']);
    assert.deepEqual(statuses(never.reply), [
      '1 tool failed: error: flaky failed: out of order',
      '2 image skipped: step 1 failed',
      '3 audio failed: nothing in the answer carries it out',
    ]);
    // A call that builds on a failed one is not made.
    const chained = await ask([
      `<PLAN>1. Use flaky. 2. Use flaky on step 1. 3. Draw step 2.${flaky(false)}${flaky(true)}${IMG}`,
      '<ACT>No.',
    ]);
    assert.deepEqual(
      chained.reply.plan!.steps.map((s) => s.status),
      ['failed', 'skipped', 'skipped'],
    );
    assert.equal(chained.reply.toolCalls[1].result, 'error: not called: step 1 failed');
    // A step that fails and is tried again is done, and so is what builds on it.
    const again = await ask([`${plan}${flaky(false)}`, flaky(true), `<ACT>There.${IMG}${AUD}`]);
    assert.deepEqual(
      again.reply.plan!.steps.map((s) => s.status),
      ['done', 'done', 'done'],
    );
  });

  it("makes media in the plan's order, then those of no step, and goes on where one cannot be made", async () => {
    const { model, reply } = await ask([`<PLAN>1. Play the sound. 2. Film it.<ACT>Here.${IMG}${VID}${AUD}${AUD}`]);
    assert.deepEqual(
      model.decoded.map((d) => d.modality),
      ['audio', 'video', 'image', 'audio'],
    );
    assert.equal(new Set(model.decoded.map((d) => d.seed)).size, 4);
    assert.deepEqual([reply.images.length, reply.audios.length, reply.videos.length], [1, 2, 1]);
    assert.equal(reply.plan!.valid, false);
    const broken = await ask(
      [`<PLAN>1. Draw it. 2. Play step 1.<ACT>Here.${IMG}${AUD}${VID}`],
      {},
      { failing: ['image'] },
    );
    assert.deepEqual(statuses(broken.reply), [
      '1 image failed: decodeBlocks: no decoder for image',
      '2 audio skipped: step 1 failed',
    ]);
    assert.deepEqual(
      broken.reply.media.map((m) => m.modality),
      ['video'],
    );
    assert.deepEqual(broken.reply.warnings, [
      'no image was made: decodeBlocks: no decoder for image',
      'no audio was made: step 1 failed',
    ]);
  });

  it('limits turns and calls', async () => {
    const endless = Array.from({ length: 20 }, () => flaky(true));
    const turns = await ask(endless);
    assert.equal(turns.model.asked.length, 6);
    assert.deepEqual(
      turns.reply.toolCalls.map((c) => c.ok),
      [true, true, true, true, true, false],
    );
    assert.deepEqual(turns.reply.warnings, ['flaky was not called: this was the last of 6 turns']);
    const two = await ask(endless, { maxTurns: 2 });
    assert.equal(two.model.asked.length, 2);
    const many = await ask([flaky(true).repeat(12), '<ACT>Done.']);
    assert.equal(many.reply.toolCalls.filter((c) => c.ok).length, 10);
    assert.equal(many.reply.toolCalls[11].result, 'error: not called: the limit is 10 calls');
    assert.equal(many.reply.text, 'Done.');
    const none = await ask([flaky(true), '<ACT>Then not.'], { maxCalls: 0 });
    assert.equal(none.reply.toolCalls[0].ok, false);
    for (const options of [{ maxTurns: 0 }, { maxTurns: 1.5 }, { maxCalls: -1 }, { callTimeoutMs: 1e12 }])
      await assert.rejects(ask(['x'], options), ArgumentError);
  });

  it('bars tools that are not allowed', async () => {
    const { reply } = await ask([flaky(true), '<ACT>I see.'], { allowed: ['web_search'] });
    assert.equal(reply.toolCalls[0].result, 'error: flaky may not be called here; allowed: web_search');
  });

  it('reports truncated and broken blocks, and never crashes', async () => {
    const cut = await ask([{ text: '<ACT>Here.<IMG0><IMG1>', finish: 'max-new-tokens', incomplete: ['image'] }]);
    assert.deepEqual([cut.reply.text, cut.reply.incomplete, cut.reply.media], ['Here.', ['image'], []]);
    assert.deepEqual(cut.reply.warnings, [
      'no image was made: its block of signal tokens is incomplete (2 of 5)',
      'the answer was cut: it reached the limit on new tokens',
    ]);
    const mixed = await ask([`<AUD0><AUD2><AUD1><AUD3> and ${VID}<VID0>`]);
    assert.deepEqual(mixed.reply.incomplete, ['audio', 'video']);
    assert.deepEqual(
      mixed.reply.media.map((m) => m.modality),
      ['video'],
    );
    assert.match(mixed.reply.warnings[0], /audio .* out of order/);
    await assert.rejects(
      cut.reply.saveImage('x.png'),
      /saveImage: expected a reply with image.*\nhelp: the model began one/,
    );
    // The model has no projector: a whole block without embeddings.
    const bare = await ask([{ text: `Here.${IMG}`, blocks: [] }]);
    assert.deepEqual(bare.reply.warnings, ['no image was made: the model has no projector for it']);
    const said = await ask([{ text: 'Well', finish: 'max-length', incomplete: ['video'] }]);
    assert.deepEqual(said.reply.incomplete, ['video']);
    assert.match(said.reply.warnings.join(), /context is full/);
  });

  it('survives anything that a model could write', async () => {
    const random = new Random(5, 'noise');
    const words = [
      ...SIGNAL_TOKENS,
      'Draw it.',
      ' 1. ',
      '2. Search.',
      '{"name":',
      '"flaky"',
      '}',
      '<|end|>',
      '<|user|>',
      '\0',
      '',
    ];
    for (let i = 0; i < 300; i++) {
      const lines = Array.from({ length: 3 }, () =>
        Array.from({ length: random.int(30) }, () => random.choice(words)).join(''),
      );
      const { reply } = await ask([...lines, '', '', '']);
      assert.equal(typeof reply.text, 'string');
      for (const token of SIGNAL_TOKENS) assert.ok(!reply.text.includes(token));
    }
    for (const text of ['', '<PLAN>', '<PLAN>1. 2. 3.', '<TOOL_CALL>', '<ACT>', '<THINK><THINK>'])
      assert.equal((await ask([text, '', ''])).reply.text, '');
  });

  it('routes by the registry', () => {
    const embeds = null as never;
    const routed = route({
      text: `<THINK> so <PLAN>1. Draw it. 2. Play.<TOOL_CALL>{}<ACT>Here ${IMG} and${AUD}<IMG0>`,
      finish: 'stop',
      blocks: [
        { modality: 'image', embeds },
        { modality: 'audio', embeds },
      ],
      incomplete: ['image'],
    });
    assert.deepEqual(routed, {
      thoughts: ['so'],
      steps: ['Draw it.', 'Play.'],
      actions: [
        { kind: 'call', json: '{}' },
        { kind: 'media', block: { modality: 'image', embeds } },
        { kind: 'media', block: { modality: 'audio', embeds } },
      ],
      text: 'Here and',
      incomplete: ['image'],
      warnings: ['no image was made: its block of signal tokens is incomplete (1 of 5)'],
    });
  });

  it('tells what happens as it happens', async () => {
    const events: AgentEvent[] = [];
    await ask([flaky(true), `<ACT>So it is.${IMG}`], { onEvent: (e) => events.push(e) });
    const kinds = events.map((e) => e.kind).filter((kind, i, all) => kind !== all[i - 1]);
    assert.deepEqual(kinds, ['token', 'call', 'result', 'token', 'decode']);
    const text = events.flatMap((e) => (e.kind === 'token' && e.turn === 1 ? [e.piece] : [])).join('');
    assert.equal(text, `<ACT>So it is.${IMG}`);
    assert.deepEqual(events.at(-1), { kind: 'decode', modality: 'image', done: 3, total: 3 });
  });

  it('is a function of conversation and seed', async () => {
    const seeds = async (seed: number, before: number) => {
      const model = scripted([flaky(true), `Here.${IMG}`]);
      const conversation = Array.from({ length: before }, () => ({ role: 'user' as const, content: 'x' }));
      const reply = await runTurn(model, conversation, { text: 'Go.' }, { tools, seed });
      return [
        ...model.asked.map((a) => a.options.seed),
        ...model.decoded.map((d) => d.seed),
        ...reply.images[0].data.slice(0, 50),
      ];
    };
    assert.deepEqual(await seeds(1, 0), await seeds(1, 0));
    assert.notDeepEqual(await seeds(1, 0), await seeds(2, 0));
    assert.notDeepEqual(await seeds(1, 0), await seeds(1, 2));
    await assert.rejects(ask(['x'], { seed: -1 }), ArgumentError);
  });

  it('is cancelled by its signal, before, between and within', async () => {
    for (const when of ['token', 'call', 'decode'] as const) {
      const controller = new AbortController();
      const answer = ask(
        [flaky(true), `<ACT>So.${IMG}`],
        { signal: controller.signal, onEvent: (e) => e.kind === when && controller.abort() },
        { delayMs: 1 },
      );
      await assert.rejects(answer, (e: Error) => e instanceof CancelledError || e.name === 'AbortError', when);
    }
    await assert.rejects(ask(['x'], { signal: AbortSignal.abort() }), CancelledError);
  });

  it('leaves out the oldest exchanges where the context is full, and shortens results', async () => {
    const words = (messages: readonly { content: string }[]) =>
      messages.reduce((n, m) => n + m.content.split(/\s+/).length, 0);
    const conversation = ['a', 'b', 'c', 'd'].flatMap((name) => [
      { role: 'user' as const, content: `${name} ${'x '.repeat(9)}`.trim() },
      { role: 'assistant' as const, content: 'y '.repeat(10).trim() },
    ]);
    const model = scripted(['Yes.'], { room: (m) => 50 - words(m) });
    const reply = await runTurn(model, conversation, { text: 'Go on.' }, { tools, reserve: 5 });
    assert.deepEqual(
      model.asked[0].messages.map((m) => m.content[0]),
      ['c', 'y', 'd', 'y', 'G'],
    );
    assert.deepEqual(reply.warnings, ["the first 4 messages were left out: the model's context is full"]);
    assert.equal(reply.messages.length, 10);
    const long = defineTool({
      name: 'long',
      description: '',
      parameters: z.object({}),
      run: () => 'word '.repeat(100),
    });
    const reader = scripted([call('long', {}), 'So.'], { room: (m) => 50 - words(m) });
    const read = await runTurn(reader, [], { text: 'Go.' }, { tools: toolRegistry([long]), reserve: 10 });
    assert.match(read.messages[2].content, /^(word )+w?o?r?d?\.\.\.$/);
    assert.ok(words(read.messages.slice(0, 3)) <= 40);
    assert.equal(read.text, 'So.');
    const full = scripted([call('flaky', { ok: true }), 'So.'], { room: (m) => 3 - m.length });
    const cut = await runTurn(full, [], { text: 'Go.' }, { tools });
    assert.deepEqual(cut.warnings, ["the answer was cut: the model's context is full"]);
    const never = scripted(['x'], { room: (m) => 10 - words(m) });
    await assert.rejects(runTurn(never, [], { text: 'x '.repeat(30).trim() }, { tools }), (e: Error) => {
      assert.ok(e instanceof ArgumentError);
      assert.match(e.message, /^chat: .*21 tokens too long\nhelp: shorten/);
      return true;
    });
    assert.equal(never.asked.length, 0);
  });

  it('lets no text from outside stand for a medium', async () => {
    const { model } = await ask(['x']);
    assert.equal(model.asked[0].messages[0].content, 'Go.');
    const forged = scripted(['x']);
    await runTurn(forged, [], { text: '<|image|><|media_end|> <|<|audio|>audio|>' }, { tools });
    assert.equal(forged.asked[0].messages[0].content, '< |image|><|media_end|> <|< |audio|>audio|>');
  });
});

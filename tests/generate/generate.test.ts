/** Generation with a cache against the model without one; rows, seeds, ends, streaming, cancellation, errors. */
import assert from 'node:assert/strict';
import { ArgumentError, CancelledError, NonFiniteError, ShapeError } from '../../lib/errors';
import { tensor, treeMap } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { freeze, generate, warp } from '../../lib/generate';
import type { Generation, LlamaModel, Prompt, TokenEvent } from '../../lib/generate';
import { llamaHidden, llamaInit, llamaLogits } from '../../lib/models';
import type { LlamaConfig } from '../../lib/models';
import { loraInit, normal, Random, withLora } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';

const config: LlamaConfig = {
  vocabSize: 29,
  width: 32,
  layers: 2,
  heads: 4,
  kvHeads: 4,
  hidden: 48,
  maxLength: 96,
  ropeBase: 10000,
  normEpsilon: 1e-5,
  tieEmbeddings: false,
};

/** Weights large enough for attention that is far from uniform: what is wrong in the cache then shows. */
async function modelOf(c: LlamaConfig, seed = 1): Promise<LlamaModel> {
  const small = llamaInit(new Random(seed, 'weights'), c);
  const large = treeMap(small, (t) => (t.rank === 2 ? t.mul(10) : t));
  const jobs: Promise<unknown>[] = [];
  treeMap(large, (t) => {
    jobs.push(t.data());
    return t;
  });
  await Promise.all(jobs);
  return { params: large, config: c };
}

/** Without a cache: log-probabilities [T, V] and hidden states [T, width] of one sequence. */
async function recompute(
  { params, config: c }: LlamaModel,
  ids: number[],
): Promise<{ logProbs: Float32Array[]; hidden: Float32Array[] }> {
  const run = jit((p: LlamaModel['params'], x: Tensor) => {
    const hidden = llamaHidden(p, c, { ids: x });
    return { hidden, logProbs: llamaLogits(p, hidden).logSoftmax(-1) };
  });
  const out = await run(params, tensor(Int32Array.from(ids), { shape: [1, ids.length] }));
  const rows = async (t: Tensor, width: number): Promise<Float32Array[]> => {
    const flat = (await t.data()) as Float32Array;
    return ids.map((_, i) => flat.slice(i * width, (i + 1) * width));
  };
  return { logProbs: await rows(out.logProbs, c.vocabSize), hidden: await rows(out.hidden, c.width) };
}

const random = new Random(5, 'prompts');
const promptOf = (n: number): number[] => Array.from({ length: n }, () => random.int(config.vocabSize));
const near = (a: number, b: number, what: string, tolerance = 1e-4): void =>
  assert.ok(Math.abs(a - b) <= tolerance, `${what}: ${a} against ${b}`);

/** Each token is the most probable one by the model without a cache, and has its log-probability. */
async function checkGreedy(model: LlamaModel, prompt: number[], g: Generation): Promise<void> {
  const { logProbs, hidden } = await recompute(model, [...prompt, ...g.tokens]);
  const states = (await g.hidden?.data()) as Float32Array | undefined;
  g.tokens.forEach((token, i) => {
    const row = logProbs[prompt.length - 1 + i];
    near(row[token], Math.max(...row), `token ${i} is the most probable`, 1e-5);
    near(g.logProbs[i], row[token], `log-probability of token ${i}`);
    const { width } = model.config;
    hidden[prompt.length + i].forEach((h, j) => {
      if (states) near(states[i * width + j], h, `hidden state ${j} at token ${i}`, 1e-3);
    });
  });
}

describe('generation', () => {
  after(closeDevices);

  for (const [name, c] of [
    ['multi-head', config],
    ['grouped-query', { ...config, kvHeads: 2 }],
    ['multi-query, tied embeddings', { ...config, kvHeads: 1, tieEmbeddings: true }],
  ] as [string, LlamaConfig][])
    it(`with a cache equals recomputation: ${name}`, async () => {
      const model = await modelOf(c);
      const prompts = [1, 7, 16, 17, 40].map(promptOf);
      // Long enough for the window to be folded several times.
      const out = await generate(model, prompts, { temperature: 0, maxNewTokens: 52, hidden: true });
      for (const [i, g] of out.entries()) {
        assert.equal(g.tokens.length, 52);
        assert.equal(g.finish, 'max-new-tokens');
        assert.deepEqual(g.hidden!.shape, [52, c.width]);
        await checkGreedy(model, prompts[i], g);
      }
      assert.ok(new Set(out.flatMap((g) => g.tokens)).size > 5, 'the model says the same thing all the time');
    });

  it('goes up to the maximal length, and says so', async () => {
    const model = await modelOf(config);
    const prompts = [3, 60, 95, 96].map(promptOf);
    const out = await generate(model, prompts, { temperature: 0 });
    for (const [i, g] of out.entries()) {
      assert.equal(g.finish, 'max-length');
      assert.equal(g.tokens.length, 96 - prompts[i].length);
      await checkGreedy(model, prompts[i], g);
    }
    const [cut] = await generate(model, [prompts[0]], { temperature: 0, maxLength: 10 });
    assert.deepEqual([cut.tokens, cut.finish], [out[0].tokens.slice(0, 7), 'max-length']);
  });

  it('samples with the log-probabilities of the model itself, LoRA included', async () => {
    const base = await modelOf(config);
    const lora = { rank: 2, alpha: 4, targets: ['q_proj', 'v_proj'] };
    const noise = new Random(2, 'lora');
    const adapter = loraInit(noise, base.params, lora);
    for (const path of Object.keys(adapter)) adapter[path].B = normal(noise, adapter[path].B.shape, 1);
    const model = { config, params: withLora(base.params, adapter, lora) };
    const prompt = promptOf(9);
    const [g] = await generate(model, [prompt], { temperature: 1.7, topK: 8, topP: 0.9, seed: 3, maxNewTokens: 30 });
    const { logProbs } = await recompute(model, [...prompt, ...g.tokens]);
    g.tokens.forEach((t, i) => near(g.logProbs[i], logProbs[prompt.length - 1 + i][t], `token ${i}`));
    const without = await recompute(base, [...prompt, ...g.tokens]);
    assert.ok(Math.abs(without.logProbs[prompt.length][g.tokens[1]] - g.logProbs[1]) > 0.01, 'LoRA has no effect');
  });

  it('a row depends on neither its batch nor its place', async () => {
    const model = await modelOf(config);
    const prompts = [5, 30, 2, 11, 18].map(promptOf);
    const options = { temperature: 1.3, topP: 0.95, seed: 11, maxNewTokens: 40, stop: [0, 1] };
    const all = await generate(model, prompts, options);
    assert.ok(new Set(all.map((g) => g.tokens.length)).size > 1, 'rows end at different times');
    for (const [i, prompt] of prompts.entries()) {
      const [alone] = await generate(model, [prompt], { ...options, streams: [i] });
      assert.deepEqual(alone.tokens, all[i].tokens);
      assert.equal(alone.finish, all[i].finish);
      alone.logProbs.forEach((x, j) => near(x, all[i].logProbs[j], 'log-probability'));
    }
    const small = await generate(model, prompts, { ...options, maxBatch: 2 });
    assert.deepEqual(
      small.map((g) => g.tokens),
      all.map((g) => g.tokens),
    );
    const backwards = await generate(model, [...prompts].reverse(), { ...options, streams: [4, 3, 2, 1, 0] });
    assert.deepEqual(
      backwards.map((g) => g.tokens).reverse(),
      all.map((g) => g.tokens),
    );
  });

  it('the seed decides', async () => {
    const model = await modelOf(config);
    const prompts = [promptOf(4), promptOf(6)];
    const run = (seed: number): Promise<Generation[]> => generate(model, prompts, { seed, maxNewTokens: 20 });
    const first = await run(1);
    assert.deepEqual(await run(1), first);
    assert.notDeepEqual((await run(2))[0].tokens, first[0].tokens);
    const same = await generate(model, [prompts[0], prompts[0]], { seed: 1, maxNewTokens: 20 });
    assert.notDeepEqual(same[0].tokens, same[1].tokens);
  });

  it('draws from the exact distribution', async () => {
    const model = await modelOf(config);
    const prompt = promptOf(6);
    const { logProbs } = await recompute(model, prompt);
    const { ids, probabilities } = warp(logProbs[5], { temperature: 1.5, topP: 0.8 });
    const count = 2048;
    const out = await generate(model, new Array<number[]>(count).fill(prompt), {
      temperature: 1.5,
      topP: 0.8,
      seed: 4,
      maxNewTokens: 1,
      maxBatch: count,
    });
    const seen = new Map<number, number>();
    for (const g of out) seen.set(g.tokens[0], (seen.get(g.tokens[0]) ?? 0) + 1);
    assert.deepEqual(
      [...seen.keys()].filter((t) => !Array.from(ids).includes(t)),
      [],
    );
    assert.ok(ids.length > 2);
    let chi2 = 0;
    probabilities.forEach((p, i) => (chi2 += ((seen.get(ids[i]) ?? 0) - p * count) ** 2 / (p * count)));
    // Mean n - 1, standard deviation sqrt(2 (n - 1)).
    const free = ids.length - 1;
    assert.ok(chi2 < free + 4 * Math.sqrt(2 * free), `chi-square ${chi2} with ${free} degrees of freedom`);
  });

  it('ends at a stop token, which belongs to the result', async () => {
    const model = await modelOf(config);
    const prompt = promptOf(5);
    const [free] = await generate(model, [prompt], { temperature: 0, maxNewTokens: 30 });
    const stop = free.tokens[7];
    const n = free.tokens.indexOf(stop) + 1;
    const [g] = await generate(model, [prompt], { temperature: 0, maxNewTokens: 30, stop: [stop], hidden: true });
    assert.deepEqual([g.tokens, g.finish], [free.tokens.slice(0, n), 'stop']);
    assert.deepEqual(g.hidden!.shape, [n, config.width]);
    await checkGreedy(model, prompt, g);
    const [last] = await generate(model, [prompt], { temperature: 0, maxNewTokens: n, stop: [stop] });
    assert.equal(last.finish, 'stop');
  });

  it('gives hidden states at chosen tokens only', async () => {
    const model = await modelOf(config);
    const prompts = [5, 12, 9].map(promptOf);
    const options = { seed: 8, maxNewTokens: 30, stop: [3] };
    const all = await generate(model, prompts, { ...options, hidden: true });
    const chosen = [...new Set([3, ...all.flatMap((g) => g.tokens.slice(2, 5))])];
    const some = await generate(model, prompts, { ...options, hidden: chosen });
    const none = await generate(model, prompts, { ...options, hidden: [] });
    let count = 0;
    for (const [i, g] of some.entries()) {
      assert.deepEqual([g.tokens, g.finish], [all[i].tokens, all[i].finish]);
      const where = g.tokens.flatMap((t, j) => (chosen.includes(t) ? [j] : []));
      assert.deepEqual(g.hiddenAt, where);
      assert.deepEqual(
        all[i].hiddenAt,
        all[i].tokens.map((_, j) => j),
      );
      assert.deepEqual(g.hidden!.shape, [where.length, config.width]);
      const [mine, full] = [await g.hidden!.data(), await all[i].hidden!.data()];
      where.forEach((j, n) => {
        for (let k = 0; k < config.width; k++)
          near(Number(mine[n * config.width + k]), Number(full[j * config.width + k]), `state at token ${j}`, 1e-5);
      });
      count += where.length;
      assert.deepEqual(none[i].tokens, g.tokens);
      assert.deepEqual(none[i].hidden!.shape, [0, config.width]);
    }
    assert.ok(count > 5 && count < all.flatMap((g) => g.tokens).length, 'some tokens are chosen, and some are not');
  });

  describe('media in prompts', () => {
    const noise = new Random(6, 'media');
    const vectors = (k: number): Float32Array => noise.normals(k * config.width).map((x) => x / 5);

    /** What the model without a cache says of a prompt whose embeddings are replaced, then of the new tokens. */
    async function withMedia({ params }: LlamaModel, prompt: Exclude<Prompt, readonly number[]>, tokens: number[]) {
      const ids = [...prompt.ids, ...tokens];
      const { width } = config;
      const table = (await params.model.embed_tokens.weight.data()) as Float32Array;
      const x = new Float32Array(ids.length * width);
      ids.forEach((id, i) => x.set(table.subarray(id * width, (id + 1) * width), i * width));
      for (const { at, embeddings } of prompt.media ?? [])
        x.set(
          embeddings instanceof Float32Array ? embeddings : ((await embeddings.data()) as Float32Array),
          at * width,
        );
      const run = jit((p: LlamaModel['params'], embeddings: Tensor) =>
        llamaLogits(p, llamaHidden(p, config, { embeddings })).logSoftmax(-1),
      );
      const out = await run(params, tensor(x, { shape: [1, ids.length, width] }));
      const flat = (await out.data()) as Float32Array;
      return ids.map((_, i) => flat.slice(i * config.vocabSize, (i + 1) * config.vocabSize));
    }

    const prompts: Exclude<Prompt, readonly number[]>[] = [
      { ids: promptOf(12), media: [{ at: 2, embeddings: vectors(8) }] },
      { ids: promptOf(5) },
      {
        ids: promptOf(30),
        media: [
          { at: 20, embeddings: tensor(vectors(8), { shape: [8, config.width] }) },
          { at: 0, embeddings: vectors(3) },
        ],
      },
      { ids: promptOf(8), media: [{ at: 0, embeddings: vectors(8) }] },
    ];
    const options = { temperature: 0.8, seed: 3, maxNewTokens: 20 };

    it('the vectors replace the embeddings of their slots, as in the model without a cache', async () => {
      const model = await modelOf(config);
      const out = await generate(model, prompts, options);
      for (const [i, g] of out.entries()) {
        const expected = await withMedia(model, prompts[i], g.tokens);
        g.tokens.forEach((t, j) =>
          near(g.logProbs[j], expected[prompts[i].ids.length - 1 + j][t], `row ${i}, token ${j}`),
        );
        const { logProbs } = await recompute(model, [...prompts[i].ids, ...g.tokens]);
        const difference = Math.abs(logProbs[prompts[i].ids.length - 1][g.tokens[0]] - g.logProbs[0]);
        assert.equal(difference > 1e-3, !!prompts[i].media, `row ${i}: media change what follows`);
      }
    });

    it('a row with media depends on neither its batch nor its place; without any, ids alone are the same', async () => {
      const model = await modelOf(config);
      const all = await generate(model, prompts, options);
      for (const [i, prompt] of prompts.entries()) {
        const [alone] = await generate(model, [prompt], { ...options, streams: [i] });
        assert.deepEqual(alone.tokens, all[i].tokens);
        alone.logProbs.forEach((x, j) => near(x, all[i].logProbs[j], 'log-probability'));
      }
      assert.deepEqual(
        await generate(model, [prompts[1].ids], options),
        await generate(model, [{ ids: prompts[1].ids, media: [] }], options),
      );
    });

    it('names what is wrong with media', async () => {
      const model = await modelOf(config);
      const fails = (media: { at: number; embeddings: Float32Array | Tensor }[], message: RegExp, type: unknown) =>
        assert.rejects(generate(model, [{ ids: [1, 2, 3], media }]), (e: Error) => {
          assert.match(e.message, message);
          return e instanceof (type as typeof ArgumentError);
        });
      await fails([{ at: 0, embeddings: new Float32Array(33) }], /media of prompt 0 .* got 33 values/, ShapeError);
      const wide = tensor(new Float32Array(64), { shape: [1, 64] });
      await fails([{ at: 0, embeddings: wide }], /got float32 \[1, 64\]/, ShapeError);
      await fails([{ at: 2, embeddings: vectors(2) }], /inside its 3 tokens, got 2 vectors at 2/, ArgumentError);
      await fails([{ at: -1, embeddings: vectors(2) }], /got 2 vectors at -1/, ArgumentError);
      const twice = [
        { at: 0, embeddings: vectors(2) },
        { at: 1, embeddings: vectors(1) },
      ];
      await fails(twice, /do not overlap, got two at position 1/, ArgumentError);
    });
  });

  it("a constraint restricts what follows; log-probabilities stay the model's", async () => {
    const model = await modelOf(config);
    const prompts = [5, 9].map(promptOf);
    // Row 0: every other token is one of 7, 9, 11; row 1 is free.
    const constraint = (row: number, tokens: readonly number[]): number[] | null =>
      row === 0 && tokens.length % 2 ? [11, 7, 9] : null;
    const options = { seed: 5, maxNewTokens: 24, temperature: 1.5 };
    const [bound, free] = await generate(model, prompts, { ...options, constraint });
    const [, unbound] = await generate(model, prompts, options);
    assert.deepEqual(free.tokens, unbound.tokens);
    assert.ok(bound.tokens.every((t, i) => i % 2 === 0 || [7, 9, 11].includes(t)));
    assert.ok(new Set(bound.tokens.filter((_, i) => i % 2)).size > 1, 'it still draws');
    const { logProbs } = await recompute(model, [...prompts[0], ...bound.tokens]);
    bound.tokens.forEach((t, i) => near(bound.logProbs[i], logProbs[4 + i][t], `token ${i}`));
    const greedy = await generate(model, [prompts[0]], { temperature: 0, maxNewTokens: 4, constraint: () => [4, 20] });
    const one = await recompute(model, [...prompts[0], ...greedy[0].tokens]);
    greedy[0].tokens.forEach((t, i) => assert.equal(t, one.logProbs[4 + i][4] >= one.logProbs[4 + i][20] ? 4 : 20));
    for (const bad of [[], [29], [0.5]])
      await assert.rejects(generate(model, [prompts[0]], { constraint: () => bad }), /a constraint to allow token ids/);
  });

  it('streams tokens step by step, rows in order', async () => {
    const model = await modelOf(config);
    const events: TokenEvent[] = [];
    const out = await generate(model, [3, 9, 4].map(promptOf), {
      maxNewTokens: 5,
      seed: 2,
      onToken: (e) => events.push(e),
    });
    assert.deepEqual(
      events.map((e) => [e.index, e.row]),
      [0, 1, 2, 3, 4].flatMap((index) => [0, 1, 2].map((row) => [index, row])),
    );
    for (const e of events) {
      assert.equal(e.token, out[e.row].tokens[e.index]);
      assert.equal(e.logProb, out[e.row].logProbs[e.index]);
    }
  });

  it('stops between two steps when its signal is aborted, and works again afterwards', async () => {
    const model = await modelOf(config);
    const controller = new AbortController();
    let seen = 0;
    const cut = generate(model, [promptOf(4)], {
      signal: controller.signal,
      onToken: () => {
        if (++seen === 3) controller.abort();
      },
    });
    await assert.rejects(cut, CancelledError);
    assert.equal(seen, 3);
    await assert.rejects(
      generate(model, [promptOf(4)], {
        onToken: () => {
          throw new Error('enough');
        },
      }),
      /enough/,
    );
    assert.equal((await generate(model, [promptOf(4)], { maxNewTokens: 2 }))[0].tokens.length, 2);
  });

  it('does the same on the second engine', async () => {
    const model = await modelOf({ ...config, kvHeads: 2 });
    const prompts = [4, 20].map(promptOf);
    const options = { temperature: 0, maxNewTokens: 20 };
    const [onCpu, onTfjs] = [
      await generate(model, prompts, options),
      await generate(model, prompts, { ...options, device: 'tfjs' }),
    ];
    for (const [i, g] of onTfjs.entries()) {
      assert.deepEqual(g.tokens, onCpu[i].tokens);
      g.logProbs.forEach((x, j) => near(x, onCpu[i].logProbs[j], 'log-probability'));
    }
  });

  it('a frozen model says the same, with its adapter added to the weights', async () => {
    const base = await modelOf(config);
    const lora = { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'] };
    const noise = new Random(2, 'lora');
    const adapter = loraInit(noise, base.params, lora);
    for (const path of Object.keys(adapter)) adapter[path].B = normal(noise, adapter[path].B.shape, 1);
    const model = { config, params: withLora(base.params, adapter, lora) };
    const frozen = await freeze(model);
    const prompts = [5, 12, 9].map(promptOf);
    const wanted = { maxNewTokens: 30, hidden: [1, 2, 3], seed: 2 };
    for (const options of [{ temperature: 0 }, { temperature: 0.9, topP: 0.95 }]) {
      const [loose, fixed] = [
        await generate(model, prompts, { ...options, ...wanted }),
        await generate(frozen, prompts, { ...options, ...wanted }),
      ];
      for (const [i, g] of fixed.entries()) {
        assert.deepEqual([g.tokens, g.finish, g.hiddenAt], [loose[i].tokens, loose[i].finish, loose[i].hiddenAt]);
        g.logProbs.forEach((x, j) => near(x, loose[i].logProbs[j], 'log-probability'));
        if (options.temperature === 0) await checkGreedy(model, prompts[i], { ...g, hidden: undefined });
      }
    }
    // Several greedy tokens come from one run; rows that end within it end there, and the events keep their order.
    const [free] = await generate(model, prompts, { temperature: 0, maxNewTokens: 45 });
    const events: TokenEvent[] = [];
    const ends = { temperature: 0, maxNewTokens: 41, stop: [free.tokens[5]] };
    const cut = await generate(frozen, prompts, { ...ends, onToken: (e) => events.push(e) });
    const expected: TokenEvent[] = [];
    const slow = await generate(model, prompts, { ...ends, onToken: (e) => expected.push(e) });
    assert.deepEqual(
      cut.map(({ tokens, finish }) => [tokens, finish]),
      slow.map(({ tokens, finish }) => [tokens, finish]),
    );
    assert.equal(cut[0].finish, 'stop');
    assert.deepEqual(
      events.map((e) => [e.row, e.index, e.token]),
      expected.map((e) => [e.row, e.index, e.token]),
    );
    const long = await generate(frozen, [promptOf(90), promptOf(3)], { temperature: 0 });
    assert.deepEqual(
      long.map((g) => [g.tokens.length, g.finish]),
      [
        [6, 'max-length'],
        [93, 'max-length'],
      ],
    );
    const [unadapted] = await generate(base, prompts, { temperature: 0, ...wanted });
    assert.notDeepEqual((await generate(frozen, prompts, { temperature: 0, ...wanted }))[0].tokens, unadapted.tokens);
    await assert.rejects(generate(frozen, prompts, { device: 'tfjs' }), /device unset, .* got tfjs/);
    frozen.release();
    assert.equal((await generate(frozen, prompts, { maxNewTokens: 2 }))[0].tokens.length, 2);
    frozen.release();
    const weight = tensor(new Float32Array(29 * 32).fill(Infinity), { shape: [29, 32] });
    const broken = { config, params: { ...base.params, lm_head: { weight } } };
    await assert.rejects(freeze(broken), (e: Error) => e instanceof NonFiniteError && /lm_head.weight/.test(e.message));
  });

  it('takes no prompts at all', async () => {
    assert.deepEqual(await generate(await modelOf(config), []), []);
  });

  it('names what is wrong with options and prompts', async () => {
    const model = await modelOf(config);
    const fails = (options: object, message: RegExp, prompts: number[][] = [[1]]): Promise<void> =>
      assert.rejects(
        generate(model, prompts, options),
        (e: Error) => e instanceof ArgumentError && message.test(e.message),
      );
    await fails({ temperature: -1 }, /generate: expected temperature >= 0, got -1/);
    await fails({ temperature: NaN }, /got NaN/);
    await fails({ topP: 0 }, /topP in \(0, 1\], got 0/);
    await fails({ topP: 1.01 }, /got 1.01/);
    await fails({ topK: 0 }, /topK to be a positive integer, got 0/);
    await fails({ maxNewTokens: 0 }, /maxNewTokens/);
    await fails({ maxLength: 97 }, /maxLength to be an integer from 1 to the model's 96, got 97/);
    await fails({ streams: ['a', 'b'] }, /a stream name for each of 1 prompts, got 2/);
    await fails({ seed: -1 }, /seed/);
    await fails({ hidden: [29] }, /hidden to hold token ids in \[0, 29\), got 29/);
    await fails({}, /prompt 1 to have at least one token/, [[1], []]);
    await fails({}, /prompt 0 to have at most 96 tokens \(maxLength\), got 97/, [promptOf(97)]);
    await fails({}, /token ids in \[0, 29\), got 29/, [[29]]);
  });

  it('a model that gives NaN is an error', async () => {
    const { params } = await modelOf(config);
    const broken = { ...params, lm_head: { weight: tensor(new Float32Array(29 * 32).fill(NaN), { shape: [29, 32] }) } };
    await assert.rejects(generate({ params: broken, config }, [[1, 2]]), NonFiniteError);
    await assert.rejects(generate({ params: broken, config }, [[1, 2]], { temperature: 0 }), NonFiniteError);
  });
});

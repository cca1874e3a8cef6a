/** `omnilab omni-bench` and its score: scripted and tiny models, a server on this machine, interruptions, workers. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { omniBenchCommand } from '../../lib/cli/omni-bench';
import type { OmniBenchOptions } from '../../lib/cli/omni-bench-work';
import { main } from '../../lib/cli/program';
import { answerIn, modelBackend, predictShard, readPredictions, taskOf } from '../../lib/eval/omni-bench';
import type { Prediction } from '../../lib/eval/omni-bench';
import { CancelledError } from '../../lib/errors';
import { chatCompletion, ServerError } from '../../lib/generate/openai';
import { scriptedModel } from '../generate/scripted-interleaved';
import { saveTiny } from '../generate/tiny-omni-r1';

const data = path.join(process.cwd(), 'tests/goldens/data/omni-bench');
const file = (name: string): string => path.join(data, `${name}.parquet`);

/** A server of the protocol: `answer` gets each request and its number; null never answers. */
async function serve(
  answer: (
    body: Record<string, unknown>,
    n: number,
  ) => [status: number, body: unknown, headers?: Record<string, string>] | null,
) {
  const seen: { body: Record<string, unknown>; headers: http.IncomingHttpHeaders }[] = [];
  const server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      const n = seen.push({ body, headers: request.headers });
      const reply = answer(body, n);
      if (!reply) return;
      response.writeHead(reply[0], { 'content-type': 'application/json', ...reply[2] });
      response.end(typeof reply[1] === 'string' ? reply[1] : JSON.stringify(reply[1]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen, close };
}
const says = (content: string): unknown => ({ choices: [{ message: { role: 'assistant', content } }] });

describe('omnilab omni-bench', () => {
  let dir: string;
  beforeEach(() => (dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))));
  afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

  const records = (): Prediction[] =>
    fs.readFileSync(path.join(dir, 'preds.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Prediction); // prettier-ignore
  async function run(options: Partial<OmniBenchOptions> = {}, model = scriptedModel(5000)) {
    let printed = '';
    const all: OmniBenchOptions = {
      parquetPath: file('text'),
      modelPath: 'm',
      outputDir: dir,
      outfile: 'preds.jsonl',
      questionCol: 'question',
      imageCol: 'image',
      answerCol: 'answer',
      tltsToken: '<TLTS>',
      maxNewTokens: 200,
      temperature: 1,
      topP: 0.9,
      dtype: 'bfloat16',
      tpSize: 1,
      mmImagesPerPrompt: 1,
      autoInsert: true,
      autoRemove: true,
      batchSize: 4,
      seed: 0,
      flushEvery: 1,
      fsyncEvery: 0,
      generationMode: 'unrestricted',
      badImages: 'error',
      devices: 'cpu',
      backend: 'local',
      apiKeyEnv: 'OMNILAB_TEST_KEY',
      timeout: 5,
      retries: 2,
      concurrency: 3,
      ...options,
    };
    const terminal = { out: (text: string) => void (printed += text), err: (text: string) => void (printed += text) };
    const status = await omniBenchCommand(all, terminal, () => Promise.resolve(model));
    return { status, printed, model };
  }
  const command = async (...args: string[]): Promise<[status: number, text: string]> => {
    let text = '';
    const status = await main(args, { out: (t) => void (text += t), err: (t) => void (text += t) });
    return [status, text];
  };

  it('predicts every row in the released format; a damaged row is its own error', async () => {
    const { status, printed, model } = await run();
    assert.equal(status, 0);
    assert.match(printed, /12 rows written \(3 with errors\), 0 there before/);
    const rows = records();
    assert.deepEqual(Object.keys(rows[0]), ['index', 'source', 'dataset', 'local_index', 'raw', 'prediction']);
    assert.deepEqual(rows.map(({ index }) => index).sort((a, b) => a - b), rows.map((_, i) => i)); // prettier-ignore
    assert.match(rows.find(({ index }) => index === 0)!.prediction, /^THOUGHT <image_0>Final Answer: \d<\/s>$/);
    assert.match(rows.find(({ index }) => index === 9)!.prediction, /^<ERROR: FormatError: .+>$/);
    assert.equal(rows[0].raw._gt_answer, rows[0].raw.answer);
    assert.ok(!('image' in rows[0].raw));
    assert.equal(model.calls[0].length, 4);
    assert.match(model.calls[0][0], /^<s>You are a helpful assistant\.\nUser: <21><13>.*Think with images first/);
  });

  it('goes on where it was: no row twice, cut lines mended, errors again if asked', async () => {
    await run();
    const all = fs.readFileSync(path.join(dir, 'preds.jsonl'), 'utf8').split('\n');
    // As a killed run leaves it: five rows, the sixth cut off.
    fs.writeFileSync(path.join(dir, 'preds.jsonl'), `${all.slice(0, 5).join('\n')}\n${all[5].slice(0, 40)}`);
    const again = await run();
    assert.match(again.printed, /7 rows written .* 5 there before/);
    assert.equal(new Set(records().map(({ local_index }) => local_index)).size, 12);
    assert.equal(records().length, 12);
    const untouched = fs.statSync(path.join(dir, 'preds.jsonl')).ino;
    const third = await run();
    assert.match(third.printed, /0 rows written .* 12 there before/);
    assert.equal(third.model.calls.length, 0);
    assert.equal(fs.statSync(path.join(dir, 'preds.jsonl')).ino, untouched);
    const retried = await run({ retryErrors: true, badImages: 'drop' });
    assert.match(retried.printed, /3 rows written \(0 with errors\), 9 there before/);
    assert.equal(records().length, 12);
  });

  it('folders, files that cannot be read, pictures that are too many, a batch that fails', async () => {
    const { status, printed } = await run({ parquetPath: data, badImages: 'drop' });
    assert.equal(status, 1);
    assert.match(printed, /not read: .*cut-off\.parquet/);
    const rows = records();
    assert.match(
      rows.find((r) => r.source === 'list.parquet' && r.local_index === 0)!.prediction,
      /at most 1 a prompt, got 2/,
    );
    assert.equal(rows.filter(({ source }) => source === 'questions.parquet').length, 4);
    assert.equal(rows.filter(({ index }) => index < 0).length, 3 + 12 + 1);
    fs.rmSync(path.join(dir, 'preds.jsonl'));
    const model = scriptedModel(5000);
    model.generate = () => Promise.reject(new TypeError('out of memory'));
    await run({ parquetPath: file('binary') }, model);
    assert.equal(records().filter(({ prediction }) => prediction === '<ERROR: TypeError: out of memory>').length, 4);
    await run({ parquetPath: file('text'), outfile: 'short.jsonl' }, scriptedModel(60));
    assert.match(fs.readFileSync(path.join(dir, 'short.jsonl'), 'utf8'), /fewer than 60 tokens/);
  });

  it('--backend openai: pictures in their places, retries, refusals, time-outs, the key from the environment', async () => {
    process.env.OMNILAB_TEST_KEY = 'secret';
    const failures: Record<number, [number, unknown, Record<string, string>?]> = {
      1: [429, 'slow down', { 'retry-after': '0' }],
      2: [503, 'busy'],
    };
    const server = await serve(({ messages, model }, n) => {
      const text = JSON.stringify([messages, model]);
      if (text.includes('A GIF?')) return [400, { error: 'no GIF' }];
      if (text.includes('never')) return null;
      return failures[n] ?? [200, says(' Final Answer: 5 ')];
    });
    try {
      const { printed, status } = await run({
        backend: 'openai',
        baseUrl: `${server.url}/`,
        timeout: 120,
        retries: 2,
        extraBody: { skip_special_tokens: false, seed: null },
      });
      assert.equal(status, 0);
      assert.match(printed, /12 rows written \(4 with errors\)/);
      const rows = records();
      assert.equal(rows.find(({ index }) => index === 0)!.prediction, 'Final Answer: 5');
      assert.match(
        rows.find(({ index }) => index === 8)!.prediction,
        /^<ERROR: ServerError: .*expected status 200, got 400/,
      );
      assert.equal(server.seen[0].headers.authorization, 'Bearer secret');
      assert.ok(!fs.readFileSync(path.join(dir, 'preds.jsonl'), 'utf8').includes('secret'));
      const asked = server.seen.find(({ body }) => JSON.stringify(body).includes('What?'))!.body as { messages: { content: { type: string; text?: string; image_url?: { url: string } }[] }[]; max_tokens: number }; // prettier-ignore
      assert.deepEqual(asked.messages[0].content.map(({ type }) => type), ['text', 'image_url', 'text']); // prettier-ignore
      assert.match(asked.messages[0].content[1].image_url!.url, /^data:image\/png;base64,iVBOR/);
      assert.equal(asked.max_tokens, 200);
      assert.ok('skip_special_tokens' in asked && !('seed' in asked));
      assert.equal(server.seen.filter(({ body }) => JSON.stringify(body).includes('A GIF?')).length, 1);
      const silent = { baseUrl: server.url, timeoutSeconds: 0.3, retries: 1, waitSeconds: 0.01 };
      const before = server.seen.length;
      await assert.rejects(chatCompletion({ model: 'never', messages: [] }, silent), /no answer in 0\.3 s/);
      assert.ok(server.seen.length - before <= 2);
    } finally {
      await server.close();
      delete process.env.OMNILAB_TEST_KEY;
    }
    await assert.rejects(
      chatCompletion({ model: 'm', messages: [] }, { baseUrl: server.url, retries: 0 }),
      (error: Error) => error instanceof ServerError && /ECONNREFUSED|connect|closed/.test(error.message),
    );
  });

  it('a run that is stopped loses nothing, and writes no row that it has not done', async () => {
    const controller = new AbortController();
    const model = scriptedModel(5000);
    const place = file('text');
    const options = { questionCol: 'question', imageCol: 'image', answerCol: 'answer', tltsToken: '<TLTS>', skipIfNoImage: false, plainPrompt: false, autoInsert: true, autoRemove: true, badImages: 'drop' as const }; // prettier-ignore
    const sampling = { maxNewTokens: 9, temperature: 0, topP: 1, seed: 0, imagesPerPrompt: 5 };
    const shard = { files: [place], root: place, rows: options, shard: 0, shards: 1, done: new Set<string>() };
    const made: unknown[] = [];
    const all = async (): Promise<void> => {
      for await (const row of predictShard(modelBackend(model, 5, sampling), { ...shard, signal: controller.signal })) {
        made.push(row);
        if (made.length === 5) controller.abort();
      }
    };
    await assert.rejects(all, CancelledError);
    assert.equal(made.length, 5);
    assert.equal(model.calls.length, 1);
  });

  it('score: by rules, by task and as a whole', async () => {
    const lines = [
      { raw: { _gt_answer: '5', task: 'V*' }, prediction: 'THOUGHT Final Answer: 5</s>' },
      { raw: { _gt_answer: '50%', task: 'ChartQA' }, prediction: '<reserved12866>0.5<reserved12867></s>' },
      { raw: { _gt_answer: '5', task: 'ArxivQA' }, prediction: 'Final Answer: 6' },
      { raw: { _gt_answer: '5', task: 'ViC-Bench' }, prediction: '<ERROR: TypeError: x>' },
      {
        raw: { _gt_answer: '\\frac{1}{2}', task: 'MathVista' },
        prediction: 'so \\boxed{\\frac{2}{4}} or \\boxed{0.5}',
      },
      { raw: { task: 'V*' }, prediction: '5' },
    ].map((row, i) => JSON.stringify({ index: i, source: 's', dataset: 'd', local_index: i, ...row }));
    const preds = path.join(dir, 'preds.jsonl');
    fs.writeFileSync(
      preds,
      `${lines.join('\n')}\nbroken\n${lines[0].replace('"V*"', 'NaN, "task":"V*"').replace(': 5<', ': 7<')}\n`,
    );
    const [status, text] = await command('omni-bench', 'score', preds);
    assert.equal(status, 0);
    assert.match(text, /Natural +0\.0 % +0 of +1\n/);
    assert.match(text, /Structured +50\.0 % +1 of +2\n/);
    assert.match(text, /Diagrammatic +100\.0 % +1 of +1\n/);
    assert.match(text, /Vision-Op +0\.0 % +0 of +1 {2}\(1 errors\)\n/);
    assert.match(text, /average +40\.0 % +2 of +5/);
    assert.match(text, /not read: lines 7\n1 rows stand there more than once.*\n1 rows have no right answer/);
    assert.equal((await command('omni-bench', 'score', path.join(dir, 'none.jsonl')))[0], 1);
    assert.equal(readPredictions(preds).duplicates, 1);
  });

  it('score: a judge that fails for one row costs that row only; one that is not there ends it', async () => {
    const preds = path.join(dir, 'preds.jsonl');
    const row = (i: number): string => JSON.stringify({ index: i, source: 's', dataset: 'd', local_index: i, raw: { _gt_answer: 'a', note: 'non-null' }, prediction: `answer ${i}` }); // prettier-ignore
    fs.writeFileSync(preds, Array.from({ length: 14 }, (_, i) => `${row(i)}\n`).join(''));
    const odd: Record<string, [number, unknown]> = { 'answer 2"': [200, 'garbage'], 'answer 5"': [400, 'no'], 'answer 7"': [200, says(['True'] as never)] }; // prettier-ignore
    let down = false;
    const server = await serve(({ messages }) => {
      const key = Object.keys(odd).find((text) => JSON.stringify(messages).includes(text));
      return down ? [400, 'down'] : key ? odd[key] : [200, says('True')];
    });
    try {
      const judge = ['--judge', 'llm', '--base-url', server.url, '--judge-model', 'j', '--concurrency', '1'];
      const [status, text] = await command('omni-bench', 'score', preds, ...judge);
      assert.equal(status, 1);
      assert.match(text, /average +100\.0 % +11 of +11/);
      assert.match(
        text,
        /s row 2: .*garbage[^]*s row 5: .*400[^]*s row 7: .*chat completion[^]*3 rows could not be judged/,
      );
      down = true;
      const asked = server.seen.length;
      assert.equal((await command('omni-bench', 'score', preds, ...judge))[0], 1);
      assert.equal(server.seen.length, asked + 10);
    } finally {
      await server.close();
    }
  });

  it('predictions are read as they were written, however long', () => {
    const preds = path.join(dir, 'preds.jsonl');
    const prediction = 'non-null, -Infinity "NaN"';
    const record = { index: 0, source: 's', dataset: 'd', local_index: 0, raw: { picture: '"\\'.repeat(6_000_000) }, prediction }; // prettier-ignore
    fs.writeFileSync(preds, `${JSON.stringify(record)}\n${JSON.stringify({ ...record, local_index: 1, raw: { x: 'N', y: 'N' } }).replace('"N"', '-Infinity').replace('"N"', 'NaN')}\n`); // prettier-ignore
    const { records: found, bad } = readPredictions(preds);
    assert.deepEqual(bad, []);
    assert.deepEqual(found.map((r) => r.prediction), [prediction, prediction]); // prettier-ignore
    assert.equal((found[0].raw.picture as string).length, 12_000_000);
    assert.deepEqual(found[1].raw, { x: null, y: null });
  });

  it('score: by a language model, which goes on where it was', async () => {
    const preds = path.join(dir, 'preds.jsonl');
    const row = (i: number, prediction: string): string => JSON.stringify({ index: i, source: 's', dataset: 'd', local_index: i, raw: { _gt_answer: 'a red ball', task: 'structured' }, prediction }); // prettier-ignore
    fs.writeFileSync(preds, [row(0, 'the ball is red'), row(1, 'blue'), row(2, ''), ''].join('\n'));
    const verdicts = path.join(dir, 'verdicts.jsonl');
    const server = await serve(({ messages }) => [200, says(JSON.stringify(messages).includes('ball is') ? 'Not false but True.' : 'False')]); // prettier-ignore
    try {
      const judge = ['--judge', 'llm', '--base-url', server.url, '--judge_model', 'j', '--verdicts', verdicts];
      const [, text] = await command('omni-bench', 'score', preds, ...judge);
      assert.match(text, /Structured +33\.3 % +1 of +3/);
      assert.equal(server.seen.length, 2);
      const sent = JSON.stringify(server.seen[0].body);
      assert.ok(sent.includes('a red ball') && !sent.includes('structured'));
      fs.appendFileSync(preds, `${row(3, 'the ball is red')}\n`);
      const [, more] = await command('omni-bench', 'score', preds, ...judge, '--json');
      assert.equal((JSON.parse(more) as { average: { correct: number } }).average.correct, 2);
      assert.equal(server.seen.length, 3);
    } finally {
      await server.close();
    }
    assert.equal((await command('omni-bench', 'score', preds, '--judge', 'llm'))[0], 2);
  });

  it('answers and tasks', () => {
    assert.equal(answerIn('x Final Answer: 5 <reserved12867></s>'), '5');
    assert.equal(answerIn('<reserved12866>Final Answer: b<reserved12867>c'), 'b');
    assert.equal(answerIn('just text <image_0>'), 'just text');
    assert.equal(taskOf({ raw: { data_source: 'Geometry3K' }, dataset: 'x.parquet' }), 'Diagrammatic');
    assert.equal(taskOf({ raw: {}, dataset: 'chartqa.parquet' }), 'Structured');
    assert.equal(taskOf({ raw: { kind: 'other' }, dataset: 'x' }, 'kind'), 'other');
  });

  it('mistakes in the command', async () => {
    assert.match((await command('omni-bench', '--model_path', 'm'))[1], /expected --parquet_path, got none/);
    assert.match((await command('omni-bench', '--model_path', 'm', '--parquet_path', 'no/such'))[1], /no such path/);
    const bench = ['omni-bench', '--model_path', 'm', '--parquet_path', data, '--output_dir', dir];
    assert.match((await command(...bench, '--tp_size', '2'))[1], /--tp_size: expected 1, got 2/);
    assert.match((await command(...bench, '--backend', 'openai'))[1], /--base-url: expected the address/);
  });

  it('a model from a folder, on two devices at once: every row once, the same as on one', async () => {
    const model = path.join(dir, 'model');
    await saveTiny(model);
    const bench = ['omni-bench', '--model_path', model, '--parquet_path', file('text'), '--output_dir', dir, '--plain_prompt', '--max_new_tokens', '24', '--mm_images_per_prompt', '5', '--generation_mode', 'interleaved-text-image']; // prettier-ignore
    const [two, text] = await command(...bench, '--outfile', 'two.jsonl', '--devices', 'cpu,cpu');
    assert.equal(two, 0, text);
    assert.equal((await command(...bench, '--outfile', 'one.jsonl'))[0], 0);
    const byPlace = (name: string) => readPredictions(path.join(dir, name)).records.sort((a, b) => a.local_index - b.local_index); // prettier-ignore
    assert.equal(byPlace('two.jsonl').length, 12);
    assert.deepEqual(byPlace('two.jsonl'), byPlace('one.jsonl'));
    assert.ok(byPlace('one.jsonl').filter(({ prediction }) => prediction.startsWith('<ERROR')).length === 3);
    const [failed, why] = await command(
      ...bench,
      '--outfile',
      'bad.jsonl',
      '--devices',
      'cpu,cpu',
      '--model_path',
      dir,
    );
    assert.equal(failed, 1);
    assert.match(why, /2 workers failed/);
  });
});

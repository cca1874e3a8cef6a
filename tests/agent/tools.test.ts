/** Tools and the executor: calls are read, checked, run with limits, and answered in words. */
import assert from 'node:assert/strict';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import {
  chart,
  codeInterpreter,
  defineTool,
  describeTools,
  encyclopaediaSearch,
  endpointSearch,
  executeCall,
  ToolError,
  toolRegistry,
} from '../../lib/agent';
import type { ChartFigure, ExecutorOptions } from '../../lib/agent';
import { ArgumentError, CancelledError } from '../../lib/errors';
import { plainFigure } from '../../lib/report';
import { evaluationSet, makeEncyclopaedia, parseCall, runCall } from '../../lib/world';

const book = makeEncyclopaedia(0);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('agent: executor', function () {
  let heard: AbortSignal | undefined;
  const tools = toolRegistry([
    encyclopaediaSearch(book),
    codeInterpreter({ timeoutMs: 500 }),
    defineTool({
      name: 'weather',
      description: 'Tells the weather.',
      parameters: z.strictObject({ city: z.string().min(2), days: z.int().max(9).default(1) }),
      run: ({ city, days }) => ({ text: `${city}: sun for ${days} days`, value: { days } }),
    }),
    defineTool({
      name: 'slow',
      description: 'Never ends.',
      parameters: z.object({}),
      async run(_, { signal }) {
        heard = signal;
        await wait(1e5);
        return '';
      },
    }),
    defineTool({
      name: 'fails',
      description: 'Throws.',
      parameters: z.object({ how: z.enum(['at once', 'later', 'for the model', 'nothing']) }),
      run({ how }) {
        if (how === 'at once') throw new Error('broken\nat line 1');
        if (how === 'for the model') throw new ToolError('try another word');
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        if (how === 'nothing') return Promise.reject(undefined);
        return wait(5).then(() => {
          throw new TypeError('broken later');
        });
      },
    }),
    defineTool({ name: 'long', description: 'Says much.', parameters: z.object({}), run: () => 'x'.repeat(5000) }),
    defineTool({
      name: 'untyped',
      description: 'Returns a list.',
      parameters: z.object({}),
      run: () => [1, 2] as unknown as string,
    }),
  ]);
  const call = (json: string, options: ExecutorOptions = {}) =>
    executeCall(json, tools, { timeoutMs: 100, ...options });
  const use = (name: string, args: object, options: ExecutorOptions = {}) =>
    call(JSON.stringify({ name, arguments: args }), options);

  it('gives the results that the data have', async () => {
    let calls = 0;
    for (const { draft } of evaluationSet(book)) {
      if (!draft.call || (calls++ % 9 && draft.call.json.includes('code'))) continue;
      const { ok, result } = await call(draft.call.json);
      assert.ok(ok);
      assert.equal(result, draft.call.result);
      assert.equal(result, runCall(book, parseCall(draft.call.json)));
    }
    assert.ok(calls > 100);
  });

  it('checks calls, and answers bad ones in words', async () => {
    const cases: [string, RegExp | string][] = [
      // As the data have it.
      ['{"name":"web_search","arguments":{"query":"a"', 'error: the call is not valid JSON'],
      ["{'name':'web_search'}", 'error: the call is not valid JSON'],
      ['', 'error: the call is not valid JSON'],
      ['null', 'error: the call has no name'],
      ['[1]', 'error: the call has no name'],
      ['{"name":5,"arguments":{}}', 'error: the call has no name'],
      ['{"name":"weather"}', 'error: the arguments are not an object'],
      ['{"name":"weather","arguments":[]}', 'error: the arguments are not an object'],
      ['{"name":"teleport","arguments":{}}', 'error: no tool is named teleport'],
      ['{"name":"__proto__","arguments":{}}', 'error: no tool is named __proto__'],
      ['{"name":"toString","arguments":{}}', 'error: no tool is named toString'],
      ['{"name":"web_search","arguments":{}}', 'error: web_search needs query'],
      ['{"name":"web_search","arguments":{"query":5}}', /^error: web_search: query: .*string/],
      ['{"name":"web_search","arguments":{"query":"  "}}', /^error: web_search: query: /],
      ['{"name":"web_search","arguments":{"query":"a","page":2}}', /^error: web_search: .*page/],
      ['{"name":"code_interpreter","arguments":{}}', 'error: code_interpreter needs code'],
      ['{"name":"code_interpreter","arguments":{"code":"let"}}', /^error: SyntaxError/],
      ['{"name":"code_interpreter","arguments":{"code":"for(;;);"}}', /^error: the program was stopped after 0.5 s/],
      ['{"name":"code_interpreter","arguments":{"code":""}}', /^error: no value/],
      ['{"name":"weather","arguments":{"city":"Ur","days":1.5}}', /^error: weather: days: /],
      ['{"name":"weather","arguments":{"city":"X"}}', /^error: weather: city: /],
    ];
    for (const [json, expected] of cases) {
      const { ok, result } = await call(json);
      assert.equal(ok, false, json);
      if (typeof expected === 'string') assert.equal(result, expected);
      else assert.match(result, expected, json);
      assert.doesNotMatch(result, /\n/);
    }
  });

  it('runs tools of its user', async () => {
    const { name, arguments: args, ok, result, value } = await use('weather', { city: 'Ur' });
    assert.deepEqual(
      [name, args, ok, result, value],
      ['weather', { city: 'Ur' }, true, 'Ur: sun for 1 days', { days: 1 }],
    );
    assert.deepEqual([(await use('untyped', {})).result, (await use('untyped', {})).value], ['[1,2]', [1, 2]]);
  });

  it('turns what a tool throws into words', async () => {
    assert.equal((await use('fails', { how: 'at once' })).result, 'error: fails failed: broken');
    assert.equal((await use('fails', { how: 'later' })).result, 'error: fails failed: broken later');
    assert.equal((await use('fails', { how: 'for the model' })).result, 'error: try another word');
    assert.equal((await use('fails', { how: 'nothing' })).result, 'error: fails failed: undefined');
  });

  it('answers in words whatever a tool of its user throws, returns or waits for', async () => {
    const ring: { self?: object } = {};
    ring.self = ring;
    const strange = new Error('x');
    Object.defineProperty(strange, 'message', {
      get() {
        throw new Error('no');
      },
    });
    const thrower = (what: unknown) => () => {
      throw what;
    };
    const cases: [run: () => unknown, ok: boolean, result: RegExp][] = [
      [thrower(Object.create(null)), false, /^error: odd failed, and what it threw cannot be shown$/],
      [thrower(strange), false, /cannot be shown/],
      [thrower(new Proxy({}, { getPrototypeOf: thrower(1) })), false, /cannot be shown/],
      [thrower(Symbol('s')), false, /^error: odd failed: Symbol\(s\)$/],
      [thrower(new ToolError('')), false, /^error: no reason was given$/],
      [thrower(new ToolError('\nsecond line')), false, /^error: second line$/],
      [() => new Promise(() => undefined), false, /^error: odd took longer than 0.1 s$/],
      [() => ({ then: () => undefined }), false, /took longer/],
      [() => ring, false, /^error: odd failed: .*circular/],
      [() => ({ n: 1n }), false, /^error: odd failed: .*BigInt/],
      [() => ({ toJSON: () => undefined }), true, /^undefined$/],
      [() => 5n, true, /^5$/],
      [() => undefined, true, /^undefined$/],
    ];
    for (const [run, ok, result] of cases) {
      const tool = defineTool({ name: 'odd', description: '', parameters: z.object({}), run: run as () => string });
      const made = await executeCall('{"name":"odd","arguments":{}}', toolRegistry([tool]), { timeoutMs: 100 });
      assert.deepEqual([made.ok, result.test(made.result)], [ok, true], made.result);
    }
    // What a schema waits for is under the same limit, and what it throws is told as well.
    for (const [check, result] of [
      [() => new Promise<boolean>(() => undefined), 'error: odd took longer than 0.1 s'],
      [thrower(new Error('a bad rule')), 'error: odd failed: a bad rule'],
    ] as const) {
      const parameters = z.object({}).refine(check);
      const tool = defineTool({ name: 'odd', description: '', parameters, run: () => 'done' });
      const made = await executeCall('{"name":"odd","arguments":{}}', toolRegistry([tool]), { timeoutMs: 100 });
      assert.equal(made.result, result);
    }
  });

  it('limits time, length, and which tools', async () => {
    const slow = await use('slow', {}, { timeoutMs: 30 });
    assert.equal(slow.result, 'error: slow took longer than 0.03 s');
    assert.ok(heard!.aborted, 'the tool is told');
    const long = await use('long', {}, { maxResult: 10 });
    assert.equal(long.result, 'xxxxxxxxxx... (5000 characters)');
    const barred = await use('weather', { city: 'Ur' }, { allowed: ['web_search', 'slow'] });
    assert.equal(barred.result, 'error: weather may not be called here; allowed: web_search, slow');
    assert.match((await use('weather', { city: 'Ur' }, { allowed: [] })).result, /allowed: none/);
  });

  it("ends at the user's signal, and only then throws", async () => {
    const controller = new AbortController();
    const running = use('slow', {}, { timeoutMs: 1e5, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await assert.rejects(running, CancelledError);
    assert.ok(heard!.aborted);
    await assert.rejects(use('weather', { city: 'Ur' }, { signal: controller.signal }), CancelledError);
    const program = new AbortController();
    const looping = use('code_interpreter', { code: 'for (;;);' }, { timeoutMs: 1e5, signal: program.signal });
    setTimeout(() => program.abort(), 20);
    await assert.rejects(looping, CancelledError);
    assert.equal((await use('code_interpreter', { code: '1' }, { timeoutMs: 20_000 })).result, '1');
  });

  it('refuses names and schemas that cannot be used', () => {
    const tool = (name: string) => ({ name, description: '', parameters: z.object({}), run: () => '' });
    assert.throws(() => toolRegistry([tool('a'), tool('a')]), ArgumentError);
    for (const name of ['', 'a b', '<ACT>', 'a'.repeat(65), '1a'])
      assert.throws(() => defineTool(tool(name)), ArgumentError);
    assert.throws(() => defineTool({ ...tool('a'), parameters: {} as never }), /schema of zod 4/);
    assert.throws(() => defineTool({ ...tool('a'), run: undefined as never }), /to be a function, got undefined/);
    assert.throws(() => defineTool(null as never), ArgumentError);
    // Node's timers fire at once where they are given more than they can count.
    for (const timeoutMs of [0, -1, NaN, Infinity, 1e12])
      assert.throws(() => defineTool({ ...tool('a'), timeoutMs }), ArgumentError, String(timeoutMs));
  });

  it('refuses time limits that no timer keeps', async () => {
    for (const timeoutMs of [0, NaN, Infinity, 1e12])
      await assert.rejects(use('weather', { city: 'Ur' }, { timeoutMs }), ArgumentError, String(timeoutMs));
  });

  it('describes tools for models that read about them', () => {
    const text = describeTools(tools.values());
    assert.match(text, /- weather: Tells the weather\. Arguments: .*"city":\{"type":"string","minLength":2\}/);
    assert.match(text, /<TOOL_CALL>\{"name"/);
  });
});

describe('agent: web_search over HTTP', () => {
  let server: http.Server;
  let answer: (request: http.IncomingMessage, response: http.ServerResponse) => void;
  let base = '';
  before((done) => {
    server = http.createServer((request, response) => answer(request, response));
    server.listen(0, '127.0.0.1', () => {
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      done();
    });
  });
  after((done) => {
    server.closeAllConnections();
    server.close(done);
  });

  const search = async (limit?: number, timeoutMs = 5000) => {
    const tool = endpointSearch(
      { url: `${base}/find?q={query}&format=json`, headers: { 'x-key': 'abc' }, timeoutMs },
      { limit },
    );
    return executeCall('{"name":"web_search","arguments":{"query":"a&b c"}}', toolRegistry([tool]));
  };
  const json = (value: unknown) => (_: http.IncomingMessage, response: http.ServerResponse) =>
    void response.setHeader('content-type', 'application/json').end(JSON.stringify(value));

  it('sends the query and gives the best results', async () => {
    let seen: http.IncomingMessage | undefined;
    const results = [
      { title: 'First', content: 'one', url: 'x' },
      { title: 'Second', snippet: 'two' },
      { text: 'three' },
    ];
    answer = (request, response) => {
      seen = request;
      json({ query: 'a', results })(request, response);
    };
    assert.equal((await search()).result, 'First: one');
    assert.equal(seen!.url, '/find?q=a%26b%20c&format=json');
    assert.equal(seen!.headers['x-key'], 'abc');
    assert.equal((await search(3)).result, 'First: one\nSecond: two\nthree');
    answer = json({ results: [{ title: null, content: null, text: 'only text' }] });
    assert.equal((await search()).result, 'only text');
    answer = (_, response) => void response.end('\ufeff{"results":[{"text":"marked"}]}');
    assert.equal((await search()).result, 'marked');
    answer = json({ results: [] });
    const half = endpointSearch({ url: `${base}/{query}` });
    assert.ok((await executeCall('{"name":"web_search","arguments":{"query":"\\ud800"}}', toolRegistry([half]))).ok);
    assert.deepEqual([(await search()).ok, (await search()).result], [true, 'nothing found']);
  });

  it('says what is wrong with an endpoint', async () => {
    const told = async (timeoutMs?: number) => {
      const { ok, result } = await search(1, timeoutMs);
      assert.equal(ok, false);
      return result.replace(/127\.0\.0\.1:\d+/, 'host');
    };
    answer = (_, response) => void response.writeHead(503).end();
    assert.equal(await told(), 'error: host answered with status 503');
    answer = (_, response) => void response.end('<html>');
    assert.equal(await told(), 'error: host did not answer with JSON');
    answer = json({ hits: [] });
    assert.match(await told(), /^error: host did not answer with \{"results"/);
    answer = (_, response) => void response.end(JSON.stringify({ results: [{ text: 'x'.repeat(1 << 21) }] }));
    assert.equal(await told(), 'error: host answered with more than 1 MiB');
    answer = () => undefined;
    assert.equal(await told(50), 'error: host did not answer within 0.05 s');
    // A body that never ends counts as well.
    answer = (_, response) => void response.write('{"results": [');
    assert.equal(await told(50), 'error: host did not answer within 0.05 s');
    answer = (_, response) => void response.socket!.destroy();
    assert.match(await told(), /^error: host cannot be reached/);
    const closed = endpointSearch({ url: 'http://127.0.0.1:1/{query}' });
    const { result } = await executeCall('{"name":"web_search","arguments":{"query":"a"}}', toolRegistry([closed]));
    assert.match(result, /^error: 127\.0\.0\.1:1 cannot be reached/);
  });

  it('refuses addresses that are none', () => {
    for (const url of [
      '',
      'example.org/{query}',
      'file:///etc/{query}',
      'https://example.org/search',
      // The model would choose whom is asked.
      'https://{query}/',
      'https://{query}.example.org/',
      'https://example.org:{query}/',
      'https://name:secret@example.org/{query}',
    ])
      assert.throws(() => endpointSearch({ url }), ArgumentError, url);
    const url = 'https://example.org/{query}';
    for (const address of ['https://name:secret@example.org/{query}', 'https://name:secret@example.org/search'])
      assert.throws(
        () => endpointSearch({ url: address }),
        (e: Error) => !/secret/.test(e.message),
      );
    assert.throws(() => endpointSearch({ url, headers: { 'no header': 'x' } }), /expected headers of HTTP/);
    for (const timeoutMs of [0, Infinity, 1e12]) assert.throws(() => endpointSearch({ url, timeoutMs }), ArgumentError);
    for (const limit of [0, -1, 1.5, NaN]) {
      assert.throws(() => endpointSearch({ url }, { limit }), ArgumentError);
      assert.throws(() => encyclopaediaSearch(book, { limit }), ArgumentError);
    }
  });
});

describe('agent: chart', () => {
  const tools = toolRegistry([chart()]);
  const draw = (args: object) => executeCall(JSON.stringify({ name: 'chart', arguments: args }), tools);

  it('makes figures of each kind', async () => {
    for (const kind of ['bar', 'line', 'scatter', 'pie']) {
      const { result, value } = await draw({ kind, x: ['a', 'b'], y: [1, 2.5], title: 'Yield', y_title: 't' });
      assert.equal(result, `made a ${kind} chart of 2 values: Yield`);
      const figure = plainFigure(value as ChartFigure);
      const [trace] = figure.data as {
        type: string;
        x?: string[];
        labels?: string[];
        y?: number[];
        values?: number[];
      }[];
      assert.equal(trace.type, kind === 'line' ? 'scatter' : kind);
      assert.deepEqual(
        [trace.x ?? trace.labels, trace.y ?? trace.values],
        [
          ['a', 'b'],
          [1, 2.5],
        ],
      );
    }
    const { result, value } = await draw({
      kind: 'line',
      x: [2016, 2017],
      y: [
        { name: 'wheat', values: [1, null] },
        { name: 'tea', values: [3, 4] },
      ],
    });
    assert.equal(result, 'made a line chart of 2 series of 2 values');
    assert.deepEqual(
      (value as { data: { name: string }[] }).data.map((t) => t.name),
      ['wheat', 'tea'],
    );
  });

  it('refuses data that fit no figure', async () => {
    const cases: [object, RegExp][] = [
      [{ kind: 'bar', x: ['a'], y: [1, 2] }, /y: expected 1 values, got 2/],
      [{ kind: 'line', x: [1], y: [{ name: 'n', values: [] }] }, /^error: chart: /],
      [{ kind: 'pie', x: ['a', 'b'], y: [1, -1] }, /a pie takes one series/],
      [{ kind: 'sphere', x: [1], y: [1] }, /kind/],
      [{ x: [1], y: [1] }, /chart needs kind/],
      [{ kind: 'bar', x: [], y: [] }, /^error: chart: /],
      [{ kind: 'bar', x: ['a'], y: ['b'] }, /^error: chart: /],
    ];
    for (const [args, message] of cases) assert.match((await draw(args)).result, message);
  });
});

/** The sandbox: what programs give, and what becomes of hostile ones. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Sandbox } from '../../lib/agent';
import type { FailureKind } from '../../lib/agent';
import { CancelledError, OmniError } from '../../lib/errors';
import { Random } from '../../lib/nn/random';
import { runJavaScript, Wording } from '../../lib/world';
import { drawSum, programFor } from '../../lib/world/sums';

describe('agent: sandbox', function () {
  const sandbox = new Sandbox({ timeoutMs: 400 });
  const patient = new Sandbox({ timeoutMs: 20_000 });
  after(() => Promise.all([sandbox.close(), patient.close()]));

  const value = async (code: string): Promise<string | null> => {
    const outcome = await patient.run(code);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.value;
  };

  it('gives the value of the last expression as text', async () => {
    const cases: [string, string | null][] = [
      ['1 + 1', '2'],
      ['let s = 0; for (const x of [1, 2, 3]) s += x; s', '6'],
      ['0.1 + 0.2', '0.30000000000000004'],
      ['-0', '0'],
      ['2n ** 70n', '1180591620717411303424'],
      ['"a" + 1', 'a1'],
      ['({ a: [1, null], b: 5n })', '{"a":[1,null],"b":"5"}'],
      ['new Map([[1, new Set([2])]])', '[[1,[2]]]'],
      ['const o = {}; o.o = o; o', '[object]'],
      ['x => x', '[function]'],
      ['null', 'null'],
      ['undefined', null],
      ['', null],
      ['Promise.resolve(2).then((x) => x + 1)', '3'],
      ['(async () => { let s = 0; for (const x of [1, 2]) s += await x; return s })()', '3'],
    ];
    for (const [code, expected] of cases) assert.equal(await value(code), expected, code);
  });

  it('captures what programs print', async () => {
    const outcome = await patient.run(
      'console.log("a", 1, { b: 2 }); console.error([3]); setTimeoutless: Promise.resolve().then(() => console.log("late")); 4',
    );
    assert.deepEqual(outcome, { ok: true, value: '4', output: 'a 1 {"b":2}\n[3]\nlate' });
  });

  it('draws random numbers from the seed', async () => {
    const program = '[Math.random(), Math.random()]';
    const draw = async (seed: number) => (await patient.run(program, { seed })) as { value: string };
    const [a, b, c] = [await draw(1), await draw(1), await draw(2)];
    assert.equal(a.value, b.value);
    assert.notEqual(a.value, c.value);
    for (const x of JSON.parse(a.value) as number[]) assert.ok(x >= 0 && x < 1);
  });

  it("agrees with the world's own interpreter on random programs", async () => {
    const random = new Random(3, 'programs');
    for (let i = 0; i < 60; i++) {
      const program = programFor(drawSum(random), new Wording(random));
      const expected = runJavaScript(program);
      assert.ok(expected.ok);
      assert.equal(await value(program), expected.value, program);
    }
    // Fractions, large and small numbers are written alike. (What a power of fractions is to the last bit is left to engines.)
    for (let i = 0; i < 20; i++) {
      const [a, b, c] = [random.int(1e6), 1 + random.int(1e6), 1 + random.int(1000)];
      const program = `let x = ${a} / ${b}; for (let i = 0; i < ${random.int(90)}; i++) x ${random.choice(['*', '/'])}= ${c}; x`;
      const expected = runJavaScript(program);
      assert.ok(expected.ok);
      assert.equal(await value(program), expected.value, program);
    }
    for (const program of ['let x = ;', 'y', 'const a = 1; a = 2', 'let list = [1]; list.length.pow(1)']) {
      assert.equal(runJavaScript(program).ok, false, program);
      assert.equal((await patient.run(program)).ok, false, program);
    }
  });

  const hostile: [name: string, code: string, kind: FailureKind | FailureKind[], error: RegExp][] = [
    ['an endless loop', 'for (;;);', 'time', /stopped after 0.4 s/],
    ['a loop that its handlers continue', 'try { for (;;); } finally { for (;;); }', 'time', /stopped/],
    ['a regular expression that explodes', '/(a+)+$/.test("a".repeat(40) + "b")', 'time', /stopped/],
    ['a sort that the engine does not interrupt', 'const a = []; a[2 ** 31] = 1; a.sort()', 'time', /stopped/],
    ['a search through what is not there', '[].indexOf.call({ length: 2 ** 53 - 1 }, 1)', 'time', /stopped/],
    ['promises without end', '(function f() { return Promise.resolve().then(f); })()', 'time', /stopped/],
    ['an endless async loop', '(async () => { for (;;) await 1; })()', 'time', /stopped/],
    [
      'an endless getter of what is thrown',
      'throw { get message() { for (;;); }, toJSON() { for (;;); } }',
      'time',
      /./,
    ],
    ['a value whose text takes forever', '({ toJSON() { for (;;); } })', 'time', /stopped/],
    [
      'an array without end',
      'const a = []; for (;;) a.push(new Array(10000).fill(1))',
      ['memory', 'time'],
      /memory|stopped/,
    ],
    ['one huge array', 'new Array(2 ** 30).fill(0)', 'memory', /too much memory/],
    ['one huge string', '"x".repeat(2 ** 28)', 'memory', /too much memory/],
    ['a string that doubles', 'let s = "xy"; for (;;) s += s', ['exception', 'memory'], /string too long|memory/],
    ['one huge buffer', 'new ArrayBuffer(2 ** 30)', ['exception', 'memory'], /memory|length/],
    ['one huge number', 'let n = 2n; for (;;) n *= n', ['exception', 'memory', 'time'], /large|memory|stopped/],
    ['endless recursion', '(function f() { return 1 + f(); })()', 'stack', /too deeply/],
    ['a parser bomb', 'eval("(".repeat(1e5))', 'stack', /too deeply/],
    ['JSON nested too deeply', 'JSON.parse("[".repeat(1e5))', 'stack', /too deeply/],
    ['lines without end', 'for (;;) console.log("x".repeat(100))', 'output', /more than 4000 characters/],
    ['one huge line', 'console.log("x".repeat(1e6))', 'output', /more than 4000 characters/],
    ['a huge value', '"x".repeat(1e6)', 'output', /more than 4000 characters/],
    ['process', 'process.exit(1)', 'exception', /process.* is not defined/],
    ['require', 'require("node:fs").writeFileSync("x", "")', 'exception', /require.* is not defined/],
    [
      'a dynamic import',
      'import("node:fs").then((fs) => fs.writeFileSync("x", ""))',
      'exception',
      /could not load module/,
    ],
    ['a static import', 'import fs from "node:fs"; fs', 'exception', /SyntaxError/],
    ['the network', 'fetch("http://127.0.0.1/")', 'exception', /fetch.* is not defined/],
    ['a web socket', 'new WebSocket("ws://127.0.0.1/")', 'exception', /is not defined/],
    ['WebAssembly', 'new WebAssembly.Memory({ initial: 1 })', 'exception', /is not defined/],
    ['a worker', 'new Worker("x")', 'exception', /is not defined/],
    ['shared memory', 'new SharedArrayBuffer(2 ** 30)', ['exception', 'memory'], /memory|defined/],
    ['a constructor as a way out', 'console.log.constructor("return process")()', 'exception', /not defined/],
    ['the host object behind this', '(() => {}).constructor("return this")().process.exit()', 'exception', /TypeError/],
    ['callers', '(function () { return arguments.callee.caller; })()', 'exception', /./],
    ['a promise that nobody keeps', 'new Promise(() => {})', 'exception', /never settled/],
    ['a rejection', 'Promise.reject(new RangeError("no"))', 'exception', /RangeError: no/],
    [
      'a thrown proxy',
      'throw new Proxy({}, { getPrototypeOf() { throw 1; }, get() { throw 2; } })',
      'exception',
      /cannot be shown/,
    ],
    ['a thrown error', 'throw new TypeError("bad")', 'exception', /^TypeError: bad$/],
    ['a thrown text', 'throw "<|end|>"', 'exception', /<\|end\|>/],
    ['a long error', 'throw new Error("x".repeat(1e4))', 'exception', /^.{300}\.\.\.$/],
    ['what is no program', 'let {', 'exception', /SyntaxError/],
    ['a program that is too long', '1;'.repeat(20_000), 'exception', /longer than 20000/],
  ];

  it('stops every hostile program with an error, and runs the next one', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-sandbox-'));
    const before = { cwd: process.cwd(), env: JSON.stringify(process.env), globals: Object.keys(globalThis) };
    process.chdir(folder);
    try {
      for (const [name, code, kind, error] of hostile) {
        const began = performance.now();
        const outcome = await sandbox.run(code);
        const seconds = (performance.now() - began) / 1000;
        assert.ok(!outcome.ok, `${name}: ${JSON.stringify(outcome)}`);
        assert.ok([kind].flat().includes(outcome.kind), `${name}: ${outcome.kind} (${outcome.error})`);
        assert.match(outcome.error, error, name);
        assert.ok(outcome.output.length <= 4000, name);
        assert.ok(seconds < 120, `${name} took ${seconds.toFixed(1)} s`);
        const next = await sandbox.run('6 * 7');
        assert.deepEqual(next, { ok: true, value: '42', output: '' }, `after ${name}`);
      }
      assert.deepEqual(fs.readdirSync(folder), []);
    } finally {
      process.chdir(before.cwd);
      fs.rmSync(folder, { recursive: true });
    }
    assert.equal(JSON.stringify(process.env), before.env);
    assert.deepEqual(Object.keys(globalThis), before.globals);
  });

  it('keeps nothing from one program to the next, and is not fooled by changed prototypes', async () => {
    assert.equal(
      await value(
        'Object.prototype.toString = Array.prototype.push = String = JSON.stringify = () => { throw 1; };' +
          'Object.prototype.polluted = 1; globalThis.console = null; Array.prototype[Symbol.iterator] = null; ({ a: 1 })',
      ),
      '{"a":1}',
    );
    assert.equal(await value('globalThis.left = 1; const kept = 2; left'), '1');
    assert.equal(
      await value('[typeof left, typeof kept, ({}).polluted, typeof console.log]'),
      '["undefined","undefined",null,"function"]',
    );
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('has nothing but the language in it', async () => {
    const names = JSON.parse((await value('Object.getOwnPropertyNames(globalThis)'))!) as string[];
    const known = new Set([...Object.getOwnPropertyNames(globalThis), 'InternalError', 'Iterator', 'Float16Array']);
    assert.deepEqual(
      names.filter((name) => !known.has(name)),
      [],
    );
    for (const name of [
      'process',
      'require',
      'fetch',
      'std',
      'os',
      'setTimeout',
      'WebAssembly',
      'Buffer',
      'print',
      'gc',
    ])
      assert.ok(!names.includes(name), name);
  });

  it('stops when it is told to, and goes on afterwards', async () => {
    const controller = new AbortController();
    const running = patient.run('for (;;);', { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(running, CancelledError);
    await assert.rejects(patient.run('1', { signal: controller.signal }), CancelledError);
    assert.equal(await value('1'), '1');
  });

  it('keeps no process alive, and says nothing in its terminal', () => {
    const script = `const { Sandbox } = require(${JSON.stringify(path.resolve(__dirname, '../../lib/agent'))});
      const sandbox = new Sandbox({ timeoutMs: 300 });
      sandbox.run('const a = []; for (;;) a.push(a)').then(() => sandbox.run('6 * 7')).then(({ value }) => console.log(value));`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      timeout: 300_000,
    });
    assert.deepEqual([status, stdout, stderr], [0, '42\n', '']);
  });

  it('refuses limits that are none', () => {
    assert.throws(
      () => new Sandbox({ timeoutMs: 0 }),
      (e: OmniError) => /timeoutMs.*got 0/.test(e.message),
    );
    assert.throws(() => new Sandbox({ memoryBytes: Infinity }), OmniError);
    // Beyond these the engine gives way at every program, or the timer fires at once.
    for (const limits of [
      { timeoutMs: 2 ** 31 },
      { timeoutMs: 0.5 },
      { memoryBytes: 2 ** 32 },
      { memoryBytes: 1000 },
      { stackBytes: 2 ** 26 },
      { stackBytes: 1 },
      { maxOutput: 0.5 },
    ])
      assert.throws(() => new Sandbox(limits), OmniError, JSON.stringify(limits));
  });

  it('works at the ends of its limits', async () => {
    for (const limits of [
      { memoryBytes: 2 ** 20 },
      { memoryBytes: 2 ** 30 },
      { stackBytes: 2 ** 14 },
      { stackBytes: 2 ** 22 },
    ]) {
      const own = new Sandbox({ timeoutMs: 20_000, ...limits });
      assert.deepEqual(await own.run('[3, 1, 2].sort().join()'), { ok: true, value: '1,2,3', output: '' });
      const deep = await own.run('(function f() { return 1 + f(); })()');
      assert.ok(!deep.ok && deep.kind === 'stack', JSON.stringify([limits, deep]));
      await own.close();
    }
  });
});

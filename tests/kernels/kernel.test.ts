/** One kernel, many cells: what stock tslab gets wrong, and what the launcher adds. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExecuteReply, KernelClient, packageRoot } from '../../kernels';
import { loadZeroMQ } from '../../kernels/packages';
import { address, type ConnectionInfo, decode, encode, newHeader } from '../../kernels/wire';
import { alive } from './helpers';

interface Ran {
  reply: ExecuteReply;
  stdout: string;
  stderr: string;
  result: string | undefined;
  messages: [string, Record<string, unknown>][];
}

describe('kernels/start (one kernel)', () => {
  let kernel: KernelClient;

  before(async function () {
    kernel = await KernelClient.start();
  });
  after(async () => {
    const pid = kernel.pid as number;
    await kernel.shutdown();
    assert.equal(alive(pid), false);
  });

  async function run(code: string, onStream?: () => void): Promise<Ran> {
    const messages: Ran['messages'] = [];
    const reply = await kernel.execute(code, {
      onMessage: (type, content) => {
        messages.push([type, content]);
        if (type === 'stream') onStream?.();
      },
    });
    const stream = (name: string): string =>
      messages.map(([type, c]) => (type === 'stream' && c.name === name ? String(c.text) : '')).join('');
    const shown = messages.find(([type]) => type === 'execute_result')?.[1].data as Record<string, string> | undefined;
    return { reply, stdout: stream('stdout'), stderr: stream('stderr'), result: shown?.['text/plain'], messages };
  }
  async function result(code: string): Promise<string | undefined> {
    const ran = await run(code);
    assert.equal(ran.reply.status, 'ok', JSON.stringify(ran.reply));
    return ran.result;
  }
  async function failure(code: string): Promise<ExecuteReply> {
    const { reply, messages } = await run(code);
    assert.equal(reply.status, 'error');
    const published = messages.filter(([type]) => type === 'error').map(([, content]) => content);
    const { ename, evalue, traceback } = reply;
    assert.deepEqual(published, [{ ename, evalue, traceback }]);
    return reply;
  }

  it('says who it is', () => {
    assert.equal(kernel.info.implementation, 'omnilab');
    assert.deepEqual((kernel.info.language_info as { name: string }).name, 'typescript');
  });

  it('runs in the root of the project', async () => {
    assert.equal(await result('process.cwd()'), `'${packageRoot()}'`);
  });

  it('counts cells and announces their input', async () => {
    const first = await run('1');
    const second = await run('2');
    assert.equal(second.reply.execution_count, first.reply.execution_count + 1);
    const input = second.messages.find(([type]) => type === 'execute_input')?.[1];
    assert.deepEqual(input, { code: '2', execution_count: second.reply.execution_count });
    const silent = await kernel.execute('3', { silent: true });
    assert.equal(silent.execution_count, second.reply.execution_count);
  });

  it('says name, message and place of a thrown error', async () => {
    const reply = await failure('function deep(): void { throw new RangeError("too far"); }\ndeep();');
    assert.equal(reply.ename, 'RangeError');
    assert.equal(reply.evalue, 'too far');
    assert.equal(reply.traceback?.[0], 'RangeError: too far');
    assert.match(reply.traceback?.[1] ?? '', /at deep \(cell:/);
    assert.equal(reply.traceback?.length, 4, reply.traceback?.join('\n'));
  });

  it('shows the causes of an error, and values that are no errors', async () => {
    const reply = await failure('throw new Error("outer", { cause: new TypeError("inner") });');
    assert.match(reply.traceback?.join('\n') ?? '', /caused by TypeError: inner/);
    const thrown = await failure('throw { code: 7 }');
    assert.deepEqual([thrown.ename, thrown.evalue], ['Thrown', '{ code: 7 }']);
  });

  it('names type errors with the line they are in', async () => {
    const reply = await failure('const early = 1;\nconst wrong: number = "text";');
    assert.equal(reply.ename, 'TypeScriptError');
    assert.match(reply.evalue ?? '', /^2:7 - Type 'string' is not assignable to type 'number'/);
    assert.deepEqual(reply.traceback?.slice(1), ['  2 | const wrong: number = "text";', '    |       ^']);
  });

  it('reports positions in the cell as it was written', async () => {
    await result('const known = 1;');
    const reply = await failure('await (1); ({known}); missing;');
    assert.match(reply.evalue ?? '', /^1:23 - Cannot find name 'missing'/);
  });

  it('reads and sets variables of earlier cells through shorthands and patterns', async () => {
    await result('let first = 1, second = "two"; const holder = { first: 5, inner: { second: "six" } };');
    assert.equal(await result('({ first, second })'), "{ first: 1, second: 'two' }");
    assert.equal(await result('({ first } = holder); first'), '5');
    assert.equal(await result('({ inner: { second } } = holder); second'), "'six'");
    assert.equal(await result('const { first: renamed } = holder; renamed'), '5');
  });

  it('awaits at the top level in every form', async () => {
    assert.equal(await result('await (Promise.resolve(1))'), '1');
    assert.equal(await result('const list = await [Promise.resolve(2)][0]; list'), '2');
    const { stdout } = await run('for await (const x of [Promise.resolve(3), 4]) console.log(x);');
    assert.equal(stdout, '3\n4\n');
    assert.equal(await result('await `5`'), "'5'");
    assert.equal(await result('await -6'), '-6');
  });

  it('imports the package by its name and subpaths, with its types', async () => {
    const code = "import { OmniError } from 'omnilab';\nconst e = new OmniError('where', 'what', 'help'); e.message";
    assert.equal(await result(code), "'where: what\\nhelp: help'");
    const wrong = await failure(
      "import { OmniError } from 'omnilab'; const n: number = new OmniError('a', 'b', 'c').help;",
    );
    assert.match(wrong.evalue ?? '', /Type 'string' is not assignable to type 'number'/);
    const missing = await failure("import { NoSuchThing } from 'omnilab';");
    assert.match(missing.evalue ?? '', /no exported member '?"?NoSuchThing|NoSuchThing/);
    assert.equal(await result("import { runNotebook } from 'omnilab/kernels'; typeof runNotebook"), "'function'");
    const typed = await failure("import { runNotebook } from 'omnilab/kernels'; runNotebook(5);");
    assert.match(typed.evalue ?? '', /'number' is not assignable to parameter of type 'string'/);
  });

  it('completes and explains', async () => {
    const code = "/* π😀 */ import { OmniError } from 'omnilab'; const known = new OmniError('a', 'b', 'c'); known.hel";
    const length = [...code].length;
    const found = await kernel.complete(code, length);
    assert.deepEqual(found.matches, ['help']);
    assert.deepEqual([found.cursor_start, found.cursor_end], [length - 3, length]);
    const { found: there, data } = await kernel.inspect("import { OmniError } from 'omnilab'; OmniError", 40);
    assert.equal(there, true);
    assert.match(data['text/plain'], /OmniError/);
    assert.deepEqual(await kernel.request('is_complete_request', { code: 'if (x) {' }), {
      status: 'incomplete',
      indent: '  ',
    });
  });

  it('prints a megabyte in 20,000 lines without loss', async () => {
    const { stdout } = await run(
      'for (let i = 0; i < 20000; i++) console.log(String(i).padStart(6) + "x".repeat(45));',
    );
    const expected = Array.from({ length: 20000 }, (_, i) => String(i).padStart(6) + 'x'.repeat(45) + '\n').join('');
    assert.equal(stdout, expected);
  });

  it('keeps characters whole that were written in pieces', async () => {
    const code =
      'const bytes = Buffer.from("é"); process.stdout.write(bytes.subarray(0, 1)); void process.stdout.write(bytes.subarray(1));';
    assert.equal((await run(code)).stdout, 'é');
  });

  it('cuts the print of a huge last value', async () => {
    const text = await result('Array.from({ length: 100 }, (_, i) => ({ i, deep: { s: "x".repeat(1000) } }))');
    assert.ok(text !== undefined && text.length < 20_200, String(text?.length));
    assert.equal(await result('({ a: { b: { c: 1 } } })'), '{ a: { b: { c: 1 } } }');
  });

  it('shows a value by its own representation', async () => {
    const code = '({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<b>x</b>", "text/plain": "x" }) })';
    const { messages } = await run(code);
    const data = messages.find(([type]) => type === 'execute_result')?.[1].data;
    assert.deepEqual(data, { 'text/html': '<b>x</b>', 'text/plain': 'x' });
  });

  it('displays several representations in one message, and updates them', async () => {
    const { messages } = await run(`
      const page = (globalThis as any)[Symbol.for('omnilab.notebook')];
      page.display({ 'text/plain': 'a', 'image/png': new Uint8Array([1, 2, 3]) }, { displayId: 'd', metadata: { k: 1 } });
      page.display({ 'text/plain': 'b' }, { displayId: 'd', update: true });`);
    assert.deepEqual(
      messages.filter(([type]) => type.endsWith('display_data')),
      [
        [
          'display_data',
          { data: { 'text/plain': 'a', 'image/png': 'AQID' }, metadata: { k: 1 }, transient: { display_id: 'd' } },
        ],
        ['update_display_data', { data: { 'text/plain': 'b' }, metadata: {}, transient: { display_id: 'd' } }],
      ],
    );
  });

  it("keeps tslab's own display functions", async () => {
    const { messages } = await run("import * as tslab from 'tslab'; tslab.display.html('<i>');");
    assert.deepEqual(messages.find(([type]) => type === 'display_data')?.[1].data, { 'text/html': '<i>' });
  });

  it('fails the cell that leaves a rejection unhandled', async () => {
    const reply = await failure('void Promise.reject(new TypeError("nobody cared")); 1;');
    assert.deepEqual([reply.ename, reply.evalue], ['TypeError', 'nobody cared']);
    const waiting = await failure('void Promise.reject(new TypeError("while waiting")); await new Promise(() => {});');
    assert.equal(waiting.evalue, 'while waiting');
    assert.equal(await result('await Promise.reject(new Error("handled")).catch(() => 7)'), '7');
  });

  it('fails the cell that is running when a timer throws', async () => {
    const reply = await failure('setTimeout(() => { throw new Error("tick"); }, 5); await new Promise(() => {});');
    assert.equal(reply.evalue, 'tick');
  });

  it('fails the next cell, unrun, when a timer throws between two', async () => {
    await result('void setTimeout(() => { throw new Error("late"); }, 5);');
    await sleep(100);
    const { reply, stdout } = await run('console.log("ran")');
    assert.equal(reply.evalue, 'raised after an earlier cell had ended; this cell was not run: late');
    assert.equal(stdout, '');
    assert.equal((await run('console.log("ran")')).stdout, 'ran\n');
  });

  it('turns process.exit into an error, also when it is caught', async () => {
    const reply = await failure('process.exit(3)');
    assert.equal(reply.ename, 'ExitInCellError');
    const swallowed = await failure('try { process.exit(3) } catch { /* swallowed */ }');
    assert.equal(swallowed.ename, 'ExitInCellError');
    assert.equal(await result('1 + 1'), '2');
  });

  const endless = {
    'a wait': 'await new Promise(() => {});',
    'a loop before the first await': 'while (true) {}',
    'a loop after a timer': 'await new Promise((done) => setTimeout(done, 5)); while (true) {}',
    'a loop after an immediate': 'await new Promise((done) => setImmediate(done)); while (true) {}',
    'a loop after a microtask': 'await 0; while (true) {}',
    'a loop in a timer': 'setTimeout(() => { while (true) {} }, 5); await new Promise(() => {});',
    'a recursion before the first await':
      'const busy = (n: number): void => { if (n > 0) { busy(n - 1); busy(n - 1); } }; busy(100);',
    'a loop after reading a file': 'await (await import("node:fs/promises")).readFile("package.json"); while (true) {}',
  };
  for (const [name, code] of Object.entries(endless)) {
    it(`interrupts ${name}, keeps what was printed, and goes on`, async () => {
      // A moment after the print, so that the loop has begun.
      const running = run(`console.log("before"); ${code}`, () => setTimeout(() => kernel.interrupt(), 100));
      const waiting = run('"never run"');
      const { reply, stdout } = await running;
      assert.equal(reply.ename, 'Interrupted');
      assert.equal(stdout, 'before\n');
      assert.equal((await waiting).reply.ename, 'Aborted');
      // Timers, immediates, files and sockets of the kernel still work.
      const after = `await new Promise((done) => setTimeout(done, 5)); await new Promise((done) => setImmediate(done));
        (await (await import("node:fs/promises")).readFile("package.json", "utf8")).length > 0`;
      assert.equal(await result(after), 'true');
    });
  }

  it('is interrupted by SIGINT too', async () => {
    for (const code of ['await new Promise(() => {});', 'while (true) {}']) {
      const kill = (): unknown => setTimeout(() => process.kill(kernel.pid as number, 'SIGINT'), 100);
      assert.equal((await run(`console.log("before"); ${code}`, kill)).reply.ename, 'Interrupted');
    }
  });

  it('tells libraries by an AbortSignal that the cell was interrupted', async () => {
    let interrupted = false;
    const { stdout } = await run(
      `const { signal } = (globalThis as any)[Symbol.for('omnilab.notebook')];
      signal.addEventListener('abort', () => console.log('stopped: ' + signal.reason.name));
      console.log('waiting');
      await new Promise(() => {});`,
      () => {
        if (!interrupted) kernel.interrupt();
        interrupted = true;
      },
    );
    assert.equal(stdout, 'waiting\nstopped: CancelledError\n');
  });

  it('ends an interrupted cell also while it is still compiled', async () => {
    const onMessage = (type: string): void => {
      if (type === 'execute_input') kernel.interrupt();
    };
    assert.equal((await kernel.execute('await new Promise(() => {});', { onMessage })).ename, 'Interrupted');
  });

  it('gives up cells that wait behind a failed one, and says so', async () => {
    const count = (await run('1')).reply.execution_count;
    const replies = await Promise.all(['throw new Error("first")', 'console.log("second")'].map((code) => run(code)));
    assert.deepEqual(
      replies.map(({ reply }) => [reply.status, reply.ename]),
      [
        ['error', 'Error'],
        ['error', 'Aborted'],
      ],
    );
    assert.equal(replies[1].stdout, '');
    // A cell sent after the answer is run at once.
    const next = await run('3');
    assert.deepEqual([next.reply.status, next.reply.execution_count], ['ok', count + 2]);
    const goOn = await Promise.all(
      ['throw new Error("first")', '4'].map((code) => kernel.execute(code, { stopOnError: false })),
    );
    assert.equal(goOn[1].status, 'ok');
  });

  it('ignores messages that are not signed with its key', async () => {
    const { connection } = kernel as unknown as { connection: ConnectionInfo };
    const zmq = loadZeroMQ();
    const socket = new zmq.Dealer({ linger: 0 });
    try {
      socket.connect(address(connection, connection.shell_port));
      const heard: string[] = [];
      void (async () => {
        for await (const frames of socket) heard.push(String(decode(connection.key, frames).parent.msg_id));
      })();
      const header = newHeader('kernel_info_request', 's', 'u');
      const message = { identities: [], header, parent: {}, metadata: {}, content: {} };
      await socket.send(encode('wrong key', { ...message, header: { ...header, msg_id: 'forged' } }));
      await socket.send(['garbage']);
      await socket.send(encode(connection.key, { ...message, header: { ...header, msg_id: 'signed' } }));
      for (let i = 0; i < 100 && heard.length === 0; i++) await sleep(20);
      assert.deepEqual(heard, ['signed']);
    } finally {
      socket.close();
    }
    assert.equal(await result('"still here"'), "'still here'");
  });
});

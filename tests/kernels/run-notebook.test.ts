/** Whole notebooks on kernels of their own: failures, time limits, signals, and no process left behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  KernelClient,
  KernelError,
  NotebookCellError,
  NotebookTimeoutError,
  packageRoot,
  readNotebook,
  runNotebook,
} from '../../kernels';
import { ArgumentError, CancelledError } from '../../lib/errors';
import { alive, printed, schemaErrors, temporaryFolder, until, writeCells } from './helpers';

const quiet = { onOutput: () => undefined };
const PID = 'console.log(process.pid);';

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.fail('expected a rejection'),
    (error: unknown) => error,
  );
}

describe('kernels/run-notebook', function () {
  let folder: ReturnType<typeof temporaryFolder>;
  let output: string;
  beforeEach(() => {
    folder = temporaryFolder();
    output = path.join(folder.path, 'out.ipynb');
  });
  afterEach(() => folder.remove());

  it('runs cells with parameters, and writes a valid notebook, always the same', async () => {
    const file = writeCells(folder.path, [
      { source: "const steps: number = 1, name = 'a';", tags: ['parameters'] },
      "import { OmniError } from 'omnilab';\nconsole.log(steps * 2, name); new OmniError('a', 'b', 'c').where",
      '',
      { source: 'throw new Error("meant")', tags: ['raises-exception'] },
      'await new Promise((done) => setTimeout(done, 5)); console.error("e");',
    ]);
    const events: string[] = [];
    const parameters = { steps: 21, name: 'b' };
    const { cells } = await runNotebook(file, {
      ...quiet,
      output,
      parameters,
      onCell: ({ phase, cell, status }) => events.push(`${phase} ${cell.number} ${status ?? ''}`),
    });
    assert.deepEqual(
      cells.map((c) => [c.cell.number, c.cell.index, c.status, c.executionCount]),
      [
        [1, 0, 'ok', 1],
        [2, 1, 'ok', 2],
        [3, 2, 'ok', 3],
        [4, 4, 'error', 4],
        [5, 5, 'ok', 5],
      ],
    );
    assert.deepEqual(events.slice(0, 2), ['start 1 ', 'end 1 ok']);
    const written = JSON.parse(readFileSync(output, 'utf8')) as Record<string, unknown>;
    assert.deepEqual(schemaErrors(written), []);
    const nb = readNotebook(output);
    assert.equal(printed(nb, 2), '42 b\n');
    assert.deepEqual(nb.metadata.kernelspec, {
      name: 'omnilab',
      display_name: 'OmniLab (TypeScript)',
      language: 'typescript',
    });
    const again = path.join(folder.path, 'again.ipynb');
    await runNotebook(file, { ...quiet, output: again, parameters, transport: 'tcp' });
    assert.equal(readFileSync(again, 'utf8'), readFileSync(output, 'utf8'));
  });

  it('stops at the first failing cell: its number, source and error, and the outputs so far', async () => {
    const source = '// Divides\nfunction divide(): never { throw new RangeError("by zero"); }\ndivide();';
    const file = writeCells(folder.path, [PID, source, 'console.log("never")']);
    const error = await rejection(runNotebook(file, { ...quiet, output }));
    assert.ok(error instanceof NotebookCellError);
    assert.deepEqual([error.cell.number, error.cell.index, error.cell.source], [2, 1, source]);
    assert.deepEqual([error.ename, error.evalue], ['RangeError', 'by zero']);
    assert.match(error.traceback.join('\n'), /at divide/);
    assert.match(error.message, /test\.ipynb, code cell 2: RangeError: by zero\n {2}\| \/\/ Divides/);
    const nb = readNotebook(output);
    assert.deepEqual(schemaErrors(JSON.parse(readFileSync(output, 'utf8'))), []);
    const [pid, failed, never] = nb.cells.map((cell) => (cell.cell_type === 'code' ? cell.outputs : []));
    assert.equal(pid.length, 1);
    assert.equal(failed[0].output_type, 'error');
    assert.deepEqual(never, []);
    assert.equal(alive(Number(printed(nb, 0))), false);
  });

  it('makes the folder of its output, and says before any cell runs that it cannot', async () => {
    const file = writeCells(folder.path, ['throw new RangeError("one");']);
    const nested = path.join(folder.path, 'new', 'folder', 'out.ipynb');
    const error = await rejection(runNotebook(file, { ...quiet, output: nested }));
    assert.ok(error instanceof NotebookCellError, String(error));
    assert.equal(readNotebook(nested).cells.length, 1);
    let started = 0;
    const refused = await rejection(
      runNotebook(file, { ...quiet, output: path.join(file, 'out.ipynb'), onCell: () => started++ }),
    );
    assert.ok(refused instanceof ArgumentError && refused.what.includes('out.ipynb'), String(refused));
    assert.equal(started, 0);
  });

  it('fails the last cell when a promise that it started fails after it', async () => {
    const file = writeCells(folder.path, [
      'void setImmediate(() => setImmediate(() => { throw new Error("late"); }));',
    ]);
    const error = await rejection(runNotebook(file, quiet));
    assert.ok(error instanceof NotebookCellError);
    assert.match(error.evalue, /late/);
  });

  const endless = {
    'an await that never resolves': 'await new Promise(() => {});',
    'a loop before an await': 'while (true) {}',
    'a loop after an await': 'await 0; await new Promise((done) => setTimeout(done, 10)); while (true) {}',
  };
  for (const [name, code] of Object.entries(endless)) {
    it(`ends ${name} when its time is over, and the kernel with it`, async () => {
      const file = writeCells(folder.path, [PID, `console.log("so far"); ${code}`]);
      const error = await rejection(runNotebook(file, { ...quiet, output, cellTimeoutMs: 1500 }));
      assert.ok(error instanceof NotebookTimeoutError, String(error));
      assert.match(error.message, /code cell 2: expected the cell to end within 1\.5 s/);
      assert.equal(error.cell?.number, 2);
      const nb = readNotebook(output);
      assert.equal(printed(nb, 1), 'so far\n');
      assert.equal(alive(Number(printed(nb, 0))), false);
    });
  }

  it('keeps a megabyte of output', async () => {
    const file = writeCells(folder.path, ['for (let i = 0; i < 20000; i++) console.log("x".repeat(51));']);
    await runNotebook(file, { ...quiet, output });
    assert.equal(printed(readNotebook(output), 0), ('x'.repeat(51) + '\n').repeat(20000));
  });

  it('says which cell killed the kernel, and ends what that cell had started', async () => {
    const file = writeCells(folder.path, [
      'import { spawn } from "node:child_process";\nconsole.log(spawn("sleep", ["1000"]).pid);',
      'process.kill(process.pid, "SIGKILL");',
    ]);
    const error = await rejection(runNotebook(file, { ...quiet, output }));
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /code cell 2: .*SIGKILL/);
    const child = Number(printed(readNotebook(output), 0));
    await until('the end of the child', () => !alive(child));
  });

  it('says why the kernel does not start, or not in time', async () => {
    const error = await rejection(
      KernelClient.start({
        argv: [process.execPath, '-e', 'console.error("no such thing"); process.exitCode = 4'],
        onProcessOutput: () => undefined,
      }),
    );
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /exit status 4/);
    assert.match(error.message, /no such thing/);
    const late = await rejection(
      KernelClient.start({ argv: [process.execPath, '-e', 'setInterval(() => {}, 1000)'], startTimeoutMs: 300 }),
    );
    assert.ok(late instanceof NotebookTimeoutError);
    const missing = await rejection(KernelClient.start({ argv: ['/no/such/program'] }));
    assert.ok(missing instanceof KernelError);
  });

  it('stops by an AbortSignal and keeps the outputs so far', async () => {
    const file = writeCells(folder.path, [PID, 'console.log("so far"); await new Promise(() => {});', '3']);
    const controller = new AbortController();
    const onOutput = (_: string, content: Record<string, unknown>): void => {
      if (content.text === 'so far\n') controller.abort();
    };
    const error = await rejection(runNotebook(file, { onOutput, output, signal: controller.signal }));
    assert.ok(error instanceof CancelledError);
    const nb = readNotebook(output);
    assert.equal(printed(nb, 1), 'so far\n');
    assert.equal(alive(Number(printed(nb, 0))), false);
  });

  describe('when its own process is told to end', () => {
    /** Starts a process that runs a notebook which never ends; resolves when the second cell waits. */
    async function client(): Promise<{ process: ChildProcess; kernel: number; ended: Promise<string> }> {
      const mark = path.join(folder.path, 'pid');
      const file = writeCells(folder.path, [
        'console.log("so far");',
        `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(mark)}, String(process.pid)); await new Promise(() => {});`,
      ]);
      const script = `require(${JSON.stringify(path.join(packageRoot(), 'dist', 'kernels'))})
        .runNotebook(${JSON.stringify(file)}, { output: ${JSON.stringify(output)} })
        .catch((error) => { console.error(error.name); process.exitCode = 130; });`;
      const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
      const ended = new Promise<string>((done) => child.once('exit', (code, signal) => done(signal ?? String(code))));
      await until('the second cell', () => existsSync(mark) && readFileSync(mark, 'utf8') !== '');
      return { process: child, kernel: Number(readFileSync(mark, 'utf8')), ended };
    }

    for (const [signal, end] of [
      ['SIGINT', '130'],
      ['SIGTERM', 'SIGTERM'],
    ] as const) {
      it(`by ${signal}: keeps the outputs and ends the kernel`, async () => {
        const { process: child, kernel, ended } = await client();
        child.kill(signal);
        assert.equal(await ended, end);
        assert.equal(alive(kernel), false);
        assert.equal(printed(readNotebook(output), 0), 'so far\n');
      });
    }

    it('by SIGKILL: the kernel ends by itself and leaves no folder', async function () {
      // Reads the kernel's command line from /proc.
      if (process.platform !== 'linux') this.skip();
      const { process: child, kernel } = await client();
      const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('omnilab-'));
      const environment = readFileSync(`/proc/${kernel}/cmdline`, 'utf8');
      const mine = folders().find((name) => environment.includes(name));
      assert.ok(mine !== undefined);
      child.kill('SIGKILL');
      await until('the end of the kernel', () => !alive(kernel));
      assert.ok(!folders().includes(mine));
    });
  });

  it('runs in the project that has the package in its node_modules', async () => {
    const root = packageRoot();
    const modules = path.join(folder.path, 'node_modules');
    const installed = path.join(modules, 'omnilab');
    mkdirSync(installed, { recursive: true });
    for (const name of readdirSync(path.join(root, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
    }
    for (const name of ['package.json', 'dist/lib', 'dist/kernels', 'kernels/omnilab']) {
      cpSync(path.join(root, name), path.join(installed, name), { recursive: true });
    }
    writeFileSync(path.join(folder.path, 'package.json'), '{"name":"theirs"}');
    mkdirSync(path.join(folder.path, 'deep'));
    const file = writeCells(path.join(folder.path, 'deep'), [
      "import { OmniError } from 'omnilab';\nconsole.log(process.cwd(), new OmniError('a', 'b', 'c').where)",
      "import { runNotebook } from 'omnilab/kernels';\nconsole.log(typeof runNotebook);",
      { source: "const n: number = new OmniError('a', 'b', 'c').where;", tags: ['raises-exception'] },
    ]);
    const script = `require('omnilab/kernels').runNotebook(${JSON.stringify(file)}, { output: ${JSON.stringify(output)} })
      .then(() => undefined, (error) => { console.error(String(error)); process.exitCode = 1; });`;
    const child = spawn(process.execPath, ['-e', script], { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    assert.equal(await new Promise((done) => child.once('exit', done)), 0, said);
    const nb = readNotebook(output);
    assert.equal(printed(nb, 0), `${folder.path} a\n`);
    assert.equal(printed(nb, 1), 'function\n');
    assert.match(said, /Type 'string' is not assignable to type 'number'/);
  });
});

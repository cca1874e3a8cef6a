/** make reproduce, with a stand-in for the notebook client that writes the files a notebook would. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import './fixtures/toy';
import { ArgumentError, CancelledError } from '../../lib/errors';
import { duration, figuresDir, reproduce, run, selectNotebooks } from '../../lib/pipeline';
import type { NotebookEntry, NotebookRunner, ReproduceOptions } from '../../lib/pipeline';

describe('pipeline: reproduce', () => {
  const saved = { ...process.env };
  let root = '';
  let ran: string[] = [];
  let lines: string[] = [];
  let environment: Record<string, string> = {};
  /** What the next notebooks do instead of ending well. */
  let trouble: Record<string, () => void> = {};
  const notebooks: NotebookEntry[] = [
    { path: 'notebooks/b.ipynb', needs: [], after: ['a'], outputs: ['b.png'] },
    { path: 'notebooks/a.ipynb', needs: ['toy/fit'], outputs: ['a.png', 'tables/a.md'] },
    { path: 'notebooks/more/c.ipynb', needs: ['toy/data'], outputs: ['c.png'] },
  ];

  const runNotebook: NotebookRunner = async (file, { output, env }) => {
    const name = path.basename(file, '.ipynb');
    ran.push(name);
    environment = env;
    trouble[name]?.();
    if (name === 'a') await run('toy/fit', { profile: env.OMNILAB_PROFILE, onProgress: () => undefined });
    for (const made of notebooks.find((n) => n.path.endsWith(`${name}.ipynb`))!.outputs) {
      const target = path.join(env.OMNILAB_FIGURES, made);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, `made by ${name}: ${fs.readFileSync(file, 'utf8')}`);
    }
    fs.writeFileSync(output, fs.readFileSync(file));
  };
  const write = (name: string, source: string, output = '') => {
    const cells = [{ cell_type: 'code', source: [source], outputs: [output] }];
    fs.writeFileSync(path.join(root, 'notebooks', name), JSON.stringify({ cells, nbformat: 4 }));
  };
  const go = (options: Partial<ReproduceOptions> = {}) => {
    ran = [];
    lines = [];
    return reproduce({ notebooks, profile: 'smoke', root, runNotebook, print: (l) => lines.push(l), ...options });
  };
  const states = (r: Awaited<ReturnType<typeof go>>) => r.notebooks.map((n) => `${n.name} ${n.status}`);

  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-reproduce-'));
    process.env.OMNILAB_RUNS = path.join(root, 'runs');
    fs.mkdirSync(path.join(root, 'notebooks/more'), { recursive: true });
    for (const name of ['a', 'b', 'more/c']) write(`${name}.ipynb`, `cell of ${name}`);
    trouble = {};
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true });
  });

  it('runs all in order, then finds everything done', async () => {
    const first = await go({ device: 'cpu', seeds: 2 });
    assert.deepEqual([first.status, ran], ['ok', ['a', 'b', 'c']]);
    assert.deepEqual(environment, {
      OMNILAB_PROFILE: 'smoke',
      OMNILAB_DEVICE: 'cpu',
      OMNILAB_SEEDS: '2',
      OMNILAB_FIGURES: path.join(root, 'runs/smoke/figures'),
      OMNILAB_RUNS: path.join(root, 'runs'),
    });
    assert.ok(fs.existsSync(path.join(first.figures, 'notebooks/more/c.ipynb')));
    const summary = lines.join('\n');
    for (const part of ['a.png', 'tables/a.md', 'total: ', 'profile smoke', 'made'])
      assert.ok(summary.includes(part), part);
    const second = await go({ device: 'cpu', seeds: 2 });
    assert.deepEqual(states(second), ['a current', 'b current', 'more/c current']);
    assert.deepEqual([ran, second.status], [[], 'ok']);
    assert.ok(lines.some((l) => l.includes('more/c: up to date')));
  });

  it('makes again what is damaged, deleted or changed, and what follows it', async () => {
    const { figures } = await go();
    fs.writeFileSync(path.join(figures, 'c.png'), 'torn');
    await go();
    assert.deepEqual(ran, ['c']);
    fs.rmSync(path.join(figures, 'tables/a.md'));
    await go();
    assert.deepEqual(ran, ['a'], 'a was made again as it was, so b stands');
    write('a.ipynb', 'cell of a', 'an output stored by Jupyter');
    await go();
    assert.deepEqual(ran, []);
    write('a.ipynb', 'another cell');
    await go();
    assert.deepEqual(ran, ['a', 'b']);
    fs.rmSync(path.join(root, 'runs/toy'), { recursive: true });
    await go();
    assert.deepEqual(ran, ['a']);
    assert.ok(lines.some((l) => /the run toy\/fit\/\w+ is missing/.test(l)));
    await go({ seeds: 4 });
    assert.deepEqual(ran, ['a', 'b', 'c']);
    await go({ device: 'webgpu', seeds: 4, only: 'more' });
    assert.deepEqual(ran, ['c']);
  });

  it('runs two notebooks at once, but none beside those that it follows or writes a file with', async () => {
    const entry = (name: string, outputs: string[], after?: string[]): NotebookEntry => ({
      path: `notebooks/${name}.ipynb`,
      needs: [],
      outputs,
      after,
    });
    const list = [
      entry('p', ['p.png']),
      entry('q', ['shared.json']),
      entry('r', ['r.png'], ['p']),
      entry('s', ['shared.json']),
    ];
    for (const { path: file } of list) write(path.basename(file), file);
    const events: string[] = [];
    const slow: NotebookRunner = async (file, { output, env, out }) => {
      const name = path.basename(file, '.ipynb');
      events.push(`${name} begins`);
      out!.write(`first of ${name}\n`);
      // p takes longer than q.
      await new Promise((done) => setTimeout(done, name === 'p' ? 120 : 30));
      out!.write(`second of ${name}\n`);
      for (const made of list.find((n) => n.path.endsWith(`${name}.ipynb`))!.outputs)
        fs.writeFileSync(path.join(env.OMNILAB_FIGURES, made), name);
      fs.writeFileSync(output, '{}');
      events.push(`${name} ends`);
    };
    const made = await go({ notebooks: list, runNotebook: slow, jobs: { count: 2, worker: 'unused' } });
    assert.deepEqual(states(made), ['p made', 'q made', 'r made', 's made']);
    const order = (a: string, b: string): boolean => events.indexOf(a) < events.indexOf(b);
    assert.ok(order('q begins', 'p ends') && order('s begins', 'p ends'), events.join());
    assert.ok(order('p ends', 'r begins') && order('q ends', 's begins'), events.join());
    const text = lines.join('\n');
    for (const name of ['p', 'q', 'r', 's']) assert.ok(text.includes(`first of ${name}\nsecond of ${name}`), text);
  });

  it('goes on after a failure with what does not depend on it', async () => {
    trouble.a = () => {
      throw new Error('cell 3: loss is NaN');
    };
    const failed = await go();
    assert.deepEqual(states(failed), ['a failed', 'b skipped', 'more/c made']);
    assert.equal(failed.status, 'failed');
    assert.match(lines.join('\n'), /cell 3: loss is NaN/);
    trouble = {};
    assert.equal((await go()).status, 'ok');
    assert.deepEqual(ran, ['a', 'b']);
  });

  it('fails a notebook that does not make what it should', async () => {
    const entry: NotebookEntry = { ...notebooks[2], outputs: ['c.png', 'other.png'] };
    const { status } = await go({
      notebooks: [entry],
      runNotebook: (file, { output, env }) => {
        fs.writeFileSync(path.join(env.OMNILAB_FIGURES, 'c.png'), '');
        return Promise.resolve(fs.writeFileSync(output, fs.readFileSync(file)));
      },
    });
    assert.equal(status, 'failed');
    assert.match(lines.join('\n'), /expected it to make other.png, got nothing there/);
    fs.rmSync(path.join(root, 'notebooks/more/c.ipynb'));
    assert.match((await go({ only: 'more/c' })).notebooks[0].error!, /expected a notebook, got no file/);
  });

  it('stops when it is interrupted, and says how to go on', async () => {
    const stop = new AbortController();
    trouble.b = () => {
      stop.abort();
      throw new CancelledError('b', 'interrupted', '');
    };
    const stopped = await go({ signal: stop.signal });
    assert.deepEqual(states(stopped), ['a made', 'b cancelled', 'more/c cancelled']);
    assert.equal(stopped.status, 'cancelled');
    assert.match(lines.at(-1)!, /same command again/);
    trouble = {};
    assert.deepEqual(states(await go()), ['a current', 'b made', 'more/c made']);
  });

  it('chooses by notebook, experiment and first words', async () => {
    const names = (only?: string) => selectNotebooks(notebooks, only).map((n) => path.basename(n.path, '.ipynb'));
    assert.deepEqual(names(), ['a', 'b', 'c']);
    assert.deepEqual(names('notebooks/more/c.ipynb'), ['c']);
    const long: NotebookEntry = {
      path: 'notebooks/more/long.ipynb',
      needs: ['toy/long'],
      outputs: [],
      onRequest: true,
    };
    const extended = (only?: string) =>
      selectNotebooks([...notebooks, long], only).map((n) => path.basename(n.path, '.ipynb'));
    assert.deepEqual(extended(), names());
    assert.deepEqual(extended('more'), ['c']);
    assert.deepEqual(extended('more/long'), ['long']);
    assert.deepEqual(extended('toy/long'), ['long']);
    assert.deepEqual(names('more'), ['c']);
    assert.deepEqual(names('toy/fit'), ['a']);
    assert.deepEqual(names('toy'), ['a', 'c']);
    assert.deepEqual(names('b'), ['a', 'b']);
    await assert.rejects(
      go({ only: 'toy/fitt' }),
      (e) => e instanceof ArgumentError && /closest names are toy\/fit/.test(e.message),
    );
    await assert.rejects(go({ only: 'mroe' }), /no notebook or experiment "mroe"\nhelp: the closest names are more,/);
    await assert.rejects(go({ seeds: 0 }), ArgumentError);
  });

  it('keeps the figures of other profiles apart from the stored ones', () => {
    assert.equal(path.basename(figuresDir('laptop')), 'figures');
    assert.ok(!figuresDir('laptop').startsWith(process.env.OMNILAB_RUNS!));
    assert.equal(figuresDir('smoke'), path.join(root, 'runs/smoke/figures'));
  });

  it('runs a notebook on the kernel, with the settings in its environment', async function () {
    const source = [
      "import { writeFileSync } from 'node:fs';\n",
      "import { currentProfile, currentSeeds, parseProfile } from 'omnilab/pipeline';\n",
      "writeFileSync(process.env.OMNILAB_FIGURES + '/c.png', `${parseProfile(currentProfile())} ${currentSeeds()}`);",
    ];
    const cell = { cell_type: 'code', id: 'one', metadata: {}, outputs: [], execution_count: null, source };
    const file = path.join(root, 'notebooks/more/c.ipynb');
    fs.writeFileSync(file, JSON.stringify({ cells: [cell], metadata: {}, nbformat: 4, nbformat_minor: 5 }));
    const made = await go({ only: 'more/c', seeds: 2, quiet: true, runNotebook: undefined });
    assert.equal(made.status, 'ok', lines.join('\n'));
    assert.equal(fs.readFileSync(path.join(made.figures, 'c.png'), 'utf8'), 'smoke 0,1');
    assert.match(fs.readFileSync(path.join(made.figures, 'notebooks/more/c.ipynb'), 'utf8'), /"execution_count": 1/);
    assert.deepEqual(states(await go({ only: 'more/c', seeds: 2, runNotebook: undefined })), ['more/c current']);
    fs.writeFileSync(
      file,
      JSON.stringify({
        cells: [{ ...cell, source: 'throw new Error("no luck")' }],
        metadata: {},
        nbformat: 4,
        nbformat_minor: 5,
      }),
    );
    const failed = await go({ only: 'more/c', quiet: true, runNotebook: undefined });
    assert.deepEqual([failed.status, failed.notebooks[0].status], ['failed', 'failed']);
    assert.match(failed.notebooks[0].error!, /code cell 1: Error: no luck/);
  });

  it('prints times', () => assert.deepEqual([4.25, 75, 3700].map(duration), ['4.3 s', '1 min 15 s', '1 h 1 min']));
});

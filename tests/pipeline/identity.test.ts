/** What makes a run another run: configuration, seed, parents and code, and nothing else. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { z } from 'zod';
import './fixtures/toy';
import { ArgumentError } from '../../lib/errors';
import {
  defineExperiment,
  getExperiment,
  listExperiments,
  plan,
  registerExperiment,
  run,
  runSeeds,
  setDefaultProgress,
} from '../../lib/pipeline';
import type { ParentRef } from '../../lib/pipeline';
import { hashFiles, reachableFiles } from '../../lib/pipeline/code-version';
import { canonicalJson } from '../../lib/pipeline/canonical-json';

const argument = (what: RegExp) => (e: unknown) => e instanceof ArgumentError && what.test(e.message);

describe('pipeline: identity', () => {
  const saved = { ...process.env };
  let root = '';
  before(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-identity-'));
    process.env.OMNILAB_RUNS = path.join(root, 'runs');
    setDefaultProgress(() => undefined);
  });
  after(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true });
  });

  it('changes with configuration, seed and parents, and not otherwise', () => {
    const base = plan('toy/fit', 'smoke', 0).hash;
    assert.match(base, /^[0-9a-f]{16}$/);
    assert.equal(plan('toy/fit', 'smoke', 0).hash, base);
    assert.equal(plan('toy/fit', 'laptop', 0, { steps: 60 }).hash, base, 'the profile only chooses the configuration');
    assert.equal(plan('toy/fit', 'smoke', 0, { label: undefined, steps: 60 }).hash, base);
    const others = [
      plan('toy/fit', 'laptop', 0),
      plan('toy/fit', 'smoke', 1),
      plan('toy/fit', 'smoke', 0, { rate: 0.051 }),
      plan('toy/fit', 'smoke', 0, { label: 'a' }),
      plan('toy/fit', 'smoke', 0, { points: 65 }),
    ].map((p) => p.hash);
    assert.equal(new Set([base, ...others]).size, 6);
  });

  it("follows a parent's configuration and seed", () => {
    let parent: ParentRef = { name: 'toy/data' };
    defineExperiment({
      name: 'toy/child',
      parents: () => [parent],
      module: __filename,
      schema: z.object({}),
      config: () => ({}),
      run: () => Promise.resolve({}),
    });
    const base = plan('toy/child', 'smoke', 0);
    parent = { name: 'toy/data', config: { slope: 4 } };
    assert.notEqual(plan('toy/child', 'smoke', 0).hash, base.hash);
    parent = { name: 'toy/data', seed: 5 };
    const fixed = plan('toy/child', 'smoke', 0);
    assert.notEqual(fixed.hash, base.hash);
    assert.equal(fixed.parents[0].hash, plan('toy/child', 'smoke', 1).parents[0].hash);
  });

  it('hashes the files that a module reaches, and no other', () => {
    const write = (name: string, text: string) => {
      fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      fs.writeFileSync(path.join(root, name), text);
    };
    write('a.js', 'const b = require("./sub/b");\nconst z = require("zod"); // import("./lazy")\n');
    write('sub/b.js', "const c = require('..//c.json');");
    write('c.json', '{}');
    write('lazy/index.js', 'require("../a")');
    write('unrelated.js', '');
    const version = () => hashFiles(reachableFiles(path.join(root, 'a.js')), root);
    const names = reachableFiles(path.join(root, 'a.js')).map((f) => path.relative(root, f));
    assert.deepEqual(
      names,
      ['a.js', 'c.json', 'lazy/index.js', 'sub/b.js'].map((n) => path.normalize(n)),
    );
    const base = version();
    write('unrelated.js', 'changed');
    assert.equal(version(), base);
    write('c.json', '[]');
    assert.notEqual(version(), base);
    write('c.json', '{}');
    assert.equal(version(), base);
    write('lazy/index.js', '');
    assert.notEqual(version(), base);
  });

  it('counts the engine and its worker, and neither the pipeline nor the command line', () => {
    const lib = path.resolve(__dirname, '../../lib');
    write(
      path.join(root, 'uses-engine.js'),
      `require("${path.relative(root, lib)}/runtime/index");require("${path.relative(root, lib)}/pipeline");`,
    );
    const names = reachableFiles(path.join(root, 'uses-engine.js')).map((f) =>
      path.relative(lib, f).split(path.sep).join('/'),
    );
    for (const name of ['runtime/jit.js', 'runtime/worker.js', 'runtime/ort.js', 'graph/grad.js', 'errors.js'])
      assert.ok(names.includes(name), `${name} is not among ${names.join(' ')}`);
    assert.deepEqual(
      names.filter((n) => /^(cli|report|pipeline)\//.test(n)),
      [],
    );
    function write(file: string, text: string) {
      fs.writeFileSync(file, text);
    }
  });

  it('refuses what it cannot identify, and says what is near', async () => {
    assert.throws(
      () => getExperiment('toy/fti'),
      argument(/no experiment "toy\/fti"\nhelp: the closest names are toy\/fit/),
    );
    assert.throws(() => plan('toy/fit', 'smoke', 0, { stesp: 3 }), argument(/configuration of toy\/fit.*stesp/s));
    assert.throws(() => plan('toy/fit', 'smoke', 0, { rate: -1 }), argument(/configuration of toy\/fit: rate: /));
    assert.throws(() => plan('toy/fit', 'smoke', 0.5), argument(/expected a seed/));
    await assert.rejects(
      run('toy/fit', { profile: 'smok' }),
      argument(/expected smoke, laptop, gpu, paper, got "smok"/),
    );
    assert.throws(() => canonicalJson({ a: [1, NaN] }), argument(/value\.a\[1\].*got NaN/));
    assert.throws(() => canonicalJson({ a: new Map() }), argument(/value\.a.*Map/));
    const make = (name: string, parents: string[]) =>
      defineExperiment({
        name,
        parents,
        module: __filename,
        schema: z.object({}),
        config: () => ({}),
        run: () => Promise.resolve({}),
      });
    assert.throws(() => make('Bad Name', []), argument(/Bad Name/));
    make('toy/loop-a', ['toy/loop-b']);
    make('toy/loop-b', ['toy/loop-a']);
    assert.throws(() => plan('toy/loop-a', 'smoke', 0), argument(/toy\/loop-a -> toy\/loop-b -> toy\/loop-a/));
    assert.throws(
      () => registerExperiment({ ...getExperiment('toy/fit'), module: __filename }),
      argument(/is defined in/),
    );
    const names = listExperiments().map((e) => e.name);
    assert.ok(names.indexOf('toy/data') < names.indexOf('toy/fit'));
  });

  it('gives equal results for equal seeds, and a manifest that says all', async () => {
    const [a, b] = await runSeeds('toy/fit', [0, 1], { profile: 'smoke' });
    assert.notDeepEqual(a.metrics, b.metrics);
    assert.ok(Math.abs(a.metric('slope') - 3) < 1.5);
    assert.ok(Number.isNaN(a.metrics.undefined));
    assert.throws(() => a.metric('missing'), /metric "missing"/);
    assert.equal(a.log().length, 60);
    const { manifest } = a;
    assert.deepEqual(manifest.parents, [{ name: 'toy/data', hash: plan('toy/data', 'smoke', 0).hash }]);
    assert.equal(manifest.versions.node, process.versions.node);
    assert.match(manifest.versions['onnxruntime-node'], /^\d+\.\d+/);
    assert.deepEqual(Object.keys(manifest.files), ['metrics.jsonl', 'model.safetensors']);
    assert.ok(manifest.peakMemoryBytes > 2 ** 24 && manifest.wallSeconds > 0);
    assert.deepEqual(manifest.config, { steps: 60, rate: 0.05, every: 10, points: 64 });
    const data = await run('toy/data', { profile: 'smoke' });
    assert.equal(data.reused, true);
    assert.equal(Object.keys(data.manifest.data).join(), 'points');
    fs.rmSync(a.dir, { recursive: true });
    const again = await run('toy/fit', { profile: 'smoke' });
    assert.deepEqual([again.reused, again.metrics], [false, a.metrics]);
  });
});

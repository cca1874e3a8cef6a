/** Importing the package: which names there are, with types, in each module system; and what is loaded by it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { compile, makeConsumer, manifest, modules, readmeBlocks, root, runNode } from './consumer';
import type { Consumer } from './consumer';

/** Whether the example's loss fell: its lines end with numbers, of which the last is far below the first. */
function assertLossFalls(output: string): void {
  const losses = output
    .trim()
    .split('\n')
    .map((line) => Number(/loss (\S+)$/.exec(line)?.[1]));
  assert.equal(losses.length, 5, output);
  for (let i = 1; i < losses.length; i++) assert.ok(losses[i] < losses[i - 1], output);
  assert.ok(losses[4] < losses[0] / 20, output);
}

/** A program that does not compile if anything that can be imported, or its arguments or result, has the type any. */
function typeProgram(): string {
  const lines = [
    'type IsAny<T> = 0 extends 1 & T ? true : false;',
    'type HasAny<A> = true extends { [K in keyof A]: IsAny<A[K]> }[keyof A & `${number}`] ? true : false;',
    'type IsLoose<T> = IsAny<T> extends true ? true : T extends (...args: infer A) => infer R',
    '  ? IsAny<R> extends true ? true : HasAny<A> : false;',
    'type Loose<M> = { [K in keyof M]: IsLoose<M[K]> extends true ? K : never }[keyof M];',
  ];
  modules.forEach((name, i) => {
    lines.push(`import * as m${i} from '${name}';`);
    lines.push(`export const loose${i}: [Loose<typeof m${i}>] extends [never] ? true : Loose<typeof m${i}> = true;`);
  });
  // What cells use most, and that a mistake is one.
  lines.push(
    "import { jit, tensor, type Tensor } from 'omnilab';",
    "import { run, type Manifest } from 'omnilab/pipeline';",
    'export const data: false = null! as IsAny<Awaited<ReturnType<Tensor["data"]>>>;',
    'export const result: false = null! as IsAny<Awaited<ReturnType<typeof run>>>;',
    'export const fields: false = null! as IsAny<Manifest["metrics"]>;',
    'export const compiled: Promise<{ y: Tensor }> = jit((x: Tensor) => ({ y: x.exp() }))(tensor([1]));',
    '// @ts-expect-error',
    "tensor('no numbers');",
  );
  return lines.join('\n') + '\n';
}

describe('package: as others use it', function () {
  let consumer: Consumer;

  before(async () => {
    consumer = await makeConsumer();
  });
  after(() => consumer?.remove());

  const folderOf = (name: string, files: Record<string, string>): string => {
    const folder = path.join(consumer.folder, name);
    fs.mkdirSync(folder);
    for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, file), text);
    return folder;
  };

  it('compiles and trains the example of the README as an ES module and as CommonJS', async () => {
    const example = readmeBlocks('ts')[0];
    const loop = example.indexOf('\nfor (');
    assert.ok(loop > 0, 'the example has a loop');
    // CommonJS has no await at the top level.
    const inFunction = `${example.slice(0, loop)}\nasync function main(): Promise<void> {${example.slice(loop)}}\nvoid main();\n`;
    const folder = folderOf('programs', {
      'example.mts': example,
      'example.cts': inFunction,
      'types.mts': typeProgram(),
      'types.cts': typeProgram(),
    });
    await compile('typescript', folder, { module: 'nodenext', skipLibCheck: false });
    const outputs = await Promise.all(['example.mjs', 'example.cjs'].map((file) => runNode(folder, file)));
    outputs.forEach(assertLossFalls);
    // The same program, the same numbers.
    assert.equal(outputs[0], outputs[1]);
  });

  it('compiles and runs the example with data of your own: the model has learned the text, and its file is there', async () => {
    const example = readmeBlocks('ts').find((block) => block.includes('pretrain('))!;
    const folder = folderOf('own-data', { 'own.mts': example });
    await compile('typescript', folder, { module: 'nodenext' });
    assert.equal((await runNode(folder, 'own.mjs')).trim(), 'sleeps');
    assert.ok(fs.existsSync(path.join(folder, 'model.safetensors')));
  });

  it('has types for the TypeScript of notebook cells', async () => {
    const folder = folderOf('cells', { 'types.ts': typeProgram() });
    // The options of tslab 1.0.22, but strict; its own declarations are not checked there either.
    await compile('@tslab/typescript-for-tslab', folder, {
      module: 'esnext',
      moduleResolution: 'node',
      esModuleInterop: true,
      skipLibCheck: true,
      noEmit: true,
    });
  });

  it('gives the same names to import and require, without the optional packages', async () => {
    const program = `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const names = {};
      for (const name of ${JSON.stringify(modules)}) {
        const required = Object.keys(require(name));
        const imported = Object.keys(await import(name)).filter((n) => !['default', 'module.exports', '__esModule'].includes(n));
        names[name] = [required.sort(), imported.sort()];
      }
      console.log(JSON.stringify(names));`;
    const folder = folderOf('names', { 'names.mjs': program });
    const names = JSON.parse(await runNode(folder, 'names.mjs')) as Record<string, [string[], string[]]>;
    for (const [name, [required, imported]] of Object.entries(names)) {
      assert.ok(required.length > 0, `${name} has no names`);
      assert.deepEqual(imported, required, name);
    }
  });

  it('knows the experiments that its notebooks need, once they are imported', async () => {
    const program = `
      const { listExperiments } = require('omnilab/pipeline');
      const before = listExperiments().length;
      const { notebooks } = require('omnilab/experiments');
      const names = listExperiments().map((e) => e.name);
      console.log(JSON.stringify({ before, names, needs: notebooks.flatMap((n) => n.needs) }));`;
    const folder = folderOf('experiments', { 'experiments.cjs': program });
    const found = JSON.parse(await runNode(folder, 'experiments.cjs')) as {
      before: number;
      names: string[];
      needs: string[];
    };
    assert.equal(found.before, 0);
    assert.ok(found.needs.length > 0);
    assert.deepEqual(
      found.needs.filter((name) => !found.names.includes(name)),
      [],
    );
  });

  it('names the package to install where an optional one is missed', async () => {
    const program = `
      const { setDefaultDevice, tensor } = require('omnilab');
      const { renderFigure } = require('omnilab/report');
      const { runNotebook } = require('omnilab/kernels');
      const { writeFileSync } = require('node:fs');
      const tell = async (work) => {
        try { await work(); console.log('no error'); } catch (error) { console.log(error.name + ': ' + error.help); }
      };
      (async () => {
        await tell(async () => { setDefaultDevice('tfjs'); await tensor([1]).add(1).data(); });
        await tell(() => renderFigure({ data: [], layout: {} }, 'figure'));
        writeFileSync('empty.ipynb', JSON.stringify({ cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 }));
        await tell(() => runNotebook('empty.ipynb'));
      })();`;
    const folder = folderOf('missing', { 'missing.cjs': program });
    const lines = (await runNode(folder, 'missing.cjs')).trim().split('\n');
    assert.equal(lines.length, 3, lines.join('\n'));
    for (const line of lines) {
      const name = /^MissingPackageError: .*npm install (\S+)/.exec(line)?.[1];
      assert.ok(name !== undefined && name in manifest.peerDependencies, line);
    }
  });
});

describe('package: what an import loads', function () {
  it('only packages that are always there', async () => {
    const program = `
      const loaded = {};
      for (const name of ${JSON.stringify(modules)}) {
        require(name);
        loaded[name] = Object.keys(require.cache);
      }
      console.log(JSON.stringify(loaded));`;
    const loaded = JSON.parse(await runNode(root, '-e', program)) as Record<string, string[]>;
    const packagesOf = (files: string[]): Set<string> =>
      new Set(
        files.flatMap((file) => {
          const parts = file.split(path.sep);
          const at = parts.lastIndexOf('node_modules');
          if (at < 0) return [];
          return [parts[at + 1].startsWith('@') ? `${parts[at + 1]}/${parts[at + 2]}` : parts[at + 1]];
        }),
      );
    // The engine alone needs the writer of ONNX files; ONNX Runtime itself is loaded by the worker thread.
    const engine = packagesOf(loaded.omnilab);
    assert.ok(engine.has('protobufjs'));
    assert.ok(!engine.has('onnxruntime-node'));
    const all = packagesOf(Object.values(loaded).flat());
    for (const name of [...Object.keys(manifest.peerDependencies), '@tslab/typescript-for-tslab', 'typescript'])
      assert.ok(!all.has(name), `an import of omnilab loads ${name}`);
  });
});

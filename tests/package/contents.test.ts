/** What the package contains, and what it says of itself. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeConsumer, manifest, modules, readmeBlocks, root, runNode } from './consumer';
import type { Consumer } from './consumer';

const MAX_TARBALL_BYTES = 1_500_000;

describe('package: contents', function () {
  let consumer: Consumer;
  let files: string[];

  before(async () => {
    consumer = await makeConsumer();
    files = (fs.readdirSync(consumer.installed, { recursive: true }) as string[])
      .filter((file) => fs.statSync(path.join(consumer.installed, file)).isFile())
      .map((file) => file.split(path.sep).join('/'));
  });
  after(() => consumer?.remove());

  it('has the library, the kernel and the papers, and nothing else', () => {
    for (const needed of ['README.md', 'LICENSE', 'CHANGELOG.md', 'CITATION.cff', 'kernels/omnilab/kernel.json'])
      assert.ok(files.includes(needed), `${needed} is missing`);
    const strange = files.filter(
      (file) =>
        !/^dist\/(lib|kernels)\/.*\.(js|d\.ts)$|^kernels\/omnilab\/|^[A-Z]+(\.md|\.cff)?$|^package\.json$/.test(file),
    );
    assert.deepEqual(strange, []);
    assert.ok(
      consumer.tarballBytes < MAX_TARBALL_BYTES,
      `expected a tarball below ${MAX_TARBALL_BYTES} bytes, got ${consumer.tarballBytes}`,
    );
  });

  it('has the kernel that its kernelspec starts, and its command', () => {
    const spec = JSON.parse(fs.readFileSync(path.join(consumer.installed, 'kernels/omnilab/kernel.json'), 'utf8')) as {
      argv: string[];
    };
    const start = spec.argv.find((part) => part.startsWith('{resource_dir}/'))!;
    const launcher = path.posix.join('kernels/omnilab', start.slice('{resource_dir}/'.length));
    assert.ok(files.includes(launcher), `${launcher} is missing`);
    for (const command of Object.values(manifest.bin))
      assert.ok(files.includes(path.posix.normalize(command)), `${command} is missing`);
  });

  it('runs its command', async () => {
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
    const main = path.join(consumer.installed, manifest.bin.omnilab);
    assert.equal((await runNode(consumer.folder, main, '--version')).trim(), version);
  });

  it('says of commands that need the whole project where they can be run', async () => {
    const main = path.join(consumer.installed, manifest.bin.omnilab);
    for (const args of [['reproduce', '--profile', 'smoke'], ['data'], ['data', 'omniworld'], ['bench']])
      await assert.rejects(
        runNode(consumer.folder, main, ...args),
        /not part of the installed package.*in a clone/s,
        args.join(' '),
      );
  });

  it('examines the machine without advice that only holds in a clone', async () => {
    const found = await runNode(consumer.folder, path.join(consumer.installed, manifest.bin.omnilab), 'doctor');
    assert.match(found, /^ok +device cpu: works/m);
    assert.match(found, /run npm install tslab/);
    assert.doesNotMatch(found, /npm ci|make reproduce|npm run/);
  });

  it('has code and types for every name that can be imported, alike for old and new resolution', () => {
    const paths: Record<string, string[]> = {};
    for (const [key, entry] of Object.entries(manifest.exports)) {
      if (typeof entry === 'string') {
        assert.ok(files.includes(path.posix.normalize(entry)), `${entry} is missing`);
        continue;
      }
      for (const file of [entry.types, entry.default])
        assert.ok(files.includes(path.posix.normalize(file)), `${key}: ${file} is missing`);
      if (key === '.') assert.deepEqual([manifest.types, manifest.main], [entry.types, entry.default]);
      else paths[key.slice(2)] = [entry.types];
    }
    assert.deepEqual(manifest.typesVersions, { '*': paths });
  });

  it('has an index for every folder of the library except the command line', () => {
    const folders = fs
      .readdirSync(path.join(root, 'lib'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && fs.existsSync(path.join(root, 'lib', entry.name, 'index.ts')))
      .map((entry) => `omnilab/${entry.name}`);
    assert.deepEqual(
      folders.filter((name) => !modules.includes(name)),
      [],
    );
  });

  it('declares each optional package as a peer, and pins it for work on the project', () => {
    assert.deepEqual(Object.keys(manifest.peerDependenciesMeta).sort(), Object.keys(manifest.peerDependencies).sort());
    for (const [name, range] of Object.entries(manifest.peerDependencies)) {
      assert.equal(manifest.peerDependenciesMeta[name].optional, true, name);
      const pinned = manifest.devDependencies[name];
      // Its installation downloads a library for NVIDIA GPUs.
      if (name === '@tensorflow/tfjs-node-gpu') assert.equal(pinned, undefined);
      else assert.equal(range, `^${pinned}`, `the peer ${name} and the version that is tested`);
    }
  });
});

describe('README', () => {
  const text = fs.readFileSync(path.join(root, 'README.md'), 'utf8');

  it('has one screen before its first heading', () => {
    const lines = text.slice(0, text.indexOf('\n## ')).split('\n');
    assert.ok(lines.length <= 45, `expected at most 45 lines, got ${lines.length}`);
  });

  it('links to files that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map((m) => m[1]).filter((link) => !/^\w+:/.test(link));
    assert.ok(links.length > 10);
    assert.deepEqual(
      links.filter((link) => !fs.existsSync(path.join(root, link))),
      [],
    );
  });

  it('lists every package and every name that can be imported', () => {
    const tables = text.split('\n').filter((line) => line.startsWith('|'));
    const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
    for (const name of [...names, ...modules.filter((m) => m !== 'omnilab').map((m) => `\`${m}\``)])
      assert.ok(
        tables.some((line) => line.includes(name)),
        `${name} is in no table`,
      );
  });

  it('lists the targets that the Makefile has', () => {
    const makefile = fs.readFileSync(path.join(root, 'Makefile'), 'utf8');
    const documented = [...makefile.matchAll(/^([a-z]+):.*## /gm)].map((m) => m[1]);
    const listed = /`make help` lists the targets: `([^`]+)`/.exec(text)![1].split(' ');
    assert.deepEqual(
      listed.filter((target) => !documented.includes(target)),
      [],
    );
    for (const [, target] of readmeBlocks('sh')
      .join('')
      .matchAll(/^make (\w+)/gm))
      assert.ok(documented.includes(target), `make ${target}`);
  });
});

/**
 * A fresh project that has installed the package: what `npm pack` would publish, unpacked, with links to the packages
 * that it declares as its dependencies and to nothing else. So whatever it needs beyond them is missed here.
 */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The project's own folder. */
export const root = path.resolve(__dirname, '../../..');

interface Manifest {
  main: string;
  types: string;
  bin: Record<string, string>;
  exports: Record<string, string | { types: string; default: string }>;
  typesVersions: Record<string, Record<string, string[]>>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  devDependencies: Record<string, string>;
}
export const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;

/** The names to import: omnilab, omnilab/graph, ... */
export const modules: readonly string[] = Object.keys(manifest.exports)
  .filter((key) => key !== './package.json')
  .map((key) => path.posix.join('omnilab', key));

export interface Consumer {
  /** The project's folder. */
  folder: string;
  /** The package in it. */
  installed: string;
  /** The size of the tarball in bytes. */
  tarballBytes: number;
  remove(): void;
}

/** Packs what has been built and installs it into a new folder. */
export async function makeConsumer(): Promise<Consumer> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-consumer-')));
  const modulesFolder = path.join(folder, 'node_modules');
  fs.mkdirSync(modulesFolder);
  await execute('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: root,
    shell: process.platform === 'win32',
  });
  const tarball = fs.readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  await execute('tar', ['-xzf', tarball], { cwd: folder });
  const installed = path.join(modulesFolder, 'omnilab');
  fs.renameSync(path.join(folder, 'package'), installed);
  for (const name of Object.keys(manifest.dependencies)) {
    const link = path.join(modulesFolder, name);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(fs.realpathSync(path.join(root, 'node_modules', name)), link, 'junction');
  }
  return {
    folder,
    installed,
    tarballBytes: fs.statSync(path.join(folder, tarball)).size,
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs a program of Node in `cwd`; resolves to its standard output. What it says on failure is the error's message. */
export async function runNode(cwd: string, ...args: string[]): Promise<string> {
  try {
    return (await execute(process.execPath, args, { cwd, maxBuffer: 2 ** 26 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`node ${args.join(' ')} failed\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Runs a TypeScript compiler on a folder's tsconfig.json, which it writes. Node's types are the project's. */
export async function compile(
  compiler: 'typescript' | '@tslab/typescript-for-tslab',
  folder: string,
  compilerOptions: Record<string, unknown>,
): Promise<void> {
  const common = {
    target: 'es2022',
    strict: true,
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules', '@types')],
  };
  fs.writeFileSync(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...common, ...compilerOptions } }),
  );
  await runNode(folder, path.join(root, 'node_modules', compiler, 'lib', 'tsc.js'), '-p', '.');
}

/** The code blocks of a language in the README, in order. */
export function readmeBlocks(language: string): string[] {
  const text = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter((m) => m[1] === language).map((m) => m[2]);
}

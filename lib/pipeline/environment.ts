/** What surrounds a run: the machine, the versions of the libraries, the state of git. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Manifest } from './manifest';
import { packageRoot, projectRoot } from './paths';

/** Commit and whether anything differs from it; null outside of a git checkout or where git is not installed. */
export function gitState(folder = projectRoot()): Manifest['git'] {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return { commit: git('rev-parse', 'HEAD'), dirty: git('status', '--porcelain') !== '' };
  } catch {
    return null;
  }
}

/** A package's installed version, or null. */
export function installedVersion(name: string): string | null {
  for (const base of require.resolve.paths(name) ?? []) {
    const file = path.join(base, name, 'package.json');
    if (fs.existsSync(file)) return (JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return null;
}

/** This package's version. */
export const ownVersion = (): string =>
  (JSON.parse(fs.readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;

/** The versions that a result may depend on, by library. */
export function libraryVersions(): Record<string, string> {
  const runtime = installedVersion('onnxruntime-node');
  return {
    omnilab: ownVersion(),
    node: process.versions.node,
    ...(runtime ? { 'onnxruntime-node': runtime } : {}),
  };
}

/** The machine that a run is made on. */
export function describeMachine(): Manifest['machine'] {
  const cpus = os.cpus();
  return {
    platform: `${process.platform} ${process.arch}`,
    processor: cpus[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
  };
}

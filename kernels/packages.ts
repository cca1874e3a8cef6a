/**
 * Loads the optional packages of the notebooks, tslab and zeromq, from the project that uses OmniLab. Only what is
 * used of tslab is typed here: its converter (TypeScript to JavaScript, types, completion) and its executor.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as TypeScript from '@tslab/typescript-for-tslab';
import type * as Converter from 'tslab/dist/converter';
import type * as Executor from 'tslab/dist/executor';
import type * as ZeroMQ from 'zeromq';
import { MissingPackageError } from '../lib/errors';
import { packageRoot, projectRoot } from './roots';

/** What is used of tslab. */
export interface Tslab {
  version: string;
  ts: typeof TypeScript;
  createConverter: typeof Converter.createConverter;
  createExecutor: typeof Executor.createExecutor;
  isCompleteCode: typeof Converter.isCompleteCode;
  printQuickInfo(info: TypeScript.QuickInfo): string;
  /** tslab's own display functions write through this variable of its module. */
  jupyter: {
    lastWriteDisplayData: ((data: Record<string, unknown>, update: boolean) => void) | null;
  };
}

function resolve(name: string, folders: string[]): string {
  try {
    return createRequire(__filename).resolve(name, { paths: folders });
  } catch (cause) {
    throw new MissingPackageError('notebooks', name, { cause });
  }
}

/** Loads tslab as the project has it. Throws MissingPackageError. */
export function loadTslab(project: string = projectRoot()): Tslab {
  const main = resolve('tslab', [project, packageRoot()]);
  const require = createRequire(main);
  const dist = path.dirname(main);
  const converter = require(path.join(dist, 'converter.js')) as typeof Converter;
  const executor = require(path.join(dist, 'executor.js')) as typeof Executor;
  const inspect = require(path.join(dist, 'inspect.js')) as Pick<Tslab, 'printQuickInfo'>;
  return {
    version: (require('../package.json') as { version: string }).version,
    ts: require('@tslab/typescript-for-tslab') as typeof TypeScript,
    createConverter: converter.createConverter,
    createExecutor: executor.createExecutor,
    isCompleteCode: converter.isCompleteCode,
    printQuickInfo: inspect.printQuickInfo,
    jupyter: require(path.join(dist, 'jupyter.js')) as Tslab['jupyter'],
  };
}

/** Loads zeromq, the project's own or the one that tslab brings. Throws MissingPackageError. */
export function loadZeroMQ(project: string = projectRoot()): typeof ZeroMQ {
  const folders = [project, packageRoot()];
  try {
    folders.push(path.dirname(resolve('tslab', folders)));
  } catch {
    // zeromq alone is enough here.
  }
  return createRequire(__filename)(resolve('zeromq', folders)) as typeof ZeroMQ;
}

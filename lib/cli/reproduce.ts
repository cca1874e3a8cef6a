/** `omnilab reproduce` */
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { OmniError } from '../errors';
import { notebooks } from '../experiments';
import { defaultJobs } from '../pipeline/jobs';
import { selectNotebooks } from '../pipeline/notebooks';
import { projectRoot } from '../pipeline/paths';
import { parseProfile } from '../pipeline/profile';
import { reproduce } from '../pipeline/reproduce';
import { interruptible } from './interrupt';
import type { Terminal } from './terminal';
import { checkDevice, STATUS, usage } from './status';

export interface ReproduceCommandOptions {
  profile: string;
  device: string;
  only?: string;
  seeds?: number;
  jobs?: number;
  cellTimeout?: number;
  json?: boolean;
}

/** `omnilab reproduce`. Returns the exit status. */
export async function reproduceCommand(options: ReproduceCommandOptions, terminal: Terminal): Promise<number> {
  const [, chosen] = usage(() => [parseProfile(options.profile), selectNotebooks(notebooks, options.only)] as const);
  checkDevice(options.device);
  if (!chosen.some((entry) => existsSync(path.join(projectRoot(), entry.path))))
    throw new OmniError(
      'reproduce',
      `expected the project's notebooks in ${path.join(projectRoot(), 'notebooks')}, got none`,
      'they are not part of the installed package: run it in a clone of the project; omnilab run makes single experiments',
    );
  const result = await interruptible(
    (signal) =>
      reproduce({
        notebooks,
        profile: options.profile,
        device: options.device,
        seeds: options.seeds,
        only: options.only,
        jobs: {
          count: options.jobs ?? defaultJobs(options.device, options.profile),
          worker: path.join(__dirname, 'run-worker.js'),
        },
        cellTimeoutMs: options.cellTimeout === undefined ? undefined : options.cellTimeout * 1000,
        quiet: options.json,
        print: (line) => (options.json ? terminal.err : terminal.out)(line + '\n'),
        signal,
      }),
    () => terminal.err('\nstopping; once more to end at once\n'),
  );
  if (options.json) terminal.out(JSON.stringify(result, null, 2) + '\n');
  if (result.status === 'cancelled') return STATUS.interrupted;
  return result.status === 'ok' ? STATUS.ok : STATUS.failure;
}

/** `omnilab data` and `omnilab bench`: scripts of the project, which the installed package does not carry. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { OmniError } from '../errors';
import { closest } from '../pipeline/closest';
import { packageRoot } from '../pipeline/paths';
import type { Terminal } from './terminal';
import { STATUS, UsageError } from './status';

/** Runs a compiled script with this Node; resolves to its exit status. */
function runScript(file: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    // Ctrl-C reaches the script too; this process waits for what it does about it.
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    const child = spawn(process.execPath, [file, ...args], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.removeListener('SIGINT', ignore);
      resolve(code ?? (signal === 'SIGINT' ? STATUS.interrupted : STATUS.failure));
    });
  });
}

/** Lists the data scripts, or runs one. A script is a file of data-scripts/ that does not begin with "_". */
export async function dataCommand(
  name: string | undefined,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const folder = path.join(packageRoot(), 'dist', 'data-scripts');
  const names = (fs.existsSync(folder) ? fs.readdirSync(folder) : [])
    .filter((file) => /^[a-z].*\.js$/.test(file))
    .map((file) => file.slice(0, -3))
    .sort();
  if (!names.length)
    throw new OmniError(
      'data',
      'the data scripts are not part of the installed package',
      'run it in a clone of the project',
    );
  if (name === undefined) {
    terminal.out(names.map((n) => n + '\n').join(''));
    return STATUS.ok;
  }
  if (!names.includes(name)) throw new UsageError('data', `there is no data script "${name}"`, closest(name, names));
  return runScript(path.join(folder, `${name}.js`), args);
}

/** `omnilab bench`. Returns the exit status. */
export async function benchCommand(args: readonly string[]): Promise<number> {
  const file = path.join(packageRoot(), 'dist', 'tests', 'bench', 'main.js');
  if (!fs.existsSync(file))
    throw new OmniError(
      'bench',
      'the benchmark is not part of the installed package',
      'run it in a clone of the project',
    );
  return runScript(file, args);
}

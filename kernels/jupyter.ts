/** Jupyter in front of the kernel: finds JupyterLab and opens it, and installs the kernelspec for the user. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { OmniError } from '../lib/errors';
import { packageRoot, projectRoot } from './roots';

/** A program outside of npm is missing. */
export class MissingProgramError extends OmniError {}

const CANDIDATES: readonly (readonly string[])[] = [
  ['jupyter-lab'],
  ['jupyter', 'lab'],
  ['python3', '-m', 'jupyterlab'],
  ['python', '-m', 'jupyterlab'],
];

/** The command that starts JupyterLab, with its version; null when none is found on PATH. */
export function findJupyterLab(
  env: NodeJS.ProcessEnv = process.env,
): { command: readonly string[]; version: string } | null {
  for (const command of CANDIDATES) {
    const [program, ...args] = command;
    const { status, stdout } = spawnSync(program, [...args, '--version'], { encoding: 'utf8', env, timeout: 30_000 });
    if (status === 0 && stdout.trim() !== '') return { command, version: stdout.trim() };
  }
  return null;
}

/** `env` with the package's kernelspec on Jupyter's path. */
export function withKernelspec(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const paths = [packageRoot(), ...(env.JUPYTER_PATH ? [env.JUPYTER_PATH] : [])];
  return { ...env, JUPYTER_PATH: paths.join(path.delimiter) };
}

export interface OpenNotebookOptions {
  /** A notebook or folder to open. Default: the project's folder `notebooks`, or the project. */
  path?: string;
  /** More arguments for JupyterLab, such as --no-browser. */
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/**
 * Opens JupyterLab with the OmniLab kernel; resolves to its exit status. Throws MissingProgramError when JupyterLab is
 * not found.
 */
export async function openNotebook(options: OpenNotebookOptions = {}): Promise<number> {
  const env = withKernelspec(options.env);
  const found = findJupyterLab(env);
  if (!found) {
    throw new MissingProgramError(
      'openNotebook',
      'expected JupyterLab on PATH (jupyter-lab, jupyter lab or python3 -m jupyterlab), got none',
      'install it: python3 -m pip install jupyterlab. Notebooks also run without it: make reproduce',
    );
  }
  const [program, ...args] = [...found.command, ...(options.path ? [options.path] : []), ...(options.args ?? [])];
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: projectRoot(), env, stdio: 'inherit' });
    // Ctrl-C reaches JupyterLab too, which asks what to do; this process waits for its answer.
    const ignore = (): void => undefined;
    process.on('SIGINT', ignore);
    const settle = (status: number): void => {
      process.removeListener('SIGINT', ignore);
      done(status);
    };
    child.once('error', fail);
    child.once('exit', (code, signal) => settle(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/** The folder in which Jupyter looks for this user's kernels. */
export function jupyterDataDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (process.platform === 'darwin') return path.join(homedir(), 'Library', 'Jupyter');
  if (process.platform === 'win32')
    return path.join(env.APPDATA ?? path.join(homedir(), 'AppData', 'Roaming'), 'jupyter');
  return path.join(env.XDG_DATA_HOME ?? path.join(homedir(), '.local', 'share'), 'jupyter');
}

/**
 * Installs the kernelspec for this user, with the absolute paths of this Node and this package; returns its folder.
 * Run it again after either has moved.
 */
export function installKernelspec(options: { dataDir?: string } = {}): string {
  const root = packageRoot();
  const folder = path.join(options.dataDir ?? jupyterDataDir(), 'kernels', 'omnilab');
  const spec = JSON.parse(readFileSync(path.join(root, 'kernels', 'omnilab', 'kernel.json'), 'utf8')) as {
    argv: string[];
  };
  spec.argv = [process.execPath, path.join(root, 'dist', 'kernels', 'start.js'), '{connection_file}'];
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'kernel.json');
  writeFileSync(`${file}.tmp`, JSON.stringify(spec, null, 2) + '\n');
  renameSync(`${file}.tmp`, file);
  return folder;
}

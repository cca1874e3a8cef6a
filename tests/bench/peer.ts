/** Python processes with PyTorch that do the same work whenever they are asked to, so that turns can be taken. */
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface Peer {
  /** Sends a line and gives the line that answers it. */
  ask(line: string): Promise<string>;
  close(): void;
}

const folder = path.resolve(__dirname, '../../../tests/bench');

/** The version of a Python package, or null where Python or the package is missing. */
export function pythonVersion(name: string): string | null {
  const code = `from importlib.metadata import version; print(version('${name}'))`;
  const found = spawnSync('python3', ['-c', code], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}

/** Starts a script of this folder; `greets`: it writes a line when it is ready. */
export async function startPeer(script: string, args: readonly string[], greets = false): Promise<Peer> {
  const child = spawn('python3', [path.join(folder, script), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-2000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = (await lines.next()) as { value: string; done?: boolean };
    if (done) throw new Error(`${script} ended early:\n${complaints}`);
    return value;
  };
  if (greets) await next();
  return {
    ask: async (line) => {
      child.stdin.write(line + '\n');
      return next();
    },
    close: () => child.kill(),
  };
}

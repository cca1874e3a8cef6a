/** A Python process with PyTorch that runs one training step whenever it is asked to. */
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface Peer {
  /** Milliseconds of one step. */
  step(): Promise<number>;
  close(): void;
}

const script = path.resolve(__dirname, '../../../tests/bench/torch_peer.py');

/** PyTorch's version, or null where Python or PyTorch is missing. */
export function torchVersion(): string | null {
  const found = spawnSync('python3', ['-c', 'import torch; print(torch.__version__)'], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}

export async function startPeer(config: object, mode: 'eager' | 'compiled'): Promise<Peer> {
  const child = spawn('python3', [script, JSON.stringify(config), mode], { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = (await lines.next()) as { value: string; done?: boolean };
    if (done) throw new Error(`the PyTorch peer (${mode}) ended early`);
    return value;
  };
  await next();
  return {
    step: async () => {
      child.stdin.write('step\n');
      return Number(await next());
    },
    close: () => child.kill(),
  };
}

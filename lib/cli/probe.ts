/** Multiplies two small matrices on the device that the argument names, and prints what came of it as a line of JSON. */
import { tensor } from '../graph';
import type { Tensor } from '../graph';
import { jit } from '../runtime';

/** Milliseconds to start the device and get a right answer. Throws if it cannot be used or answers wrongly. */
async function tryDevice(device: string): Promise<number> {
  const began = performance.now();
  const product = jit((a: Tensor, b: Tensor) => a.matMul(b), { device, name: 'probe' });
  const values = await (await product(tensor([[1, 2]]), tensor([[3], [4]]))).data();
  if (values[0] !== 11) throw new Error(`expected 11, got ${values[0]}`);
  return performance.now() - began;
}

const end = (ok: boolean, text: string): void =>
  void process.stdout.write(JSON.stringify({ ok, text }) + '\n', () => process.exit(0));

/** The runtime's messages begin with its own source files and conditions; the reason comes last. */
const reason = (text: string): string => /(?:Failed|failed|Unable|cannot) .*/.exec(text)?.[0] ?? text;

tryDevice(process.argv[2] ?? 'cpu').then(
  (milliseconds) => end(true, `works (${milliseconds.toFixed(0)} ms to start)`),
  (error: Error) => end(false, reason(error.message.split('\n')[0])),
);

/** The process that tries one device (see probe.ts): `node probe-child.js <device>`. It prints one report. */
import { OmniError } from '../errors';
import { tensor } from '../graph/tensor';
import type { DType } from '../graph/dtype';
import { jit } from './index';
import { REPORT_MARK } from './probe';
import type { DeviceReport } from './probe';

/** [[1, 2], [3, 4]] times itself, plus one: the values tell a device that runs from one that computes. */
async function run(device: string, dtype: DType): Promise<void> {
  const x = tensor([1, 2, 3, 4], { shape: [2, 2], dtype });
  const square = jit((a: typeof x) => a.matMul(a).add(1), { device, name: 'probe' });
  const y = await (await square(x)).numbers();
  if (y.join() !== '8,11,16,23') throw new Error(`expected 8, 11, 16, 23, got ${y.join(', ')}`);
}

/** The first line of a message, without the place in the runtime's sources that it begins with. */
const plain = (message: string): string =>
  message
    .trim()
    .split('\n')[0]
    .replace(/^\S*onnxruntime_src.* was false\. /, '');

async function probe(name: string): Promise<DeviceReport> {
  const failure = (error: unknown): { reason: string; help: string | null } => {
    if (error instanceof OmniError) return { reason: plain(error.what), help: error.help };
    return { reason: plain((error as Error).message), help: null };
  };
  const began = performance.now();
  try {
    await run(name, 'float32');
  } catch (error) {
    return { name, works: false, float16: false, startMs: null, ...failure(error) };
  }
  const startMs = Math.round(performance.now() - began);
  try {
    await run(name, 'float16');
    return { name, works: true, float16: true, startMs, reason: null, help: null };
  } catch (error) {
    return { name, works: true, float16: false, startMs, ...failure(error) };
  }
}

void probe(process.argv[2] ?? 'cpu').then((report) => {
  // Leaving at once: the teardown of a driver may crash, and the answer is known.
  process.stdout.write(`${REPORT_MARK}${JSON.stringify(report)}\n`, () => process.exit(0));
});

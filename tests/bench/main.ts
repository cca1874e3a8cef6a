/**
 * `npm run bench [-- --only training,generation,pictures --sizes 1m,4m,25m --rounds 12 --json]`: the training step, in
 * tokens a second and as a share of what a plain matrix product reaches in the same runtime; generation of tokens and of
 * pictures; start-up and memory; where Python has PyTorch, the same work there with the same weights, in turns with ours.
 * Ratios are times: above 1 ours takes less. Timings of shared machines are noisy: read the ratios.
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { closeDevices, cpuThreads, getDevice, setDefaultDevice } from '../../lib';
import { benchGeneration } from './generation';
import { pythonVersion } from './peer';
import { benchPictures } from './pictures';
import { benchTraining, productRate } from './training';

const PARTS = ['training', 'generation', 'pictures'];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: PARTS.join() },
    sizes: { type: 'string', default: '1m,4m,25m' },
    rounds: { type: 'string', default: '12' },
    device: { type: 'string', default: 'cpu' },
    json: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void (options.json || process.stdout.write(text + '\n'));

async function main(): Promise<void> {
  const parts = options.only.split(',');
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`bench: expected --only with ${PARTS.join(', ')}, got ${unknown}`);
  setDefaultDevice(options.device);
  getDevice();
  const torch = pythonVersion('torch');
  const transformers = torch && pythonVersion('transformers');
  const diffusers = torch && pythonVersion('diffusers');
  const rate = await productRate(1024);
  const [sizes, rounds] = [options.sizes.split(','), Number(options.rounds)];
  say(
    `${cpus()[0].model}, ${cpuThreads()} threads, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}, device ${options.device}`,
  );
  const missing = 'not found, so no peer';
  say(
    `matrix product 1024 x 1024: ${rate.toFixed(0)} GFLOP/s; PyTorch: ${torch ?? missing}; transformers: ${transformers ?? missing}; diffusers: ${diffusers ?? missing}`,
  );
  say('');
  const training = parts.includes('training') ? await benchTraining(sizes, rounds, rate, torch !== null, say) : [];
  const generation = parts.includes('generation')
    ? await benchGeneration(sizes, rounds, transformers !== null, say)
    : [];
  const pictures = parts.includes('pictures') ? await benchPictures(rounds, diffusers !== null, say) : [];
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  say(`peak memory of this process: ${peakMiB.toFixed(0)} MiB`);
  if (options.json)
    process.stdout.write(
      JSON.stringify({ rate, torch, transformers, diffusers, training, generation, pictures, peakMiB }, null, 2) + '\n',
    );
  await closeDevices();
}

void main();

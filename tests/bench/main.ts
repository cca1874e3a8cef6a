/**
 * `npm run bench [-- --sizes 1m,4m,25m --rounds 12 --json]`: the training step at three sizes, in tokens a second and
 * as a share of what a plain matrix product reaches in the same runtime; where Python has PyTorch, the same step
 * there, eager and compiled, in turns with ours; generation, start-up and memory. Timings of shared machines are
 * noisy: read the ratios.
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import {
  adamW,
  adamWInit,
  adamWScalars,
  clipFactor,
  countElements,
  cpuThreads,
  getDevice,
  jit,
  llama,
  llamaInit,
  llamaSizes,
  Random,
  setDefaultDevice,
  tensor,
  tokenLogProbs,
  valueAndGrad,
} from '../../lib';
import type { LlamaConfig, Tensor } from '../../lib';
import { generate } from '../../lib/generate';
import { startPeer, torchVersion } from './peer';
import type { Peer } from './peer';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1m,4m,25m' },
    rounds: { type: 'string', default: '12' },
    device: { type: 'string', default: 'cpu' },
    json: { type: 'boolean', default: false },
  },
});

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1];
const say = (text: string): void => void (options.json || process.stdout.write(text + '\n'));

/**
 * Floating-point operations of a step for one token: 6 for each weight of a product, and the scores (Kaplan et al.
 * 2020).
 */
function flopsPerToken(c: LlamaConfig, time: number): number {
  const head = c.width / c.heads;
  const block = 2 * c.width * c.width + 2 * c.width * c.kvHeads * head + 3 * c.width * c.hidden;
  return 6 * (c.layers * block + c.width * c.vocabSize) + 12 * c.layers * c.width * time;
}

/** GFLOP/s of a product of two square matrices whose result stays inside the graph. */
async function productRate(n: number): Promise<number> {
  const rng = new Random(0);
  const [a, b] = [rng.stream('a'), rng.stream('b')].map((r) => tensor(r.uniforms(n * n), { shape: [n, n] }));
  const product = jit((x: Tensor, y: Tensor) => x.matMul(y).sum(), { name: 'product' });
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    await product(a, b);
    if (i > 4) times.push(performance.now() - start);
  }
  return (2 * n ** 3) / median(times) / 1e6;
}

interface Trainer {
  step(): Promise<number>;
  startUp: number;
  nodes: number;
  parameters: number;
}

async function ours(config: LlamaConfig, batch: number, time: number): Promise<Trainer> {
  const rng = new Random(0);
  const adam = { betas: [0.9, 0.95] as [number, number], epsilon: 1e-8, weightDecay: 0.1 };
  let params = llamaInit(rng, config);
  let state = adamWInit(params);
  const compiled = jit(
    (p: typeof params, s: typeof state, ids: Tensor, scalars: { scale: Tensor; epsilon: Tensor; decay: Tensor }) => {
      const { value, grads } = valueAndGrad((q: typeof p) =>
        tokenLogProbs(llama(q, config, { ids }), ids)
          .mean()
          .neg(),
      )(p);
      const { factor, norm } = clipFactor(grads, 1);
      const next = adamW(p, grads, s, scalars, { config: adam, factor });
      return { params: next.params, state: next.state, loss: value, norm };
    },
    { donate: [0, 1], name: 'train' },
  );
  let t = 0;
  const step = async (): Promise<number> => {
    const ids = tensor(
      Int32Array.from({ length: batch * time }, () => rng.int(config.vocabSize)),
      { shape: [batch, time] },
    );
    const start = performance.now();
    const out = await compiled(params, state, ids, adamWScalars(++t, 1e-3, adam));
    ({ params, state } = out);
    await out.loss.item();
    return performance.now() - start;
  };
  const parameters = countElements(params);
  const startUp = await step();
  const shape = tensor(new Int32Array(batch * time), { shape: [batch, time] });
  const nodes = compiled.lower(params, state, shape, adamWScalars(1, 1e-3, adam)).executable.nodeCount;
  return { step, startUp, nodes, parameters };
}

/** New tokens a second of greedy generation, all rows together: 16 tokens of prompt, 96 new ones. */
async function generation(config: LlamaConfig, rows: number): Promise<number> {
  const rng = new Random(0);
  const model = { params: llamaInit(rng, config), config };
  const prompts = Array.from({ length: rows }, () => Array.from({ length: 16 }, () => rng.int(config.vocabSize)));
  const tokens = 96;
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    const start = performance.now();
    await generate(model, prompts, { maxNewTokens: tokens, temperature: 0, maxBatch: rows });
    if (i > 0) times.push(performance.now() - start);
  }
  return (rows * tokens) / (median(times) / 1e3);
}

async function main(): Promise<void> {
  setDefaultDevice(options.device);
  getDevice();
  const version = torchVersion();
  const rate = await productRate(1024);
  say(
    `${cpus()[0].model}, ${cpuThreads()} threads, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}, device ${options.device}`,
  );
  say(`matrix product 1024 x 1024: ${rate.toFixed(0)} GFLOP/s; PyTorch: ${version ?? 'not found, so no peer'}`);
  say('');
  say(
    '| model | batch | step, ms | tokens/s | GFLOP/s | share of product | eager, ms | eager / ours | compiled, ms | compiled / ours | start-up, s |',
  );
  say('|---|---|---|---|---|---|---|---|---|---|---|');
  const results: object[] = [];
  for (const size of options.sizes.split(',')) {
    const config: LlamaConfig = llamaSizes[size as keyof typeof llamaSizes];
    const [batch, time] = [8, 128];
    const trainer = await ours(config, batch, time);
    const peerConfig = { ...config, batch, time, threads: cpuThreads() };
    const peers = new Map<string, { peer: Peer; times: number[] }>();
    if (version)
      for (const mode of ['eager', 'compiled'] as const)
        peers.set(mode, { peer: await startPeer(peerConfig, mode), times: [] });
    const times: number[] = [];
    const rounds = Number(options.rounds);
    for (let round = -3; round < rounds; round++) {
      const mine = await trainer.step();
      if (round >= 0) times.push(mine);
      for (const { peer, times: list } of peers.values()) {
        const theirs = await peer.step();
        if (round >= 0) list.push(theirs);
      }
    }
    for (const { peer } of peers.values()) peer.close();
    const step = median(times);
    const gflops = (flopsPerToken(config, time) * batch * time) / step / 1e6;
    const ratio = (mode: string): number | null => {
      const list = peers.get(mode)?.times;
      return list ? median(list.map((x, i) => x / times[i])) : null;
    };
    const row = {
      size,
      parameters: trainer.parameters,
      batch,
      time,
      stepMs: step,
      tokensPerSecond: (batch * time) / (step / 1e3),
      gflops,
      shareOfProduct: gflops / rate,
      eagerMs: peers.has('eager') ? median(peers.get('eager')!.times) : null,
      eagerRatio: ratio('eager'),
      compiledMs: peers.has('compiled') ? median(peers.get('compiled')!.times) : null,
      compiledRatio: ratio('compiled'),
      startUpSeconds: trainer.startUp / 1e3,
      nodes: trainer.nodes,
    };
    results.push(row);
    const show = (x: number | null, digits: number): string => (x === null ? '-' : x.toFixed(digits));
    say(
      `| ${size} (${(row.parameters / 1e6).toFixed(1)} M) | ${batch} x ${time} | ${show(step, 1)} | ${show(row.tokensPerSecond, 0)} | ${show(gflops, 0)} | ${show(row.shareOfProduct, 2)} | ${show(row.eagerMs, 1)} | ${show(row.eagerRatio, 2)} | ${show(row.compiledMs, 1)} | ${show(row.compiledRatio, 2)} | ${show(row.startUpSeconds, 2)} |`,
    );
  }
  say('');
  const generated: Record<string, number> = {};
  for (const size of options.sizes.split(',')) {
    const config: LlamaConfig = llamaSizes[size as keyof typeof llamaSizes];
    for (const rows of [1, 32]) {
      const rate = await generation(config, rows);
      generated[`${size} x ${rows}`] = rate;
      say(`generation, ${size}, batch ${rows}: ${rate.toFixed(0)} tokens/s`);
    }
  }
  say('');
  say(`peak memory of this process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
  if (options.json)
    process.stdout.write(
      JSON.stringify(
        { rate, torch: version, results, generated, peakMiB: process.resourceUsage().maxRSS / 1024 },
        null,
        2,
      ) + '\n',
    );
}

void main();

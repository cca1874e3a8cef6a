/** The training step, beside the same step in PyTorch, eager and compiled. */
import {
  adamW,
  adamWInit,
  adamWScalars,
  clipFactor,
  countElements,
  cpuThreads,
  jit,
  llama,
  llamaInit,
  llamaSizes,
  Random,
  tensor,
  tokenLogProbs,
  valueAndGrad,
} from '../../lib';
import type { LlamaConfig, Tensor } from '../../lib';
import { median, ratio, show, tableHead, tableRow } from './numbers';
import { startPeer } from './peer';
import type { Peer } from './peer';

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
export async function productRate(n: number): Promise<number> {
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

/** One row a size; `rate` is the product's. */
export async function benchTraining(
  sizes: readonly string[],
  rounds: number,
  rate: number,
  torch: boolean,
  say: (text: string) => void,
): Promise<object[]> {
  say(
    tableHead([
      'model',
      'batch',
      'step, ms',
      'tokens/s',
      'GFLOP/s',
      'share of product',
      'eager, ms',
      'eager / ours',
      'compiled, ms',
      'compiled / ours',
      'start-up, s',
    ]),
  );
  const results: object[] = [];
  for (const size of sizes) {
    const config: LlamaConfig = llamaSizes[size as keyof typeof llamaSizes];
    const [batch, time] = [8, 128];
    const trainer = await ours(config, batch, time);
    const peerConfig = JSON.stringify({ ...config, batch, time, threads: cpuThreads() });
    const peers: { peer: Peer; times: number[] }[] = [];
    if (torch)
      for (const mode of ['eager', 'compiled'])
        peers.push({ peer: await startPeer('torch_peer.py', [peerConfig, mode], true), times: [] });
    const times: number[] = [];
    for (let round = -3; round < rounds; round++) {
      const mine = await trainer.step();
      if (round >= 0) times.push(mine);
      for (const { peer, times: list } of peers) {
        const theirs = Number(await peer.ask('step'));
        if (round >= 0) list.push(theirs);
      }
    }
    for (const { peer } of peers) peer.close();
    const step = median(times);
    const gflops = (flopsPerToken(config, time) * batch * time) / step / 1e6;
    const [eager, compiled] = [peers[0]?.times ?? [], peers[1]?.times ?? []];
    const row = {
      size,
      parameters: trainer.parameters,
      batch,
      time,
      stepMs: step,
      tokensPerSecond: (batch * time) / (step / 1e3),
      gflops,
      shareOfProduct: gflops / rate,
      eagerMs: torch ? median(eager) : null,
      eagerRatio: ratio(eager, times),
      compiledMs: torch ? median(compiled) : null,
      compiledRatio: ratio(compiled, times),
      startUpSeconds: trainer.startUp / 1e3,
      nodes: trainer.nodes,
    };
    results.push(row);
    say(
      tableRow([
        `${size} (${(row.parameters / 1e6).toFixed(1)} M)`,
        `${batch} x ${time}`,
        show(step, 1),
        show(row.tokensPerSecond, 0),
        show(gflops, 0),
        show(row.shareOfProduct, 2),
        show(row.eagerMs, 1),
        show(row.eagerRatio, 2),
        show(row.compiledMs, 1),
        show(row.compiledRatio, 2),
        show(row.startUpSeconds, 2),
      ]),
    );
  }
  say('');
  return results;
}

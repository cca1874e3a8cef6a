/**
 * Greedy generation: the frozen model, the model whose weights are operands, and PyTorch with the same weights, in turns.
 * The tokens of all are compared.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countElements, cpuThreads, llamaInit, llamaSizes, Random } from '../../lib';
import type { LlamaConfig } from '../../lib';
import { freeze, generate } from '../../lib/generate';
import { tensorsOf } from '../../lib/graph';
import { writeSafetensors } from '../../lib/io';
import type { StoredTensor } from '../../lib/io';
import { median, ratio, show, tableHead, tableRow } from './numbers';
import { startPeer } from './peer';
import type { Peer } from './peer';

const PROMPT = 16;
const NEW = 48;

/** The places where sequences part, as a share of all tokens; rounding may part them where two tokens are as likely. */
function different(a: readonly number[][], b: readonly number[][]): number {
  const apart = a.map((row, i) => row.findIndex((t, j) => t !== b[i][j])).filter((at) => at >= 0);
  return apart.length / a.length;
}

/** One row a size and batch; tokens a second count all rows together. */
export async function benchGeneration(
  sizes: readonly string[],
  rounds: number,
  torch: boolean,
  say: (text: string) => void,
): Promise<object[]> {
  say(
    tableHead([
      'model',
      'batch',
      'tokens/s',
      'not frozen, tokens/s',
      'transformers, tokens/s',
      'transformers / ours',
      'loop, tokens/s',
      'loop / ours',
      'rows that differ',
    ]),
  );
  const folder = await mkdtemp(path.join(tmpdir(), 'omnilab-bench-'));
  const peer: Peer | null = torch ? await startPeer('torch_generate.py', [String(cpuThreads())]) : null;
  const results: object[] = [];
  try {
    for (const size of sizes) {
      const config: LlamaConfig = llamaSizes[size as keyof typeof llamaSizes];
      const rng = new Random(0);
      const model = { params: llamaInit(rng, config), config };
      const weights = path.join(folder, `${size}.safetensors`);
      const stored: Record<string, StoredTensor> = {};
      for (const { path: name, tensor: t } of tensorsOf(model.params))
        stored[name] = { dtype: 'float32', shape: [...t.shape], data: await t.data() };
      if (peer) await writeSafetensors(weights, stored);
      const frozen = await freeze(model);
      for (const rows of [1, 32]) {
        const prompts = Array.from({ length: rows }, () =>
          Array.from({ length: PROMPT }, () => rng.int(config.vocabSize)),
        );
        await peer?.ask(JSON.stringify({ config, weights, prompts, tokens: NEW }));
        const times = {
          ours: [] as number[],
          loose: [] as number[],
          transformers: [] as number[],
          loop: [] as number[],
        };
        let apart = 0;
        // A quarter of the rounds for the largest, whose rounds take long.
        const count = Math.max(3, config.width >= 512 ? rounds >> 2 : rounds);
        for (let round = -1; round < count; round++) {
          const found: number[][][] = [];
          for (const [name, m] of [
            ['ours', frozen],
            ['loose', model],
          ] as const) {
            const start = performance.now();
            const out = await generate(m, prompts, { maxNewTokens: NEW, temperature: 0, maxBatch: rows });
            if (round >= 0) times[name].push(performance.now() - start);
            found.push(out.map((g) => g.tokens));
          }
          for (const name of peer ? (['transformers', 'loop'] as const) : []) {
            const { ms, tokens } = JSON.parse(await peer!.ask(JSON.stringify({ run: name }))) as {
              ms: number;
              tokens: number[][];
            };
            if (round >= 0) times[name].push(ms);
            found.push(tokens);
          }
          apart = Math.max(apart, ...found.map((tokens) => different(tokens, found[0])));
        }
        const speed = (list: number[]): number | null => (list.length ? (rows * NEW) / (median(list) / 1e3) : null);
        const row = {
          size,
          rows,
          tokensPerSecond: speed(times.ours),
          notFrozen: speed(times.loose),
          transformers: speed(times.transformers),
          transformersRatio: ratio(times.transformers, times.ours),
          loop: speed(times.loop),
          loopRatio: ratio(times.loop, times.ours),
          rowsThatDiffer: apart,
        };
        results.push(row);
        say(
          tableRow([
            `${size} (${(countElements(model.params) / 1e6).toFixed(1)} M)`,
            String(rows),
            show(row.tokensPerSecond, 0),
            show(row.notFrozen, 0),
            show(row.transformers, 0),
            show(row.transformersRatio, 2),
            show(row.loop, 0),
            show(row.loopRatio, 2),
            show(apart, 2),
          ]),
        );
      }
      frozen.release();
    }
  } finally {
    peer?.close();
    await rm(folder, { recursive: true, force: true });
  }
  say('');
  return results;
}

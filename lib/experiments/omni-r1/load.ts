/** What Omni-R1's experiments leave for each other: the image tokenizer, the data, models; and the benchmark's answers as files. */
import path from 'node:path';
import { z } from 'zod';
import { answerMetrics, answerSamples } from '../../eval/omni-r1';
import type { R1Answer } from '../../eval/omni-r1';
import { writeFileAtomic } from '../../io/atomic';
import { readAllJsonl } from '../../io/jsonl';
import { writePng } from '../../io/media-files';
import { loadParams, noNoise } from '../../io/params';
import { Tokenizer } from '../../io/tokenizer';
import { pictureCoder } from '../../models/omni-r1';
import type { OmniR1 } from '../../models/omni-r1';
import { layoutOf } from '../../models/r1-layout';
import type { TokenLayout } from '../../models/r1-layout';
import type { R1Example, R1Row } from '../../models/r1-template';
import { vqganGrid, vqganInit, vqganSchema } from '../../models/vqgan';
import type { Context } from '../../pipeline/context';
import type { Run } from '../../pipeline/run-result';
import { formatAction, omniBenchSamples } from '../../world/omni-r1';

/** A row of the released format as files hold it. */
export const r1RowSchema: z.ZodType<R1Row> = z
  .object({
    Question: z.string(),
    'Text Reasoning Trace': z.string().optional(),
    'Final Answer': z.string(),
  })
  .catchall(z.union([z.string(), z.array(z.number().int())]));

export async function loadVqgan(run: Run): Promise<OmniR1['vqgan']> {
  const config = vqganSchema.parse(await run.loadJson('config'));
  return { config, params: await loadParams(path.join(run.dir, 'vqgan.safetensors'), vqganInit(noNoise, config)) };
}

/** The vocabulary of the data and its layout. */
export function loadVocabulary(data: Run, vqgan: OmniR1['vqgan']): { tokenizer: Tokenizer; layout: TokenLayout } {
  const side = vqganGrid(vqgan.config);
  const tokenizer = Tokenizer.load(path.join(data.dir, 'tokenizer'));
  return { tokenizer, layout: layoutOf(tokenizer, { rows: side, columns: side }) };
}

export const loadRows = (run: Run, name: string): Promise<R1Row[]> =>
  readAllJsonl(path.join(run.dir, `${name}.jsonl`), r1RowSchema);

/** Examples as they were packed by `packed`. */
export async function loadPacked(run: Run, name: string): Promise<R1Example[]> {
  const { ids, mask, ends } = await run.load(name);
  let from = 0;
  return Array.from(ends.data as Int32Array, (end) => {
    const example = {
      ids: Array.from(ids.data.slice(from, end) as Int32Array),
      mask: Array.from(mask.data.slice(from, end) as Int32Array),
    };
    from = end;
    return example;
  });
}

/** Answers the benchmark, writes answers.json and the first pictures of each task, and returns the measures. */
export async function evaluateR1(
  ctx: Pick<Context<unknown>, 'dir' | 'seed' | 'device' | 'saveJson' | 'message' | 'progress'>,
  model: OmniR1,
  o: { share: number; mode: 'plain' | 'templated'; maxNewTokens?: number; name?: string },
): Promise<{ metrics: Record<string, number>; answers: R1Answer[] }> {
  const { device, seed } = ctx;
  const { name = 'answers' } = o;
  ctx.message(`answering the benchmark (${name})`);
  const coder = pictureCoder(model, { device });
  const samples = omniBenchSamples(0, o.share);
  const answers = await answerSamples(model, coder, samples, {
    mode: o.mode,
    seed,
    device,
    maxNewTokens: o.maxNewTokens,
    onProgress: (done, total) => ctx.progress(done, total),
  });
  coder.release();
  const shown = new Map<string, number>();
  const rows = [];
  for (const [i, a] of answers.entries()) {
    const { sample } = a;
    const number = shown.get(sample.kind) ?? 0;
    shown.set(sample.kind, number + 1);
    const files: string[] = [];
    if (number < 2) {
      const list = [sample.image, ...a.pictures.flatMap((p) => (p ? [p] : []))];
      for (const [k, picture] of list.entries()) {
        const file = `${name}/${i}-${k}.png`;
        await writePng(path.join(ctx.dir, file), picture, { scale: 3 });
        files.push(file);
      }
    }
    rows.push({
      id: sample.id,
      task: sample.task,
      kind: sample.kind,
      question: sample.question,
      answer: sample.answer,
      prediction: a.text,
      accuracy: a.accuracy,
      format: a.format,
      actions: sample.steps.map((s) => formatAction(s.action)),
      right: a.steps,
      files,
    });
  }
  await writeFileAtomic(path.join(ctx.dir, `${name}.jsonl`), rows.map((r) => JSON.stringify(r) + '\n').join(''));
  return { metrics: answerMetrics(answers), answers };
}

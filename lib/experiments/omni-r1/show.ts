/** Answers and rollouts for people to look at: text and pictures in their order. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readAllJsonl } from '../../io/jsonl';
import type { Medium } from '../../io/media';
import { pictureCoder } from '../../models/omni-r1';
import { loadOmniR1 } from '../../models/omni-r1-folder';
import { imageLength, isImageToken, splitSegments } from '../../models/r1-layout';
import type { Run } from '../../pipeline/run-result';
import { evenly } from '../../pipeline/watch';
import type { GalleryItem, GalleryRow } from '../../report/display/gallery';
import type { Table } from '../../report/table';

const answerSchema = z.looseObject({
  kind: z.string(),
  question: z.string(),
  answer: z.string(),
  prediction: z.string(),
  accuracy: z.number(),
  right: z.array(z.boolean()),
  files: z.array(z.string()),
});

/** Answers to the benchmark with their pictures, the first of each kind: the question's picture, then those of the answer. */
export async function answerGallery(run: Run, name = 'answers', count = 13): Promise<GalleryRow[]> {
  const rows = await readAllJsonl(path.join(run.dir, `${name}.jsonl`), answerSchema);
  const seen = new Set<string>();
  return rows
    .filter((r) => r.files.length && !seen.has(r.kind) && seen.add(r.kind))
    .slice(0, count)
    .map((r) => ({
      label: `${r.kind}: ${r.question.replace('<image>', '')} -> ${r.prediction.trim()} (true: ${r.answer})`,
      items: r.files.flatMap((file, k): GalleryItem[] => {
        const at = path.join(run.dir, file);
        const verdict = r.right[k - 1] === undefined ? '' : r.right[k - 1] ? 'right' : 'wrong';
        return existsSync(at) ? [{ file: at, caption: k ? `picture ${k}: ${verdict}` : 'question' }] : [];
      }),
    }));
}

const rolloutSchema = z.looseObject({
  step: z.number(),
  text: z.string(),
  answer: z.string(),
  tokens: z.array(z.number().int()),
  score: z.number(),
  acc: z.number(),
  format: z.number(),
  image: z.number().optional(),
});

/** Rollouts of PeRPO: of the first group of the first and of the last step that the run's file has `count` different ones, from the best reward to the worst. */
export async function rolloutGallery(run: Run, model: string, count = 3): Promise<GalleryRow[]> {
  const all = await readAllJsonl(path.join(run.dir, 'rollouts.jsonl'), rolloutSchema);
  if (!all.length) return [];
  const steps = [...new Set([all[0].step, all.at(-1)!.step])];
  const chosen = steps.flatMap((step) => {
    const group = new Map(all.filter((r) => r.step === step).map((r) => [r.tokens.join(), r]));
    return evenly([...group.values()].sort((a, b) => b.score - a.score), count); // prettier-ignore
  });
  const parts = await loadOmniR1(path.join(run.dir, model));
  const { layout } = parts;
  const coder = pictureCoder(parts);
  const out: GalleryRow[] = [];
  for (const r of chosen) {
    const whole = splitSegments(layout, r.tokens).flatMap((s) =>
      s.kind === 'image' && s.tokens.length === imageLength(layout) && s.tokens.every((t) => isImageToken(layout, t))
        ? [s.tokens]
        : [],
    );
    const pictures = await coder.decode(whole);
    const reward = `${r.score.toFixed(3)} (answer ${r.acc}, format ${r.format}, pictures ${r.image?.toFixed(3) ?? 'none'})`;
    out.push({
      label: `step ${r.step}, reward ${reward}: ${r.text.trim()} (true: ${r.answer})`,
      items: pictures.map((picture, k) => ({
        medium: { modality: 'image', picture } satisfies Medium,
        caption: `image_${k + 1}`,
      })),
    });
  }
  coder.release();
  return out;
}

const scoreSchema = z.looseObject({
  id: z.string(),
  kind: z.string(),
  action: z.string(),
  energy: z.number(),
  right: z.boolean(),
  accuracy: z.number(),
});
/** The pictures of `omni-r1/rewards`, with their energies and the oracle's verdicts. */
export const readPictureScores = (run: Run): Promise<z.infer<typeof scoreSchema>[]> =>
  readAllJsonl(path.join(run.dir, 'pictures.jsonl'), scoreSchema);

/** Wrong answers and wrong pictures of several models by kind of question, and the share of answers that only one of two has right. */
export async function errorTable(models: Record<string, [run: Run, name: string]>, caption: string): Promise<Table> {
  const answers = await Promise.all(
    Object.values(models).map(([run, name]) => readAllJsonl(path.join(run.dir, `${name}.jsonl`), answerSchema)),
  );
  const names = Object.keys(models);
  const kinds = [...new Set(answers.flat().map((a) => a.kind))];
  const share = (list: readonly boolean[]): number | null =>
    list.length ? list.filter(Boolean).length / list.length : null;
  return {
    caption,
    columns: [
      'Question',
      ...names.flatMap((n) => [`${n}: wrong answers`, `${n}: wrong pictures`]),
      ...(names.length === 2 ? names.map((n) => `only ${n} right`) : []),
    ],
    rows: kinds.map((kind) => {
      const lists = answers.map((list) => list.filter((a) => a.kind === kind));
      const only = (i: number): number | null =>
        share(lists[0].map((_, k) => lists[i][k]?.accuracy === 1 && lists[1 - i][k]?.accuracy !== 1));
      return [
        kind,
        ...lists.flatMap((list) => [
          share(list.map((a) => a.accuracy !== 1)),
          share(list.flatMap((a) => a.right.map((r) => !r))),
        ]),
        ...(names.length === 2 ? [only(0), only(1)] : []),
      ];
    }),
  };
}

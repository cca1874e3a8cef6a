#!/usr/bin/env node
/**
 * Writes OmniWorld's data sets as JSONL:
 *
 *   node dist/data-scripts/omniworld.js [--profile smoke|laptop|gpu] [--seed 0] [--out runs/omniworld]
 *
 * corpus, instructions (each: train, validation, test), preferences (train, validation), evaluation, the
 * encyclopaedia, a tokenizer trained on the corpus, and manifest.json with sizes and hashes. Same arguments, same
 * bytes.
 */
import path from 'node:path';
import cliProgress from 'cli-progress';
import type { z } from 'zod';
import { argv, chalk, echo } from 'zx';
import { OmniError } from '../lib/errors';
import { profileSizes } from '../lib/experiments/omniagent/sizes';
import { hashFile, trainTokenizer, writeFileAtomic, writeJsonl } from '../lib/io';
import {
  ADDED_TOKENS,
  documentSchema,
  documents,
  evaluationSet,
  instructionSchema,
  instructions,
  makeEncyclopaedia,
  preferenceSchema,
  preferences,
  tokenizerTexts,
} from '../lib/world';
import { parseProfile } from '../lib/pipeline';
import type { Split } from '../lib/world';

/** Passes records on and moves the bar. */
function* counted<T>(name: string, total: number, records: Iterable<T>): Generator<T> {
  const bar = new cliProgress.SingleBar(
    { format: `${name.padEnd(26)} {bar} {percentage}% {value}/{total}`, noTTYOutput: false, hideCursor: true },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  try {
    for (const record of records) {
      yield record;
      bar.increment();
    }
  } finally {
    bar.stop();
  }
}

function* map<A, B>(records: Iterable<A>, change: (record: A) => B): Generator<B> {
  for (const record of records) yield change(record);
}

async function main(): Promise<void> {
  const profile = String(argv.profile ?? 'laptop');
  const seed = Number(argv.seed ?? 0);
  const out = String(argv.out ?? 'runs/omniworld');
  // Numbers of records in training, the experiments' own; validation and test have a tenth.
  const sizes = profileSizes(parseProfile(profile)).world;
  const book = makeEncyclopaedia(seed, sizes.places);
  const files: Record<string, { records: number; bytes: number; sha256: string }> = {};

  const write = async <T>(name: string, schema: z.ZodType<T>, total: number, records: Iterable<T>): Promise<void> => {
    const file = path.join(out, `${name}.jsonl`);
    const count = await writeJsonl(file, schema, counted(name, total, records));
    files[`${name}.jsonl`] = { records: count, ...(await hashFile(file)) };
  };
  const size = (split: Split, train: number): number => (split === 'train' ? train : Math.ceil(train / 10));

  for (const split of ['train', 'validation', 'test'] as const) {
    const [docs, samples] = [size(split, sizes.documents), size(split, sizes.instructions)];
    await write(`corpus.${split}`, documentSchema, docs, documents(book, split, docs));
    const records = map(instructions(book, split, samples), (sample) => sample.record);
    await write(`instructions.${split}`, instructionSchema, samples, records);
    if (split === 'test') continue;
    const pairs = size(split, sizes.preferences);
    await write(`preferences.${split}`, preferenceSchema, pairs, preferences(book, split, pairs));
  }
  const evaluation = evaluationSet(book).map((sample) => sample.record);
  await write('evaluation', instructionSchema, evaluation.length, evaluation);

  await writeFileAtomic(path.join(out, 'encyclopaedia.json'), `${JSON.stringify(book, null, 1)}\n`);
  const tokenizer = trainTokenizer(tokenizerTexts(book, 20000), {
    vocabSize: sizes.vocabulary,
    addedTokens: ADDED_TOKENS,
  });
  await tokenizer.save(path.join(out, 'tokenizer'));
  const manifest = { world: 1, profile, seed, vocabulary: tokenizer.vocabSize, files };
  await writeFileAtomic(path.join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`);
  echo(chalk.green(`wrote ${Object.keys(files).length} data sets to ${out}`));
}

main().catch((error: unknown) => {
  // A user's mistake gets its two lines, a fault of ours its trace.
  console.error(error instanceof OmniError ? error.message : error);
  process.exitCode = 1;
});

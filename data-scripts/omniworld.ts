#!/usr/bin/env node
/**
 * Writes OmniWorld's data sets as JSONL, with their media as PNG, WAV and GIF beside them:
 *
 *   node dist/data-scripts/omniworld.js [--profile smoke|laptop|gpu] [--seed 0] [--out runs/omniworld] [--no-media]
 *
 *   stage 0      corpus, pairs, captioned
 *   stage 1, 2   media_captions, signal_captions
 *   stage 3      instructions, understanding, tool_use
 *   stage 4      preferences
 *   evaluation   300 samples
 *
 * (each set: train, validation, test; no preferences for test), the encyclopaedia, a tokenizer trained on the corpus, and
 * manifest.json with sizes and hashes. Same arguments, same bytes. A run that was stopped goes on where it was. Without
 * media (--no-media) records hold scenes only, which loaders render.
 */
import fs from 'node:fs';
import path from 'node:path';
import { argv, chalk, echo } from 'zx';
import { ArgumentError, OmniError } from '../lib/errors';
import { profileSizes } from '../lib/experiments/omniagent/sizes';
import { trainTokenizer, writeFileAtomic } from '../lib/io';
import { parseProfile } from '../lib/pipeline';
import { codeVersion } from '../lib/pipeline/code-version';
import {
  ADDED_TOKENS,
  captionedSchema,
  documentSchema,
  documents,
  evaluationSet,
  instructionSchema,
  instructions,
  makeCaptioned,
  makeEncyclopaedia,
  makeMediaCaptionRecord,
  makePair,
  makeSignalCaption,
  makeToolUse,
  makeUnderstanding,
  mediaCaptionSchema,
  pairSchema,
  preferenceSchema,
  preferences,
  signalCaptionSchema,
  SPLITS,
  tokenizerTexts,
  toolUseSchema,
  understandingSchema,
} from '../lib/world';
import { SetWriter } from './_write-sets';

/** Numbers of records in training that the experiments' sizes do not have; validation and test have a tenth. */
const SIZES = {
  smoke: { pairs: 400, captioned: 1200, understanding: 600, toolUse: 400 },
  laptop: { pairs: 3000, captioned: 9000, understanding: 4500, toolUse: 4000 },
  gpu: { pairs: 50_000, captioned: 150_000, understanding: 30_000, toolUse: 12_000 },
};

function* range<T>(count: number, make: (index: number) => T): Generator<T> {
  for (let i = 0; i < count; i++) yield make(i);
}

function* map<A, B>(records: Iterable<A>, change: (record: A) => B): Generator<B> {
  for (const record of records) yield change(record);
}

const USAGE = '[--profile smoke|laptop|gpu] [--seed 0] [--out runs/omniworld] [--no-media]';

/** What the command line says; a word that it does not know would otherwise be hours of other data. */
function readArguments(): { profile: string; seed: number; out: string; withMedia: boolean } {
  const { _: words, profile = 'laptop', seed = 0, out = 'runs/omniworld', media = true, ...others } = argv as Record<string, unknown> & { _: string[] }; // prettier-ignore
  const [strange] = [...Object.keys(others).map((key) => `--${key}`), ...words];
  if (strange !== undefined) throw new ArgumentError('omniworld', `expected no ${strange}`, `the options are ${USAGE}`);
  const check = (ok: boolean, option: string, expected: string, got: unknown): void => {
    if (!ok) throw new ArgumentError(option, `expected ${expected}, got ${String(got)}`, `the options are ${USAGE}`);
  };
  check(typeof profile === 'string', '--profile', 'the name of a profile', profile);
  check(Number.isSafeInteger(seed) && (seed as number) >= 0, '--seed', 'a whole number from 0', seed);
  check(typeof media === 'boolean', '--no-media', 'no value', media);
  check(['string', 'number'].includes(typeof out) && out !== '', '--out', 'a folder', out);
  const folder = String(out);
  check(fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== false, '--out', 'a folder', 'a file');
  return { profile: profile as string, seed: seed as number, out: folder, withMedia: media as boolean };
}

async function main(): Promise<void> {
  if (argv.help || argv.h) return void echo(`omnilab data omniworld ${USAGE}`);
  const { profile, seed, out, withMedia } = readArguments();
  const name = parseProfile(profile);
  const world = profileSizes(name).world;
  const size = SIZES[name as keyof typeof SIZES];
  const book = makeEncyclopaedia(seed, world.places);
  // The generators' code counts as an argument: what older code has made is made again.
  const code = codeVersion(path.resolve(__dirname, '../lib/world/index.js'));
  const writer = new SetWriter(
    out,
    { world: 2, profile, seed, media: withMedia, sizes: { ...size, ...world }, code },
    withMedia,
  );
  await writer.open();

  for (const split of SPLITS) {
    const of = (train: number): number => (split === 'train' ? train : Math.ceil(train / 10));
    const total = { documents: of(world.documents), instructions: of(world.instructions) };
    await writer.write({
      name: `corpus.${split}`,
      schema: documentSchema,
      total: total.documents,
      records: () => documents(book, split, total.documents),
    });
    await writer.write({
      name: `pairs.${split}`,
      schema: pairSchema,
      total: of(size.pairs),
      records: () => range(of(size.pairs), (i) => makePair(seed, split, i)),
      media: true,
    });
    await writer.write({
      name: `captioned.${split}`,
      schema: captionedSchema,
      total: of(size.captioned),
      records: () => range(of(size.captioned), (i) => makeCaptioned(seed, split, i)),
      media: true,
    });
    await writer.write({
      name: `media_captions.${split}`,
      schema: mediaCaptionSchema,
      total: of(world.captions),
      records: () => range(of(world.captions), (i) => makeMediaCaptionRecord(seed, split, i)),
      media: true,
    });
    await writer.write({
      name: `signal_captions.${split}`,
      schema: signalCaptionSchema,
      total: of(world.captions),
      records: () => range(of(world.captions), (i) => makeSignalCaption(seed, split, i)),
    });
    await writer.write({
      name: `instructions.${split}`,
      schema: instructionSchema,
      total: total.instructions,
      records: () => map(instructions(book, split, total.instructions), (sample) => sample.record),
      media: true,
    });
    await writer.write({
      name: `understanding.${split}`,
      schema: understandingSchema,
      total: of(size.understanding),
      records: () => range(of(size.understanding), (i) => makeUnderstanding(seed, split, i).record),
      media: true,
    });
    await writer.write({
      name: `tool_use.${split}`,
      schema: toolUseSchema,
      total: of(size.toolUse),
      records: () => range(of(size.toolUse), (i) => makeToolUse(book, split, i).record),
    });
    if (split === 'test') continue;
    await writer.write({
      name: `preferences.${split}`,
      schema: preferenceSchema,
      total: of(world.preferences),
      records: () => preferences(book, split, of(world.preferences)),
    });
  }
  await writer.write({
    name: 'evaluation',
    schema: instructionSchema,
    total: 300,
    records: () => map(evaluationSet(book), (sample) => sample.record),
    media: true,
  });

  await writeFileAtomic(path.join(out, 'encyclopaedia.json'), `${JSON.stringify(book, null, 1)}\n`);
  const tokenizer = trainTokenizer(tokenizerTexts(book, 20000), {
    vocabSize: world.vocabulary,
    addedTokens: ADDED_TOKENS,
  });
  await tokenizer.save(path.join(out, 'tokenizer'));
  await writer.save({ vocabulary: tokenizer.vocabSize }, true);
  echo(chalk.green(`${writer.count} data sets are in ${out}`));
}

main().catch((error: unknown) => {
  // A user's mistake gets its two lines, a fault of ours its trace.
  console.error(error instanceof OmniError ? error.message : error);
  process.exitCode = error instanceof ArgumentError ? 2 : 1;
});

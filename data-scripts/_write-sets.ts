/**
 * Writes data sets: for each, the media into a folder, then the records as JSONL, then its entry in manifest.json. Each of
 * the three appears whole or not at all, so a run that was stopped goes on with the first set that is not there.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import cliProgress from 'cli-progress';
import { z } from 'zod';
import { hashFile, writeFileAtomic, writeFolderAtomic, writeJsonl } from '../lib/io';
import { isTemporaryName } from '../lib/io/atomic';
import { MODALITIES, encodeMedium, renderMedium, withFiles } from '../lib/world';
import type { RecordMedia } from '../lib/world';

const entrySchema = z.strictObject({
  records: z.int(),
  bytes: z.int(),
  sha256: z.string(),
  /** Of the media's files, in the order of the records: names and contents. */
  media: z.strictObject({ files: z.int(), bytes: z.int(), sha256: z.string() }).optional(),
});
type Entry = z.infer<typeof entrySchema>;

const manifestSchema = z.looseObject({
  /** Everything that the files depend on. */
  made: z.record(z.string(), z.unknown()),
  files: z.record(z.string(), entrySchema),
});

/** A set of records. */
export interface DataSet<R extends { id: string }> {
  name: string;
  schema: z.ZodType<R>;
  total: number;
  records: () => Iterable<R>;
  /** Whether records have media of which files are made. */
  media?: boolean;
}

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

export class SetWriter {
  private readonly file: string;
  private files: Record<string, Entry> = {};
  private known: Record<string, Entry> = {};

  /** `made`: what the files depend on; sets of a manifest that says otherwise are made again. */
  constructor(
    private readonly out: string,
    private readonly made: Record<string, unknown>,
    private readonly withMedia: boolean,
  ) {
    this.file = path.join(out, 'manifest.json');
  }

  /** Takes over what an earlier run with the same arguments and code has finished, and clears away what it has not. */
  async open(): Promise<void> {
    for (const folder of [this.out, path.join(this.out, 'media')])
      for (const name of await fs.readdir(folder).catch(() => []))
        if (isTemporaryName(name)) await fs.rm(path.join(folder, name), { recursive: true, force: true });
    const text = await fs.readFile(this.file, 'utf8').catch(() => '{}');
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = {};
    }
    const old = manifestSchema.safeParse(value);
    if (old.success && JSON.stringify(old.data.made) === JSON.stringify(this.made)) this.known = old.data.files;
  }

  /** Whether a file is as an earlier run left it. */
  private async isThere(name: string, entry: Entry): Promise<boolean> {
    const file = path.join(this.out, name);
    const found = await hashFile(file).catch(() => undefined);
    if (found?.sha256 !== entry.sha256) return false;
    if (!entry.media) return true;
    const names = await fs.readdir(this.mediaFolder(name), { recursive: true }).catch(() => []);
    return names.filter((n) => /\.\w+$/.test(n)).length === entry.media.files;
  }

  private mediaFolder(name: string): string {
    return path.join(this.out, 'media', name.replace(/\.jsonl$/, ''));
  }

  /** Writes a set; true if it had to be. */
  async write<R extends { id: string }>({ name: set, schema, total, records, media }: DataSet<R>): Promise<boolean> {
    const name = `${set}.jsonl`;
    const old = this.known[name] as Entry | undefined;
    if (old && (await this.isThere(name, old))) {
      await this.note(name, old);
      return false;
    }
    const file = path.join(this.out, name);
    const entry = (count: number, hash: Pick<Entry, 'bytes' | 'sha256'>): Entry => ({ records: count, ...hash });
    if (!media || !this.withMedia) {
      const count = await writeJsonl(file, schema, counted(set, total, records()));
      await this.note(name, entry(count, await hashFile(file)));
      return true;
    }
    const hash = createHash('sha256');
    let [files, bytes, count] = [0, 0, 0];
    // The records refer to the files, so these come first; a power cut between the two leaves a set that is made again.
    await writeFolderAtomic(this.mediaFolder(name), async (folder) => {
      for (const modality of MODALITIES) await fs.mkdir(path.join(folder, modality));
      const filled = async function* (): AsyncGenerator<R> {
        for (const original of counted(set, total, records())) {
          const named = withFiles(original as R & { media: RecordMedia }, `media/${set}`);
          for (const { file: place, modality, medium } of named.files) {
            const content = encodeMedium(renderMedium(modality, medium.scene));
            await fs.writeFile(path.join(folder, modality, path.basename(place)), content);
            hash.update(`${place}\0${content.length}\0`).update(content);
            files++;
            bytes += content.length;
          }
          yield named.record;
        }
      };
      count = await writeJsonl(file, schema, filled());
    });
    await this.note(name, {
      ...entry(count, await hashFile(file)),
      media: { files, bytes, sha256: hash.digest('hex') },
    });
    return true;
  }

  /** Notes a finished set. */
  private async note(name: string, entry: Entry): Promise<void> {
    this.files[name] = entry;
    await this.save({});
  }

  /** Writes the manifest, with what else it is to say. Sets of an earlier run that have not had their turn stay noted. */
  async save(more: Record<string, unknown>, done = false): Promise<void> {
    const files = done ? this.files : { ...this.files, ...Object.fromEntries(Object.entries(this.known).filter(([name]) => !(name in this.files))) }; // prettier-ignore
    await writeFileAtomic(this.file, `${JSON.stringify({ made: this.made, ...more, files }, null, 1)}\n`);
  }

  get count(): number {
    return Object.keys(this.files).length;
  }
}

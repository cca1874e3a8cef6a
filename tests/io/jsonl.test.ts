/** JSON Lines: written and read alike; every kind of damage is named with its place. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { FormatError } from '../../lib/errors';
import { readAllJsonl, writeJsonl } from '../../lib/io';

const schema = z.strictObject({ id: z.int(), tags: z.array(z.strictObject({ name: z.string() })) });
const record = (id: number) => ({ id, tags: [{ name: `é\n"${id}" 😀\u2028` }] });

describe('io: jsonl', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'omnilab-jsonl-'));
    file = path.join(dir, 'a.jsonl');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('gives back what was written, line by line, with the same bytes each time', async () => {
    const records = Array.from({ length: 30000 }, (_, i) => record(i));
    assert.equal(await writeJsonl(file, schema, records), 30000);
    const bytes = readFileSync(file);
    assert.deepEqual(await readAllJsonl(file, schema), records);
    await writeJsonl(file, schema, records);
    assert.ok(readFileSync(file).equals(bytes));
    assert.equal(await writeJsonl(file, schema, []), 0);
    assert.deepEqual(await readAllJsonl(file, schema), []);
  });

  it('keeps every character that a model may write', async () => {
    const text = z.strictObject({ text: z.string() });
    // The replacement character is what half a character of a model's bytes decodes to.
    const records = ['a\uFFFDb', 'a\u2028b\u2029', '\r\n\t\0', '\uD800', 'é漢😀', 'x'.repeat(200_000)].map((t) => ({
      text: t,
    }));
    await writeJsonl(file, text, records);
    assert.deepEqual(await readAllJsonl(file, text), records);
  });

  it('refuses a bad record and leaves the old file', async () => {
    await writeJsonl(file, schema, [record(1)]);
    const bad = [record(1), { id: 2, tags: [{ name: 'x' }, { name: 5 }] }] as never;
    await assert.rejects(writeJsonl(file, schema, bad), /record 2: expected .* at tags\[1\]\.name/s);
    assert.deepEqual(await readAllJsonl(file, schema), [record(1)]);
    assert.deepEqual(readdirSync(dir), ['a.jsonl']);
  });

  it('names the line and the field of what it cannot read', async () => {
    const cases: [string | Buffer, RegExp][] = [
      ['{"id":1,"tags":[]}\n{"id":1.5,"tags":[]}\n', /a\.jsonl:2: .* at id/],
      ['{"id":1,"tags":[],"more":1}\n', /a\.jsonl:1: .*more.* at the top level/],
      ['{"id":1,"tags":[]}\n{"id":2,\n', /a\.jsonl:2: expected a JSON value/],
      ['{"id":1,"tags":[]}\n\n', /a\.jsonl:2: expected a JSON value, got ""/],
      ['{"id":1,"tags":[]}\n{"id":2,"tags":[]}', /a\.jsonl:2: expected a line end/],
      [Buffer.from([0x22, 0xff, 0x22, 0x0a]), /a\.jsonl:1: expected UTF-8/],
      [Buffer.from([0x22, 0xe6, 0xbc, 0x0a]), /a\.jsonl:1: expected UTF-8/],
    ];
    for (const [content, message] of cases) {
      writeFileSync(file, content);
      await assert.rejects(readAllJsonl(file, schema), (error: Error) => {
        assert.ok(error instanceof FormatError);
        assert.match(error.message, message);
        return true;
      });
    }
    await assert.rejects(readAllJsonl(path.join(dir, 'none.jsonl'), schema), /expected a readable file/);
  });
});

/** Files and folders are there whole or not at all. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { hashFile, isTemporaryName, writeAtomic, writeFileAtomic, writeFolderAtomic } from '../../lib/io/atomic';

describe('io: atomic writes', () => {
  let root = '';
  beforeEach(() => (root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-atomic-'))));
  afterEach(() => fs.rmSync(root, { recursive: true }));
  const read = (...names: string[]) => fs.readFileSync(path.join(root, ...names), 'utf8');

  it('replaces a file, and makes folders that are missing', async () => {
    const file = path.join(root, 'a/b/c.txt');
    await writeFileAtomic(file, 'one');
    await writeFileAtomic(file, Buffer.from('two'));
    assert.equal(read('a/b/c.txt'), 'two');
    assert.deepEqual(fs.readdirSync(path.dirname(file)), ['c.txt']);
  });

  it('leaves the old file, and nothing else, when writing fails half-way', async () => {
    const file = path.join(root, 'c.txt');
    await writeFileAtomic(file, 'old');
    let during: string[] = [];
    const write = writeAtomic(file, async (handle) => {
      await handle.write('half');
      during = fs.readdirSync(root);
      assert.equal(read('c.txt'), 'old');
      throw new Error('disk full');
    });
    await assert.rejects(write, /disk full/);
    assert.deepEqual(during.map(isTemporaryName).sort(), [false, true]);
    assert.deepEqual([fs.readdirSync(root), read('c.txt')], [['c.txt'], 'old']);
  });

  it('replaces a folder as a whole', async () => {
    const folder = path.join(root, 'step');
    const fill = (text: string) => (dir: string) => fs.promises.writeFile(path.join(dir, text), text);
    await writeFolderAtomic(folder, fill('one'));
    await writeFolderAtomic(folder, fill('two'));
    assert.deepEqual(fs.readdirSync(folder), ['two']);
    const failing = writeFolderAtomic(folder, async (dir) => {
      await fill('three')(dir);
      throw new Error('no');
    });
    await assert.rejects(failing, /no/);
    assert.deepEqual([fs.readdirSync(root), fs.readdirSync(folder)], [['step'], ['two']]);
  });

  it('hashes files larger than one piece', async () => {
    const content = Buffer.alloc(2_500_000, 'abc');
    fs.writeFileSync(path.join(root, 'large'), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    assert.deepEqual(await hashFile(path.join(root, 'large')), { bytes: content.length, sha256 });
  });
});

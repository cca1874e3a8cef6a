/** The folders stand one on another, in the order of the README's table: none imports from one further down. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from './consumer';

const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const floors = [...readme.matchAll(/^\| \[((?:lib\/)?[a-z]+)\]\(\1\) \|/gm)].map((m) => m[1]);

/** The relative imports of a source file, as paths from the root. */
function importsOf(file: string): string[] {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*'(\.[^']*)'/g)].map((m) =>
    path.posix.join(path.posix.dirname(file), m[1]),
  );
}

const floorOf = (file: string): string | undefined =>
  floors.find((floor) => file === floor || file.startsWith(`${floor}/`));

describe('floors', () => {
  it('are all in the README', () => {
    const folders = fs
      .readdirSync(path.join(root, 'lib'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'cli')
      .map((entry) => `lib/${entry.name}`);
    assert.deepEqual([...floors].sort(), ['kernels', ...folders].sort());
  });

  for (const [i, floor] of floors.entries())
    it(`${floor} imports only from itself and from those above it`, () => {
      const files = (fs.readdirSync(path.join(root, floor), { recursive: true }) as string[])
        .map((name) => path.posix.join(floor, name.split(path.sep).join('/')))
        .filter((name) => name.endsWith('.ts'));
      assert.ok(files.length > 0);
      const wrong = files.flatMap((file) =>
        importsOf(file)
          .filter((to) => {
            const other = floorOf(to);
            return other === undefined ? !/^lib\/errors(\.js)?$/.test(to) : floors.indexOf(other) > i;
          })
          .map((to) => `${file} imports ${to}`),
      );
      assert.deepEqual(wrong, []);
    });
});

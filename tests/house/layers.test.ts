/**
 * The order of the code: the folders stand one on another as in the README's table, no import leads to one further
 * down, no imports of files go in a circle, and one file touches ONNX Runtime. Imports of types count like all others.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ts from 'typescript';
import { root } from '../package/consumer';

const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const floors = [...readme.matchAll(/^\| \[((?:lib\/)?[a-z]+)\]\(\1\) \|/gm)].map((m) => m[1]);

/** What has no floor and is for all of them. */
const SHARED = ['lib/errors.ts', 'lib/optional.ts'];

const sources = ['lib', 'kernels'].flatMap((folder) =>
  (fs.readdirSync(path.join(root, folder), { recursive: true }) as string[])
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .filter((name) => name.endsWith('.ts')),
);

/**
 * What each source file imports (import, export from, import(), require): packages by name, files by path from the
 * root.
 */
const imports = new Map(
  sources.map((file) => {
    const { importedFiles } = ts.preProcessFile(fs.readFileSync(path.join(root, file), 'utf8'), true, true);
    return [file, importedFiles.map(({ fileName }) => (fileName.startsWith('.') ? target(file, fileName) : fileName))];
  }),
);

function target(from: string, request: string): string {
  const base = path.posix.join(path.posix.dirname(from), request.replace(/\.js$/, ''));
  return [`${base}.ts`, `${base}/index.ts`].find((file) => sources.includes(file)) ?? base;
}

const floorOf = (file: string): string | undefined => floors.find((floor) => file.startsWith(`${floor}/`));
const isSource = (file: string): boolean => imports.has(file);

/** The first circle that is found, as the files on its way; empty if there is none. */
function circle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (file: string): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return [];
    way.push(file);
    for (const to of graph.get(file) ?? []) {
      const found = visit(to);
      if (found.length) return found;
    }
    way.pop();
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const found = visit(file);
    if (found.length) return found;
  }
  return [];
}

describe('layers', () => {
  it('are all in the README', () => {
    const folders = fs
      .readdirSync(path.join(root, 'lib'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'cli')
      .map((entry) => `lib/${entry.name}`);
    assert.deepEqual([...floors].sort(), ['kernels', ...folders].sort());
  });

  it('have imports that lead to files', () => {
    const all = [...imports.values()].flat();
    assert.ok(all.filter(isSource).length > 300, `expected more than 300 imports of files, got ${all.length}`);
    const lost = all.filter((to) => /^(lib|kernels)\//.test(to) && !isSource(to));
    assert.deepEqual(lost, []);
  });

  for (const [i, floor] of floors.entries())
    it(`${floor} imports only from itself and from those above it in the table`, () => {
      const files = sources.filter((file) => file.startsWith(`${floor}/`));
      assert.ok(files.length > 0);
      const wrong = files.flatMap((file) =>
        imports
          .get(file)!
          .filter(isSource)
          .filter((to) => {
            const other = floorOf(to);
            return other === undefined ? !SHARED.includes(to) : floors.indexOf(other) > i;
          })
          .map((to) => `${file} imports ${to}`),
      );
      assert.deepEqual(wrong, []);
    });

  it('share what imports nothing of theirs', () => {
    for (const file of SHARED)
      assert.deepEqual(
        imports.get(file)!.filter((to) => isSource(to) && !SHARED.includes(to)),
        [],
        file,
      );
  });

  it('have no circle of files', () => {
    const graph = (edges: Record<string, string[]>) => new Map(Object.entries(edges));
    assert.deepEqual(circle(graph({ a: ['b'], b: ['c'], c: ['b'] })), ['b', 'c', 'b']);
    assert.deepEqual(circle(graph({ a: ['b', 'c'], b: ['c'], c: [] })), []);
    assert.deepEqual(circle(imports), []);
  });

  it('leave ONNX Runtime to one file', () => {
    const users = sources.filter((file) => imports.get(file)!.some((to) => /^onnxruntime-/.test(to)));
    assert.deepEqual(users, ['lib/runtime/ort.ts']);
  });
});

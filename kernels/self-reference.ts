/**
 * Lets cells in OmniLab's own folder import 'omnilab' and its subpaths with types. Node resolves a package's own name
 * at run time, but tslab's type checker (TypeScript 5.0, "node10" resolution) looks in node_modules only. So the
 * checker is shown a folder node_modules/omnilab that is the package itself; `main`, `types` and `typesVersions` do
 * the rest.
 *
 * It also rewrites what TypeScript 5.0 cannot read in our declarations: since 5.7 typed arrays have a type parameter
 * (`Float32Array<ArrayBuffer>`), which 5.0 would turn silently into `any`.
 */
import path from 'node:path';
import type * as TypeScript from '@tslab/typescript-for-tslab';
import { PACKAGE } from './roots';

const TYPED_ARRAY =
  /\b((?:Big)?(?:Int|Uint|Float)(?:8|16|32|64)(?:Clamped)?Array|DataView)<(?:ArrayBuffer|ArrayBufferLike|SharedArrayBuffer)>/g;

/** Declarations as TypeScript 5.0 can read them. */
export function olderDeclarations(text: string): string {
  return text.replace(TYPED_ARRAY, '$1');
}

/** Changes the file access of the compiler `ts`: `pkg` is OmniLab's folder, `project` the folder in which cells run. */
export function provideSelf(ts: typeof TypeScript, pkg: string, project: string): void {
  const sys = ts.sys;
  const slashes = (file: string): string => file.split(path.sep).join('/');
  const virtual = `${slashes(project)}/node_modules/${PACKAGE}`;
  const real = slashes(pkg);
  const self = project === pkg;
  const forward = (file: string): string =>
    self && (file === virtual || file.startsWith(`${virtual}/`)) ? real + file.slice(virtual.length) : file;

  const original = { ...sys };
  sys.fileExists = (file) => original.fileExists(forward(file));
  sys.directoryExists = (folder) => original.directoryExists(forward(folder));
  sys.realpath = (file) => original.realpath?.(forward(file)) ?? forward(file);
  sys.readFile = (file, encoding) => {
    const at = forward(file);
    const text = original.readFile(at, encoding);
    const ours = at.startsWith(`${real}/dist/`) || at.includes(`/node_modules/${PACKAGE}/`);
    return text !== undefined && ours && at.endsWith('.d.ts') ? olderDeclarations(text) : text;
  };
}

/** Where Jupyter looks for kernels, and what is installed there. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  findJupyterLab,
  installKernelspec,
  jupyterDataDir,
  MissingProgramError,
  openNotebook,
  packageRoot,
  withKernelspec,
} from '../../kernels';
import { temporaryFolder } from './helpers';

describe('kernels/jupyter', () => {
  const folder = temporaryFolder();
  after(() => folder.remove());

  it('has a kernelspec that names the launcher relative to itself', () => {
    const place = path.join(packageRoot(), 'kernels', 'omnilab');
    const spec = JSON.parse(readFileSync(path.join(place, 'kernel.json'), 'utf8')) as Record<string, unknown>;
    const [program, script, connection] = spec.argv as string[];
    assert.equal(program, 'node');
    assert.ok(existsSync(script.replace('{resource_dir}', place)));
    assert.equal(connection, '{connection_file}');
    assert.deepEqual(
      [spec.display_name, spec.language, spec.interrupt_mode],
      ['OmniLab (TypeScript)', 'typescript', 'message'],
    );
  });

  it("installs it in the user's data folder with absolute paths", () => {
    const place = installKernelspec({ dataDir: folder.path });
    assert.equal(place, path.join(folder.path, 'kernels', 'omnilab'));
    const spec = JSON.parse(readFileSync(path.join(place, 'kernel.json'), 'utf8')) as { argv: string[] };
    assert.equal(spec.argv[0], process.execPath);
    assert.ok(path.isAbsolute(spec.argv[1]) && existsSync(spec.argv[1]));
    assert.equal(jupyterDataDir({ JUPYTER_DATA_DIR: '/there' }), '/there');
  });

  it("puts itself before the user's own Jupyter path", () => {
    assert.equal(withKernelspec({}).JUPYTER_PATH, packageRoot());
    assert.equal(withKernelspec({ JUPYTER_PATH: '/x' }).JUPYTER_PATH, `${packageRoot()}${path.delimiter}/x`);
  });

  it('says what to install where JupyterLab is missing', async () => {
    const env = { PATH: folder.path };
    assert.equal(findJupyterLab(env), null);
    await assert.rejects(
      openNotebook({ env }),
      (error: unknown) => error instanceof MissingProgramError && /pip install jupyterlab/.test(error.help),
    );
  });

  it('opens the JupyterLab that it finds, with the kernelspec on its path', async function () {
    if (process.platform === 'win32') this.skip();
    const program = path.join(folder.path, 'jupyter-lab');
    const said = path.join(folder.path, 'said');
    writeFileSync(
      program,
      `#!/bin/sh\n[ "$1" = --version ] && { echo 4.2.0; exit; }\necho "$PWD $JUPYTER_PATH $*" > ${said}\nexit 3\n`,
    );
    chmodSync(program, 0o755);
    const env = { PATH: `${folder.path}:/bin:/usr/bin` };
    assert.equal(findJupyterLab(env)?.version, '4.2.0');
    assert.equal(await openNotebook({ env, path: 'notebooks', args: ['--no-browser'] }), 3);
    assert.equal(readFileSync(said, 'utf8'), `${packageRoot()} ${packageRoot()} notebooks --no-browser\n`);
  });
});

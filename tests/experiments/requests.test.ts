/** Held-out requests as files, the judgement on what came, and the tables of settings and targets. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  attributeAccuracy,
  CATEGORIES,
  evaluationSet,
  hearObjects,
  makeEncyclopaedia,
  seeObjects,
} from '../../lib/world';
import {
  bringsWhatWasAsked,
  captionMeasures,
  heldOutRequests,
  retrievalMatrix,
  retrievalMeasures,
  settingsTable,
} from '../../lib/experiments';
import { readAudio, readImage } from '../../lib/io';
import { listExperiments, Run } from '../../lib/pipeline';
import type { Manifest } from '../../lib/pipeline';

const runOf = (name: string, metrics: Record<string, number>, config: Record<string, unknown> = {}): Run =>
  new Run('', { experiment: name, metrics, config, profile: 'smoke' } as unknown as Manifest, true);

describe('experiments: requests and tables', () => {
  it('the held-out requests of each category, their media as files that show what the oracle says', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'requests-'));
    try {
      const book = makeEncyclopaedia(0, 30);
      const requests = await heldOutRequests(book, folder, 2);
      assert.deepEqual(
        requests.map((r) => r.category),
        CATEGORIES.flatMap((c) => [c, c]),
      );
      const known = new Map(evaluationSet(book).map((s) => [s.record.id, s]));
      for (const { id, category, request, oracle } of requests) {
        const { record } = known.get(id)!;
        assert.ok(request.text!.length > 5 && !/<\|/.test(request.text!), request.text);
        assert.equal(request.imagePath !== undefined, category === 'image_to_audio');
        assert.equal(request.audioPath !== undefined, category === 'audio_to_image');
        const found = request.imagePath
          ? seeObjects(await readImage(request.imagePath))
          : request.audioPath
            ? hearObjects(await readAudio(request.audioPath))
            : null;
        const shown = Object.values(record.media).find((medium) => medium.role === 'input')?.scene;
        if (found) assert.equal(attributeAccuracy(shown!.objects, found).exact, 1, id);
        assert.ok(oracle.outputs.length > 0 || category === 'code_and_explain');
      }
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('just the media that were asked for, in order, whole', () => {
    const judge = (outputs: ('image' | 'audio')[], came: ('image' | 'audio')[], incomplete: 'video'[] = []) =>
      bringsWhatWasAsked({ outputs }, { media: came.map((modality) => ({ modality })), incomplete });
    assert.ok(judge(['image', 'audio'], ['image', 'audio']));
    assert.ok(judge([], []));
    assert.ok(!judge(['image', 'audio'], ['audio', 'image']));
    assert.ok(!judge(['image'], []));
    assert.ok(!judge(['image'], ['image', 'audio']));
    assert.ok(!judge(['image'], ['image'], ['video']));
  });

  it('rows of what was measured, and no others', () => {
    const metrics = { 'retrieval/image_text/r1': 0.5, 'retrieval/image_text/r1_low': 0.4, 'retrieval/image_text/r1_high': 0.6, 'retrieval/r1_chance': 0.02 }; // prettier-ignore
    const encoder = runOf('omniagent/stage0_encoder', metrics);
    assert.deepEqual(retrievalMeasures(encoder), [
      {
        group: 'joint encoder',
        what: 'image and text, recall at 1 among 50',
        value: 0.5,
        low: 0.4,
        high: 0.6,
        chance: 0.02,
        target: 'above chance',
      },
    ]);
    const { names, values } = retrievalMatrix(encoder);
    assert.equal(values[names.indexOf('text')][names.indexOf('image')], 0.5);
    assert.equal(values.flat().filter((v) => v !== null).length, 2);
    const [shape] = captionMeasures(runOf('omniagent/stage1_encode', { 'caption/audio/shape': 0.4, 'caption/audio/captions': 9 })); // prettier-ignore
    assert.deepEqual([shape.group, shape.what, shape.value, shape.n], ['captions of sounds', 'shape', 0.4, 9]);
  });

  it("the papers' settings beside those of every stage's configuration", () => {
    for (const { name, config } of listExperiments().filter((e) => /^omniagent\/stage[0-3]/.test(e.name))) {
      const { rows } = settingsTable(runOf(name, {}, config('smoke') as Record<string, unknown>));
      for (const row of rows) {
        const text = JSON.stringify([name, ...row]);
        assert.ok(row.every((cell) => cell !== null) && !/undefined/.test(text), text);
      }
    }
  });
});

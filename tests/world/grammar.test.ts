/** The grammar and its parser: what is written is read back; what is damaged is reported. */
import assert from 'node:assert/strict';
import { Random } from '../../lib/nn/random';
import { describeObjects, drawScene, objectsCode, parseScene, Wording } from '../../lib/world';
import { SPLITS, splitOf } from '../../lib/world';

describe('world: grammar', () => {
  it('reads back every description, with and without motion', () => {
    const random = new Random(11, 'grammar');
    for (let i = 0; i < 6000; i++) {
      const { objects } = drawScene(random);
      const motion = i % 3 > 0;
      const text = describeObjects(objects, new Wording(random), { motion });
      const parsed = parseScene(text);
      assert.ok(parsed.scene, `${text}\n${parsed.problems.join('; ')}`);
      assert.equal(objectsCode(parsed.scene, motion), objectsCode(objects, motion), text);
      assert.deepEqual(parsed.unknown, [], text);
    }
  });

  it('has many wordings for one scene', () => {
    const random = new Random(12);
    const { objects } = drawScene(random, { count: 2 });
    const texts = new Set(Array.from({ length: 500 }, () => describeObjects(objects, new Wording(random))));
    assert.ok(texts.size > 490, `${texts.size} of 500 differ`);
  });

  it('counts the surprise of its choices', () => {
    const wording = new Wording(new Random(1));
    wording.pick(['a', 'b', 'c', 'd']);
    wording.chance(0.5);
    wording.weighted(['x', 'y'], [0, 7]);
    wording.shuffled([1, 2, 3]);
    assert.ok(Math.abs(wording.nats - Math.log(4 * 2 * 6)) < 1e-12);
  });

  it('keeps every scene in one split, in shares of eight, one and one tenths', () => {
    const random = new Random(13);
    const counts = { train: 0, validation: 0, test: 0 };
    for (let i = 0; i < 20000; i++) counts[splitOf(objectsCode(drawScene(random).objects, false))]++;
    assert.ok(Math.abs(counts.test / 20000 - 0.1) < 0.015 && Math.abs(counts.validation / 20000 - 0.1) < 0.015);
    for (const split of SPLITS)
      for (let i = 0; i < 300; i++) {
        const { objects } = drawScene(random, { split });
        assert.equal(splitOf(objectsCode(objects, false)), split);
        assert.equal(new Set(objects.map((o) => String(o.cell))).size, objects.length);
      }
  });

  it('reports what is missing, twice, unknown or off the grid, and never throws', () => {
    const problem = (text: string) => parseScene(text).problems.join('; ');
    assert.match(problem(''), /one to three objects, got 0/);
    assert.match(problem('There is a small circle at the centre.'), /object 1 lacks colour/);
    assert.match(problem('There is a small large red circle at the centre.'), /two values of size/);
    assert.match(problem('A small red circle is at the top. A big blue star is at the top.'), /in one cell/);
    assert.match(problem('Just above it is a small red circle.'), /no placed object before it/);
    assert.match(problem('A small red circle is at the top. A tiny blue dot is just above it.'), /off the grid/);
    assert.match(problem('I count two objects. A small red circle is at the top.'), /says 2 and tells of 1/);
    const four = ['top left', 'top right', 'bottom left', 'bottom right'].map((p) => `A tiny red dot is in the ${p}.`);
    assert.match(problem(four.join(' ')), /one to three objects, got 4/);
    const odd = parseScene('There is a small red hexagon at the centre, moving left!');
    assert.deepEqual(odd.unknown, ['hexagon']);
    assert.equal(odd.scene, undefined);
    assert.deepEqual(odd.objects, [{ size: 'small', colour: 'red', cell: [1, 1], motion: 'left' }]);
  });

  it('does not mistake damaged text for the scene it came from', () => {
    const random = new Random(14);
    for (let i = 0; i < 2000; i++) {
      const { objects } = drawScene(random);
      const words = describeObjects(objects, new Wording(random)).split(' ');
      const at = random.int(words.length);
      const parsed = parseScene(words.toSpliced(at, 1, '\u0000<IMG2>{"').join(' '));
      assert.ok(parsed.unknown.length > 0 || parsed.problems.length > 0 || parsed.scene);
      if (['red', 'blue', 'star', 'tiny'].includes(words[at])) assert.equal(parsed.scene, undefined);
    }
  });
});

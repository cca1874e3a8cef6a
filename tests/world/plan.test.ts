/** Plans: kinds of steps, what they build on, and which plans are valid. */
import assert from 'node:assert/strict';
import {
  corrupt,
  evaluationSet,
  makeEncyclopaedia,
  planOf,
  planProblems,
  readPlan,
  renderDraft,
} from '../../lib/world';
import { Random } from '../../lib/nn/random';

const book = makeEncyclopaedia(0);
const outline = (texts: string[], tools: string[] = []) =>
  planOf(texts, tools).map(({ kind, tool, dependsOn }) => [kind, tool, dependsOn]);

describe('world: plans', () => {
  it('reads every plan of the evaluation set as its oracle has it, and finds it valid', () => {
    let plans = 0;
    for (const { oracle, response } of evaluationSet(book)) {
      const plan = readPlan(response);
      assert.equal(plan === null, oracle.plan.length === 0);
      if (!plan) continue;
      plans++;
      assert.deepEqual(
        plan.steps.map((s) => s.kind),
        oracle.plan,
      );
      assert.deepEqual(plan.problems, []);
    }
    assert.equal(plans, 50);
  });

  it('finds responses invalid that do not do what they plan', () => {
    let checked = 0;
    for (const { oracle, draft, record, asked } of evaluationSet(book)) {
      if (!oracle.plan.length) continue;
      const broken = (name: Parameters<typeof corrupt>[0]) =>
        readPlan(
          renderDraft(
            corrupt(name, { book, category: record.category, oracle, draft, asked, random: new Random(1, name) }),
          ),
        );
      for (const name of ['missing_modality', 'incomplete_block', 'extra_modality', 'malformed_call'] as const) {
        if (name === 'malformed_call' && !oracle.tool) continue;
        if (name === 'extra_modality' && oracle.outputs.length === 3) continue;
        assert.notDeepEqual(broken(name)!.problems, [], name);
        checked++;
      }
      assert.equal(broken('missing_plan'), null);
    }
    assert.ok(checked > 100);
  });

  it('knows a kind by the words that come first, and a tool by its name', () => {
    assert.deepEqual(outline(['Describe the picture.', 'Play the sound of the clip.', 'Think hard.']), [
      ['describe', undefined, []],
      ['audio', undefined, [1]],
      ['other', undefined, []],
    ]);
    assert.deepEqual(outline(['Use my.tool on it.', 'Ask web_search.'], ['my.tool', 'web_search']), [
      ['tool', 'my.tool', []],
      ['search', 'web_search', []],
    ]);
    assert.deepEqual(outline(['Use myxtool.'], ['my.tool']), [['other', undefined, []]]);
  });

  it('lets steps build on what was found or described, or on the steps that they name', () => {
    assert.deepEqual(
      outline(['Look up the facts.', 'Compute the number.', 'Describe the scene.', 'Draw it.', 'Film it.']).map(
        (s) => s[2],
      ),
      [[], [1], [1], [3], [3]],
    );
    assert.deepEqual(
      outline(['Search for it.', 'Draw it.']).map((s) => s[2]),
      [[], [1]],
    );
    assert.deepEqual(
      outline(['Compute it.', 'Draw it.']).map((s) => s[2]),
      [[], []],
    );
    assert.deepEqual(
      outline(['Compute it.', 'Look up the year.', 'Draw the result of steps 1 and 2.']).map((s) => s[2]),
      [[], [], [1, 2]],
    );
    assert.deepEqual(
      outline(['Draw it, see step 1 and step 7.']).map((s) => s[2]),
      [[]],
    );
  });

  it('says what is wrong', () => {
    const steps = planOf(['Search for it.', 'Draw it.', 'Play it.']);
    assert.deepEqual(
      planProblems(steps, [{ kind: 'call', tool: 'web_search' }, { kind: 'audio' }, { kind: 'image' }]),
      ['step 3 (audio) comes before the step that precedes it'],
    );
    assert.deepEqual(planProblems(steps.slice(0, 1), [{ kind: 'call', tool: 'code_interpreter' }]), [
      'expected two steps or more, got 1',
      'step 1 (web_search) is not carried out',
      'the call of code_interpreter is in no step',
    ]);
    assert.deepEqual(
      readPlan('<PLAN>1. Draw it. 2. Ponder. <ACT>Here.<IMG0><IMG1><IMG2><IMG3><IMG4><IMG0>')!.problems,
      ['step 2 is of no known kind: Ponder.'],
    );
    assert.deepEqual(
      readPlan('<PLAN>1. Search for it. 2. Play it. 3. Draw steps 1 and 2. 4. Film step 3.')!.steps.map(
        (s) => s.dependsOn,
      ),
      [[], [1], [1, 2], [3]],
    );
    assert.deepEqual(readPlan('<PLAN>')?.steps, undefined);
  });
});

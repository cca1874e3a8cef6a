/** Every primitive, method and function of tensors against PyTorch's values and gradients, on the CPU. */
import assert from 'node:assert/strict';
import { shapeRules } from '../../lib/graph/shape-rules';
import { Tensor } from '../../lib/graph';
import { closeDevices } from '../../lib/runtime';
import { casesBySubject, failuresOf, opCases } from './op-cases';

/** Leaves have no operands; customGradient takes a function, see custom-gradient.test.ts. */
const WITHOUT_CASE = new Set(['input', 'constant', 'customGradient']);
/** Members of Tensor that return no tensor. */
const NO_RESULT = new Set([
  'constructor',
  'dtype',
  'shape',
  'rank',
  'size',
  'data',
  'numbers',
  'item',
  'tolist',
  'dispose',
  'toString',
  'reduce',
  'argReduce',
]);

describe('operations against PyTorch', () => {
  after(closeDevices);

  it('every primitive has a case', () => {
    const covered = new Set(opCases.map((c) => c.op));
    const missing = Object.keys(shapeRules).filter((op) => !WITHOUT_CASE.has(op) && !covered.has(op as never));
    assert.deepEqual(missing, []);
  });

  it('every method of Tensor has a case', () => {
    const covered = new Set(opCases.map((c) => c.method));
    const missing = Object.getOwnPropertyNames(Tensor.prototype).filter((m) => !NO_RESULT.has(m) && !covered.has(m));
    assert.deepEqual(missing, []);
  });

  it('cases are distinct', () => {
    assert.equal(new Set(opCases.map((c) => c.line)).size, opCases.length);
  });

  for (const [subject, cases] of casesBySubject())
    it(`${subject} (${cases.length})`, async () => {
      assert.deepEqual(await failuresOf('cpu', cases), []);
    });
});

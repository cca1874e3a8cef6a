/** Trainers in phases of one run: steps counted on, results kept, and a killed run that goes on inside a phase. */
import assert from 'node:assert/strict';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { jit, closeDevices } from '../../lib/runtime';
import { memoryContext, trainLoop, trainPhases } from '../../lib/trainers';
import type { TrainContext } from '../../lib/trainers';

describe('phases of a run', () => {
  after(closeDevices);
  const step = jit((x: Tensor, i: Tensor) => x.mul(0.5).add(i));

  /** x <- x / 2 + i, a step at a time; dies after `lives` steps. */
  async function count(context: TrainContext, start: Tensor, steps: number, lives: { left: number }): Promise<Tensor> {
    const state = await trainLoop(context, {
      name: 'count',
      totalSteps: steps,
      checkpointEvery: 2,
      state: { x: start },
      evaluate: () => Promise.resolve({ measured: 1 }),
      step: async ({ x }, i) => {
        if (lives.left-- === 0) throw new Error('killed');
        const next = await step(x, i);
        return { state: { x: next }, metrics: { loss: await next.item() } };
      },
    });
    return state.x;
  }
  const zero = (): Tensor => tensor([0]);
  async function both(context: ReturnType<typeof memoryContext>, lives = Infinity): Promise<number> {
    const left = { left: lives };
    const { phase } = trainPhases(context, 9);
    const first = await phase('first', 5, zero(), (c) => count(c, zero(), 5, left));
    const second = await phase('second', 4, zero(), (c) => count(c, first, 4, left));
    return second.item();
  }

  it('counts steps on and names metrics by the phase', async () => {
    const context = memoryContext();
    await both(context);
    const steps = context.rows.map((r) => r.step);
    assert.deepEqual(steps, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(Object.keys(context.rows[0].metrics), ['first/measured']);
    assert.deepEqual(Object.keys(context.rows[9].metrics), ['second/loss', 'second/measured']);
  });

  it('a run that was killed in either phase ends as the straight one', async () => {
    const straight = await both(memoryContext());
    for (const lives of [1, 3, 5, 6, 8]) {
      const context = memoryContext();
      await assert.rejects(both(context, lives), /killed/);
      const before = context.last?.step ?? 0;
      assert.equal(await both(context), straight, `killed after ${lives} steps`);
      assert.ok(lives < 2 || before > 0);
    }
  });

  it('a name is used once', async () => {
    const { phase } = trainPhases(memoryContext(), 2);
    await phase('one', 1, zero(), () => Promise.resolve(zero()));
    await assert.rejects(
      phase('one', 1, zero(), () => Promise.resolve(zero())),
      /expected a new name/,
    );
  });
});

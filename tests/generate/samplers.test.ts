/** Noise schedules and samplers against diffusers: whole trajectories with a function in the model's place. */
import assert from 'node:assert/strict';
import { tensor } from '../../lib/graph';
import { ddim, dpmSolver, samplingTimesteps } from '../../lib/generate';
import type { DpmSolverOptions, Sampler } from '../../lib/generate';
import { addNoise, diffusionLoss, diffusionTarget, minSnrWeights } from '../../lib/losses';
import { alphasCumprod, noiseSchedule } from '../../lib/nn';
import type { NoiseScheduleConfig } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { assertGolden, golden, goldenCases } from '../models/golden-diffusion';
import { assertClose, param } from '../nn/golden';

const schedules: Record<string, NoiseScheduleConfig> = {
  sd: noiseSchedule({ stepsOffset: 1, setAlphaToOne: false }),
  linear: noiseSchedule({ betaStart: 1e-4, betaEnd: 0.02, betaSchedule: 'linear' }),
  cosine: noiseSchedule({ betaSchedule: 'squaredcos_cap_v2' }),
  zero: noiseSchedule({ rescaleBetasZeroSnr: true }),
};

async function checkTrajectory(name: string, sampler: Sampler): Promise<void> {
  const { timesteps, way } = golden(name);
  assert.deepEqual([...sampler.timesteps], timesteps);
  let x = (await param('trajectory.x', [4]).data()) as Float32Array;
  for (const [i, t] of sampler.timesteps.entries()) {
    const prediction = x.map((v) => Math.tanh(0.7 * v + t / 1000 - 0.4));
    const noise = sampler.stochastic ? ((await param(`trajectory.noise${i}`, [4]).data()) as Float32Array) : undefined;
    x = sampler.step(i, prediction, x, noise);
    assertClose(x, way.slice(4 * i, 4 * i + 4), `${name}, step ${i}`, 2e-5);
  }
}

describe('noise schedules against diffusers', () => {
  after(closeDevices);
  for (const [name, config] of Object.entries(schedules))
    it(name, () => {
      const alphas = alphasCumprod(config);
      assertClose(
        [0, 1, 10, 500, 997, 998, 999].map((t) => alphas[t]),
        golden(`schedule.${name}`).alphas,
        name,
        1e-6,
      );
    });

  it('noised samples, velocities and min-SNR weights', async () => {
    const alphas = alphasCumprod(schedules.sd);
    const alphaBar = tensor(Float32Array.from([3, 400, 990], (t) => alphas[t]));
    const x = { sample: param('noised.x', [3, 4]), noise: param('noised.e', [3, 4]), alphaBar };
    await assertGolden('noised', {
      sample: addNoise(x),
      velocity: diffusionTarget(x, 'v_prediction'),
      epsilonWeights: minSnrWeights(alphaBar, 'epsilon', 5),
      velocityWeights: minSnrWeights(alphaBar, 'v_prediction', 5),
      sampleWeights: minSnrWeights(alphaBar, 'sample', 5),
    });
    // The loss by hand: a prediction of zeros, so that the errors are the targets' squares.
    const { loss } = diffusionLoss(param('noised.x', [3, 4]).mul(0), x, { predictionType: 'epsilon', snrGamma: 5 });
    const weights = golden('noised').epsilonWeights;
    const squares = [...((await x.noise.data()) as Float32Array)].map((v) => v * v);
    const byHand = squares.reduce((sum, s, i) => sum + (weights[Math.floor(i / 4)] * s) / 12, 0);
    assertClose([await loss.item()], [byHand], 'loss');
  });
});

describe('samplers against diffusers', () => {
  for (const name of goldenCases.filter((n) => /^(ddim|dpm)\.\w+\.\w+\.\w+$/.test(n) && !n.includes('sigma_min')))
    it(name, () => {
      const [kind, schedule, predictionType, timestepSpacing] = name.split('.');
      const config = { ...schedules[schedule], predictionType, timestepSpacing } as NoiseScheduleConfig;
      return checkTrajectory(name, kind === 'ddim' ? ddim(config, 7) : dpmSolver(config, 9));
    });

  it('DDIM with noise', () => checkTrajectory('ddim.eta', ddim(schedules.sd, 6, { eta: 0.6 })));
  it('DDIM with clipping', () => checkTrajectory('ddim.clip', ddim({ ...schedules.sd, clipSample: true }, 6)));
  const solvers: [string, number, DpmSolverOptions][] = [
    ['dpm.20', 20, {}],
    ['dpm.heun', 16, { solverType: 'heun' }],
    ['dpm.order1', 6, { order: 1 }],
    ['dpm.sigma_min', 16, { finalSigma: 'sigma_min' }],
    ['dpm.sigma_min.few', 6, { finalSigma: 'sigma_min' }],
  ];
  for (const [name, steps, options] of solvers)
    it(name, () => checkTrajectory(name, dpmSolver({ ...schedules.sd, timestepSpacing: 'linspace' }, steps, options)));

  it('refuses numbers of steps that cannot be', () => {
    assert.throws(() => ddim(schedules.sd, 0), /ddim: expected 1 to 1000 steps, got 0/);
    assert.throws(() => dpmSolver(schedules.sd, 1001), /1000 steps, got 1001/);
    assert.equal(samplingTimesteps(schedules.linear, 1000, false)[999], 0);
  });
});

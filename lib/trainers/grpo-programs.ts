/** The compiled programs of reward-based training: the weights that sample, log-probabilities before the update, the update. */
import { valueAndGrad } from '../graph/grad';
import type { Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';
import { tokenLogProbs } from '../losses/cross-entropy';
import { tokenEntropies } from '../losses/entropy';
import { policyLoss } from '../losses/policy';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import type { AdamWState } from '../nn/adamw';
import { mergeLora, withLora } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { replaceModules } from '../nn/modules';
import { jit } from '../runtime/jit';
import type { TokenBatch } from './batches';
import { compiled } from './context';
import type { TrainContext } from './context';
import type { GrpoMethod } from './grpo-config';
import type { PolicyBatch } from './grpo-rows';
import { update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface ProgramOptions {
  model: LlamaConfig;
  base: LlamaParams;
  lora: LoraConfig;
  optimizer: OptimizerConfig;
  policy: GrpoMethod['policy'];
  /** Whether `score` gives entropies too. */
  entropies: boolean;
  device?: string;
}

/** Of each label, [B, T]. */
export type Scores = {
  /** log pi at temperature 1, to compare with what sampling saw. */
  plain: Tensor;
  /** log pi and log ref at the rows' temperatures. */
  old: Tensor;
  ref: Tensor;
  /** Of the distributions at the rows' temperatures. */
  entropies?: Tensor;
};

/** Logits [B, T, V] divided by their rows' temperatures [B]. */
const warm = (logits: Tensor, temperatures: Tensor | null): Tensor =>
  temperatures ? logits.div(temperatures.reshape([-1, 1, 1])) : logits;

export function grpoPrograms(
  context: TrainContext,
  { model, base, lora, optimizer, policy, entropies, device }: ProgramOptions,
) {
  const options = (name: string) => ({ device, ...compiled(context, `grpo ${name}`) });
  const weightsOf = jit((p: LlamaParams, a: LoraAdapter): Record<string, Tensor> => {
    const merged = tensorsOf(mergeLora(p, a, lora));
    return Object.fromEntries(
      merged.flatMap(({ path, tensor }) => (path.replace(/\.weight$/, '') in a ? [[path, tensor]] : [])),
    );
  }, options('merge'));

  const score = jit((a: LoraAdapter, p: LlamaParams, b: TokenBatch, temperatures: Tensor | null): Scores => {
    const logits = llama(withLora(p, a, lora), model, filledInputs(p, b));
    const warmed = warm(logits, temperatures);
    const reference = warm(llama(p, model, filledInputs(p, b)), temperatures);
    return {
      plain: tokenLogProbs(logits, b.labels),
      old: tokenLogProbs(warmed, b.labels),
      ref: tokenLogProbs(reference, b.labels),
      ...(entropies ? { entropies: tokenEntropies(warmed) } : {}),
    };
  }, options('score'));

  const lossOf = (
    a: LoraAdapter,
    p: LlamaParams,
    b: PolicyBatch,
    temperatures: Tensor | null,
  ): { loss: Tensor; [metric: string]: Tensor } => {
    const logits = warm(llama(withLora(p, a, lora), model, filledInputs(p, b)), temperatures);
    const { loss, metrics } = policyLoss(
      {
        logProbs: tokenLogProbs(logits, b.labels),
        oldLogProbs: b.old,
        refLogProbs: b.ref,
        advantages: b.advantages,
        mask: b.mask,
        entropies: tokenEntropies(logits),
      },
      policy,
    );
    return { ...metrics, loss };
  };
  const step = jit(
    (
      a: LoraAdapter,
      s: AdamWState<LoraAdapter>,
      p: LlamaParams,
      b: PolicyBatch,
      temperatures: Tensor | null,
      scalars: StepScalars<Tensor>,
    ) => {
      const { value, grads } = valueAndGrad(lossOf)(a, p, b, temperatures);
      const next = update(optimizer, a, grads, s, scalars);
      return { adapter: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], ...options('step') },
  );

  return {
    score,
    step,
    /** Calls `use` with the model as it is now, the adapter merged into its weights (what sampling multiplies with). */
    async withPolicy<R>(adapter: LoraAdapter, use: (params: LlamaParams) => Promise<R>): Promise<R> {
      const weights = await weightsOf(base, adapter);
      try {
        return await use(replaceModules(base, weights));
      } finally {
        for (const weight of Object.values(weights)) weight.dispose();
      }
    },
    release(): void {
      for (const program of [weightsOf, score, step]) program.release();
    },
  };
}
export type GrpoPrograms = ReturnType<typeof grpoPrograms>;

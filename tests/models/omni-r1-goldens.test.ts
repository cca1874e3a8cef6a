/** Chameleon, its image tokenizer and the perception loss against transformers' and a transcription's values and gradients. */
import assert from 'node:assert/strict';
import { flattenTree, gradients, tensor, treeMap, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { perceptionLoss, vqganLoss } from '../../lib/losses';
import {
  chameleonInit,
  llama,
  vqganDecode,
  vqganEncode,
  vqganInit,
  vqganQuantise,
  vqganSchema,
} from '../../lib/models';
import type { LlamaConfig, LlamaParams, VqganConfig, VqganParams } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { assertGolden, golden, goldenNames, ints, param } from '../nn/golden';
import { nextTokenLoss, tinyConfig } from './golden-llama';

const grads = (name: string): string[] =>
  Object.keys(golden(name))
    .filter((k) => k.startsWith('d.'))
    .map((k) => k.slice(2));
const named = (flat: Record<string, Tensor>, names: string[]): Record<string, Tensor> =>
  Object.fromEntries(names.map((n) => [`d.${n}`, flat[n]]));

describe("Omni-R1's model parts against transformers", () => {
  after(closeDevices);

  it('Chameleon: logits, loss, gradients, names', async () => {
    const config: LlamaConfig = { ...tinyConfig, kvHeads: 2 };
    const params = treeMap(chameleonInit(new Random(1), config), (t, path) =>
      path.includes('norm') && path.endsWith('weight')
        ? param(`chameleon.${path}`, t.shape, 0.125, 1)
        : param(`chameleon.${path}`, t.shape, 0.25),
    );
    assert.deepEqual(Object.keys(flattenTree(params)).sort(), goldenNames('chameleon.names'));
    const ids = ints('chameleon.ids', [2, 7], 18);
    const step = jit((p: LlamaParams) => {
      const { value, grads: g } = valueAndGrad((q: LlamaParams) => nextTokenLoss(q, config, ids))(p);
      return { loss: value, logits: llama(p, config, { ids }), flat: flattenTree(g) };
    });
    const { loss, logits, flat } = await step(params);
    await assertGolden('chameleon', { loss, logits, ...named(flat, grads('chameleon')) }, 2e-5);
  });

  const base = {
    resolution: 8,
    baseChannels: 32,
    channelMultiplier: [1, 2],
    numResBlocks: 1,
    latentChannels: 10,
    embedDim: 6,
    numEmbeddings: 16,
  };
  const weights = (config: VqganConfig): VqganParams =>
    treeMap(vqganInit(new Random(1), config), (t, path) =>
      param(`vqgan.${path}`, t.shape, 0.125, path.includes('norm') && path.endsWith('weight') ? 1 : 0),
    );

  it('image tokenizer: codes, quantised vectors, loss, gradients through the straight-through step, names', async () => {
    const config = vqganSchema.parse({ ...base, attnResolutions: [8] });
    const pictures = param('vqgan.pictures', [2, 3, 8, 8], 0.5);
    const step = jit((p: VqganParams) => {
      const { vectors, codes, codebook, commitment } = vqganQuantise(p, vqganEncode(p, config, pictures));
      const nothing = tensor([0]);
      const { loss } = vqganLoss({ target: nothing, output: nothing, codebook, commitment }, { weighting: 'released' });
      const leaves = flattenTree(p);
      const names = grads('vqgan.encode');
      const found = gradients(
        vectors.mul(param('vqgan.dy', vectors.shape)).sum().add(loss),
        names.map((n) => leaves[n]),
      );
      return {
        quantised: vectors,
        codes: codes.cast('float32'),
        loss,
        ...Object.fromEntries(names.map((n, i) => [`d.${n}`, found[i]])),
      };
    });
    const params = weights(config);
    const encoder = Object.keys(flattenTree(params)).filter((n) => !n.startsWith('decoder'));
    assert.deepEqual(encoder.sort(), goldenNames('vqgan.names'));
    await assertGolden('vqgan.encode', await step(params), 1e-4);
  });

  it('image tokenizer: pictures of code vectors, and their gradients', async () => {
    const config = vqganSchema.parse({ ...base, attnResolutions: [4] });
    const step = jit((p: VqganParams, z: Tensor) => {
      const y = vqganDecode(p, config, z);
      const [dz, dw] = gradients(y.mul(param('vqgan.decode.dy', y.shape)).sum(), [z, p.decoder.conv_in.weight]);
      return { y, 'd.z': dz, 'd.conv_in': dw.slice([0, 4]) };
    });
    await assertGolden('vqgan.decode', await step(weights(config), param('vqgan.z', [2, 6, 4, 4])), 1e-4);
  });

  it("perception loss: the paper's and the released scale, gradients", async () => {
    const ids = tensor(
      [
        [9, 1, 3, 4, 7, 7, 1, 1, 1],
        [1, 9, 2, 3, 3, 6, 5, 4, 8],
      ],
      { dtype: 'int32' },
    );
    const mask = tensor([
      [0, 0, 1, 1, 1, 1, 0, 0, 0],
      [0, 0, 0, 0, 1, 1, 1, 1, 0],
    ]);
    const leaves = {
      hidden: param('perception.hidden', [2, 9, 8]),
      weight: param('perception.weight', [3, 8]),
      bias: param('perception.bias', [3]),
    };
    const codebook = param('perception.codebook', [5, 3]);
    const step = jit((p: typeof leaves) => {
      const inputs = { hidden: p.hidden, ids, mask, codebook, imageStart: 3 };
      const projection = { weight: p.weight, bias: p.bias };
      const { loss: paper } = perceptionLoss(projection, inputs, { scale: 'none' });
      const [hidden, weight, bias] = gradients(paper, [p.hidden, p.weight, p.bias]);
      return {
        paper,
        released: perceptionLoss(projection, inputs).loss,
        'd.hidden': hidden,
        'd.weight': weight,
        'd.bias': bias,
      };
    });
    await assertGolden('perception', await step(leaves));
  });
});

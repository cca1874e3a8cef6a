/** A text encoder that begins looking back: what its first layer's heads see, how large its states are, what it refuses. */
import assert from 'node:assert/strict';
import { tensor } from '../../lib/graph';
import { clipText, clipTextSchema, clipTextSizes } from '../../lib/models/text-encoder';
import { lookingBackInit } from '../../lib/models/text-encoder-start';
import { Random } from '../../lib/nn';
import { splitHeads } from '../../lib/nn/attention';
import { embedding, linear } from '../../lib/nn/linear';
import { layerNorm } from '../../lib/nn/norm';
import { closeDevices } from '../../lib/runtime';

describe('a text encoder that begins looking back', () => {
  after(closeDevices);
  const config = clipTextSchema.parse({ ...clipTextSizes.nano, vocabSize: 60, numAttentionHeads: 4 });
  const length = 20;
  const random = new Random(5, 'captions');
  const ids = tensor(
    Int32Array.from({ length }, () => random.int(60)),
    { shape: [1, length] },
  );

  it('each head sees the token that stands as many places before as its number says', async () => {
    const params = lookingBackInit(new Random(2), config);
    const { embeddings, encoder } = params.text_model;
    const [layer] = encoder.layers;
    const at = tensor(Int32Array.from({ length }, (_, i) => i));
    const x = embedding(embeddings.token_embedding, ids).add(embedding(embeddings.position_embedding, at));
    const h = layerNorm(layer.layer_norm1, x);
    const [q, k] = [layer.self_attn.q_proj, layer.self_attn.k_proj].map((p) => splitHeads(linear(p, h), 4));
    const logits = (await q.matMul(k, { transB: true }).mul(0.25).data()) as Float32Array;
    for (let head = 0; head < 4; head++)
      for (let i = head + 1; i < length; i++) {
        const row = Array.from({ length: i + 1 }, (_, j) => Math.exp(logits[(head * length + i) * length + j]));
        const share = row[i - head - 1] / row.reduce((a, b) => a + b);
        assert.ok(share > 0.85, `head ${head}, token ${i}: ${share}`);
      }
  });

  it('its states have the size that is asked for', async () => {
    for (const gain of [1, 4]) {
      const states = clipText(lookingBackInit(new Random(2), config, { gain }), config, ids);
      const size = Math.sqrt(await states.square().mean().item());
      assert.ok(Math.abs(size / gain - 1) < 0.01, `${size}`);
    }
  });

  it('refuses heads that have no room for waves', () => {
    assert.throws(
      () => lookingBackInit(new Random(0), { ...config, numAttentionHeads: 1 }),
      /lookingBackInit: expected an even number of channels a head, and two heads or more, got 1 heads of 64/,
    );
  });
});

/** Checkpoints of OmniAgent: written, read back, damaged. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { FormatError, treeMap } from '../../lib';
import { linkFolder, readSafetensors, toHost, trainTokenizer, writeSafetensors } from '../../lib/io';
import type { StoredTensor } from '../../lib/io';
import {
  fromLlamaJson,
  inputProjectorInit,
  llamaInit,
  llamaSizes,
  loadOmniAgentParts,
  mergePeft,
  outputProjectorsInit,
  saveOmniAgent,
  toLlamaJson,
} from '../../lib/models';
import type { OmniAgentParts } from '../../lib/models';
import { loraInit, normal, pickModules, Random } from '../../lib/nn';

const rng = new Random(2);
const config = { ...llamaSizes.nano, vocabSize: 300 };
const base = llamaInit(rng, config);
const input = { inWidth: 8, modalities: 3, width: 8, heads: 2, hidden: 16, layers: 1, slots: 2, outWidth: 64 };
const output = (tokens: number) => ({
  inWidth: 64,
  tokens,
  width: 8,
  heads: 2,
  hidden: 16,
  encoderLayers: 1,
  decoderLayers: 1,
  queries: 3,
  outWidth: 4,
});
const outputs = { image: output(5), audio: output(4), video: output(4) };
const lora = { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'] };
const parts: OmniAgentParts = {
  config: { model_type: 'omniagent', stage: 'stage3_sft', inputProjector: input, outputProjectors: outputs },
  llama: {
    config,
    base,
    peft: {
      adapter: treeMap(loraInit(rng, base, lora), (t, p) => normal(new Random(3, p), t.shape, 0.1)),
      modules: treeMap(pickModules(base, ['lm_head']), (t) => normal(new Random(3), t.shape, 0.1)),
      lora,
    },
  },
  inputProjector: inputProjectorInit(rng, input),
  outputProjectors: outputProjectorsInit(rng, outputs),
  tokenizer: trainTokenizer(['a small text', 'another text'], { vocabSize: 300, addedTokens: ['<|end|>'] }),
};

describe('models: folders of checkpoints', () => {
  let dir: string;
  beforeEach(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'omniagent-'));
  });
  afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

  it('keeps every part, in the layout of the card', async () => {
    await saveOmniAgent(dir, parts);
    for (const name of [
      'backbone/config.json',
      'backbone/model.safetensors',
      'backbone/adapter_config.json',
      'backbone/adapter_model.safetensors',
      'input_projector.safetensors',
      'output_projectors.safetensors',
      'tokenizer/tokenizer.json',
    ])
      assert.ok(fs.existsSync(path.join(dir, name)), name);
    const read = await loadOmniAgentParts(dir);
    assert.deepEqual(read.config, parts.config);
    assert.deepEqual(read.llama.config, config);
    for (const part of ['inputProjector', 'outputProjectors'] as const)
      assert.deepEqual(await toHost(read[part]), await toHost(parts[part]), part);
    assert.deepEqual(await toHost(read.llama), await toHost(parts.llama));
    assert.deepEqual(
      await toHost(await mergePeft(read.llama.base, read.llama.peft!)),
      await toHost(await mergePeft(base, parts.llama.peft!)),
    );
  });

  it('says which file is missing, damaged or of another model', async () => {
    await saveOmniAgent(dir, parts);
    const fails = (pattern: RegExp): Promise<void> =>
      assert.rejects(
        () => loadOmniAgentParts(dir),
        (e: Error) => e instanceof FormatError && pattern.test(e.message),
      );
    const change = (name: string, text: string): void => fs.writeFileSync(path.join(dir, name), text);
    const configText = fs.readFileSync(path.join(dir, 'omniagent.json'), 'utf8');
    change('omniagent.json', configText.replace('"slots": 2', '"slots": 3'));
    await fails(/input_projector.*expected "queries"/s);
    change('omniagent.json', configText.replace('"width": 8', '"width": "8"'));
    await fails(/omniagent\.json.*inputProjector\.width/s);
    change('omniagent.json', '{');
    await fails(/omniagent\.json.*expected a JSON file/s);
    change('omniagent.json', configText);
    const weights = path.join(dir, 'backbone/model.safetensors');
    fs.truncateSync(weights, fs.statSync(weights).size - 8);
    await fails(/model\.safetensors/);
    fs.rmSync(path.join(dir, 'backbone/config.json'));
    await fails(/backbone\/config\.json/);
  });

  it('refuses an adapter that is not whole or does not fit, which would answer as another model', async () => {
    await saveOmniAgent(dir, parts);
    const settings = path.join(dir, 'backbone/adapter_config.json');
    const weights = path.join(dir, 'backbone/adapter_model.safetensors');
    const [json, { tensors }] = [fs.readFileSync(settings, 'utf8'), await readSafetensors(weights)];
    const fails = async (pattern: RegExp): Promise<void> => {
      await assert.rejects(
        () => loadOmniAgentParts(dir),
        (e: Error) => {
          assert.ok(e instanceof FormatError, String(e));
          assert.match(e.message, pattern);
          return true;
        },
      );
      fs.writeFileSync(settings, json);
      await writeSafetensors(weights, tensors);
    };
    const change = (edit: (copy: Record<string, StoredTensor>) => void): Promise<void> => {
      const copy = { ...tensors };
      edit(copy);
      return writeSafetensors(weights, copy);
    };
    fs.rmSync(settings);
    await fails(/adapter_config\.json/);
    fs.rmSync(weights);
    await fails(/adapter_model\.safetensors/);
    fs.rmSync(settings);
    fs.rmSync(weights);
    await fails(/adapter_config\.json/);
    const layer = 'base_model.model.model.layers.0.self_attn.q_proj';
    await change((copy) => {
      delete copy[`${layer}.lora_A.weight`];
      delete copy[`${layer}.lora_B.weight`];
    });
    await fails(/expected "model\.layers\.0\.self_attn\.q_proj\.lora_A" as float32 \[2, 64\], got nothing/);
    await change((copy) => void delete copy['base_model.model.lm_head.weight']);
    await fails(/expected the module lm_head in it/);
    await change(
      (copy) => (copy[`${layer}.lora_A.weight`] = { dtype: 'float32', shape: [1, 64], data: new Float32Array(64) }),
    );
    await fails(/q_proj\.lora_A" as float32 \[2, 64\], got float32 \[1, 64\]/);
    await change(
      (copy) => (copy['base_model.model.nothing.weight'] = { dtype: 'float32', shape: [1], data: new Float32Array(1) }),
    );
    await fails(/"nothing\.weight"/);
    fs.writeFileSync(settings, json.replace('"r": 2', '"r": 3'));
    await fails(/lora_A" as float32 \[3, \d+\], got float32 \[2, \d+\]/);
    const broken = new Float32Array(tensors[`${layer}.lora_B.weight`].data.length).fill(NaN);
    await change((copy) => (copy[`${layer}.lora_B.weight`] = { ...tensors[`${layer}.lora_B.weight`], data: broken }));
    await fails(/expected finite values in ".*lora_B\.weight", got NaN at 0/);
    await loadOmniAgentParts(dir);
    // One that says itself that it is of some layers only is whole without the others.
    await change((copy) => {
      for (const part of ['A', 'B']) delete copy[`${layer}.lora_${part}.weight`];
    });
    fs.writeFileSync(settings, JSON.stringify({ ...(JSON.parse(json) as object), layers_to_transform: [1] }));
    const some = (await loadOmniAgentParts(dir)).llama.peft!;
    assert.ok(!('model.layers.0.self_attn.q_proj' in some.adapter));
    await saveOmniAgent(dir, { ...parts, llama: { ...parts.llama, peft: some } });
    const again = (await loadOmniAgentParts(dir)).llama.peft!;
    assert.deepEqual(await toHost(again.adapter), await toHost(some.adapter));
    await change((copy) => void delete copy[`${layer}.lora_B.weight`]);
    fs.writeFileSync(settings, json);
    await fails(/adapter_model\.safetensors.*lora_A and lora_B/);
  });

  it('forgets the adapter of what was there before', async () => {
    await saveOmniAgent(dir, parts);
    await saveOmniAgent(dir, { ...parts, llama: { config, base } });
    assert.equal((await loadOmniAgentParts(dir)).llama.peft, undefined);
  });

  it('refuses a tokenizer with more tokens than the model has', async () => {
    const more = trainTokenizer(['a small text'], {
      vocabSize: 310,
      addedTokens: Array.from({ length: 54 }, (_, i) => `<${i}>`),
    });
    await saveOmniAgent(dir, { ...parts, tokenizer: more });
    await assert.rejects(loadOmniAgentParts(dir), /tokenizer: expected at most the 300 tokens/);
  });

  it('reads configurations of transformers, and refuses what would be computed otherwise', () => {
    assert.deepEqual(fromLlamaJson('x', toLlamaJson(config)), config);
    const vicuna = { ...toLlamaJson(llamaSizes['vicuna-7b']), rope_theta: undefined, num_key_value_heads: undefined };
    assert.deepEqual(fromLlamaJson('x', vicuna), llamaSizes['vicuna-7b']);
    for (const change of [
      { model_type: 'mistral' },
      { rope_scaling: { type: 'linear', factor: 2 } },
      { attention_bias: true },
      { hidden_act: 'gelu' },
      { hidden_size: 0 },
    ])
      assert.throws(() => fromLlamaJson('x', { ...toLlamaJson(config), ...change }), FormatError);
  });

  it('links folders, which then stay apart', async () => {
    const from = path.join(dir, 'from');
    fs.mkdirSync(path.join(from, 'inner'), { recursive: true });
    fs.writeFileSync(path.join(from, 'inner/a'), 'one');
    await linkFolder(from, path.join(dir, 'to'));
    fs.rmSync(from, { recursive: true });
    assert.equal(fs.readFileSync(path.join(dir, 'to/inner/a'), 'utf8'), 'one');
    await assert.rejects(linkFolder(from, path.join(dir, 'to')), FormatError);
    assert.equal(fs.readFileSync(path.join(dir, 'to/inner/a'), 'utf8'), 'one');
  });
});

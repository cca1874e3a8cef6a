/** The clip decoder's data, and what it takes over from the picture decoder. */
import assert from 'node:assert/strict';
import {
  clipOf,
  joinLatents,
  pictureOf,
  videoCaption,
  videoCaptions,
  videoScenes,
} from '../../lib/experiments/omniagent/video-data';
import { videoSizes } from '../../lib/experiments/omniagent/video-sizes';
import { pictureUnet, textEncoderFor } from '../../lib/experiments/omniagent/video-start';
import { captionIds, loadDecoder, trainCaptionTokenizer } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { captionOf, parseScene } from '../../lib/world';
import { tinyPipeline } from '../models/golden-diffusion';
import { param } from '../nn/golden';

describe('clip decoder: data', () => {
  after(closeDevices);
  const c = videoSizes('laptop');
  const scenes = videoScenes(3, 'train', 40);

  it('frames and pictures from -1 to 1; the middle of a still clip is its picture', () => {
    const still = scenes.find((s) => s.objects.every((o) => o.motion === 'still'))!;
    const [picture, clip] = [pictureOf(still, c), clipOf(still, c)];
    assert.equal(clip.length, c.frames * picture.length);
    assert.deepEqual(clip.slice(0, picture.length), picture);
    assert.ok(picture.every((v) => v >= -1 && v <= 1));
    assert.ok(picture.some((v) => v < -0.5) && picture.some((v) => v > 0.5));
  });

  it('latents of frames become latents of clips: channels before frames', () => {
    // Two clips of three frames, two channels, one position: value = 100 clip + 10 frame + channel.
    const values = Float32Array.from({ length: 12 }, (_, i) => {
      const frame = Math.floor(i / 2);
      return 100 * Math.floor(frame / 3) + 10 * (frame % 3) + (i % 2);
    });
    assert.deepEqual([...joinLatents(values, [2, 1, 1], 3)], [0, 10, 20, 1, 11, 21, 100, 110, 120, 101, 111, 121]);
  });

  it('the picture decoder lends its words; captions with motion fit, whole, one in so many a paraphrase', async () => {
    const loaded = await loadDecoder(tinyPipeline);
    const tokenizer = trainCaptionTokenizer(
      scenes.map((s) => captionOf(s.objects)),
      400,
    );
    const { text_model } = loaded.params.text_encoder;
    const embeddings = {
      ...text_model.embeddings,
      token_embedding: { weight: param('words', [tokenizer.vocabSize, loaded.config.textEncoder.hiddenSize]) },
    };
    const pictures = {
      ...loaded,
      tokenizer,
      params: { ...loaded.params, text_encoder: { text_model: { ...text_model, embeddings } } },
    };
    const text = await textEncoderFor(new Random(1, 'words'), pictures, scenes.map(videoCaption));
    const { weight } = text.params.text_model.embeddings.token_embedding;
    assert.deepEqual(weight.shape, [text.tokenizer.vocabSize, text.config.hiddenSize]);
    const old = await embeddings.token_embedding.weight.data();
    const now = await weight.data();
    const width = text.config.hiddenSize;
    const tokens = Array.from({ length: text.tokenizer.vocabSize }, (_, i) => text.tokenizer.token(i));
    let shared = 0;
    for (let id = 0; id < pictures.tokenizer.vocabSize; id++) {
      const token = pictures.tokenizer.token(id)!;
      const at = tokens.indexOf(token);
      if (at < 0) continue;
      shared++;
      assert.deepEqual(now.slice(at * width, (at + 1) * width), old.slice(id * width, (id + 1) * width), token);
    }
    assert.ok(shared > 250 && shared < text.tokenizer.vocabSize, `${shared} tokens in common`);
    assert.throws(
      () =>
        pictureUnet({
          ...pictures,
          config: { ...pictures.config, unet: { ...pictures.config.unet, downBlockTypes: ['DownBlock3D'] } as never },
        }),
      /expected a decoder of pictures/,
    );

    const length = 24;
    const { ids, variants } = videoCaptions(text.tokenizer, scenes, { variants: 4, length, seed: 3 });
    scenes.forEach((scene, i) => {
      const rows = Array.from({ length: variants }, (_, v) =>
        ids.slice((i * variants + v) * length, (i * variants + v + 1) * length),
      );
      const canonical = captionIds(text.tokenizer, [videoCaption(scene)], length);
      for (const row of rows.slice(0, -1)) assert.deepEqual(row, canonical);
      for (const row of rows) {
        const said = text.tokenizer.decode([...row], true);
        assert.deepEqual(parseScene(said).scene, scene.objects, said);
      }
    });
  });
});

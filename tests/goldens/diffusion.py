"""Reference values of the latent diffusion core: autoencoder, UNet, text encoder, schedules, samplers, a whole pipeline.

Run:  python3 tests/goldens/diffusion.py     (needs torch, diffusers and transformers; the tests need none of them)

Writes tests/goldens/data/diffusion.jsonl, one record a line as nn.py does, and tests/goldens/data/tiny-pipeline, a
StableDiffusionPipeline of random weights as diffusers saves it. Running it again gives the same bytes. Models are computed
in float64, schedulers as they are.
"""

import json
import shutil

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from transformers import CLIPTextConfig, CLIPTextModel

from nn import HERE, RECORDS, ints, param, record

RECORDS.clear()


def fill(model, name):
    """Weights by their names, in the published form."""
    with torch.no_grad():
        for key, p in model.named_parameters():
            if isinstance(model, CLIPTextModel) and not key.startswith("text_model."):
                key = f"text_model.{key}"
            norm = "norm" in key and "attn" not in key
            p.copy_(param(f"{name}.{key}", tuple(p.shape), 0.125 if norm else 0.15, 1.0 if norm and "weight" in key else 0.0))
    return model.double().eval()


def gradients(name, y, model, keys):
    """Gradients of sum(y * dy) by some parameters."""
    dy = param(f"{name}.dy", y.shape).detach()
    found = dict(model.named_parameters())
    grads = torch.autograd.grad((y * dy).sum(), [found[k] for k in keys])
    return {f"d.{k}": g for k, g in zip(keys, grads)}


def autoencoders():
    for name, x, config in (
        ("vae", (2, 3, 8, 8), dict(in_channels=3, out_channels=3, latent_channels=2, layers_per_block=2)),
        (
            "vae.mel",
            (1, 1, 8, 4),
            dict(in_channels=1, out_channels=1, latent_channels=3, layers_per_block=1, mid_block_add_attention=False,
                 use_quant_conv=False, use_post_quant_conv=False),
        ),
    ):  # fmt: skip
        blocks = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
        model = fill(AutoencoderKL(block_out_channels=(4, 8), norm_num_groups=2, **blocks, **config), name)
        posterior = model.encode(param(f"{name}.x", x)).latent_dist
        y = model.decode(posterior.mean).sample
        keys = ["encoder.conv_in.weight", "encoder.down_blocks.0.downsamplers.0.conv.weight", "decoder.conv_out.bias",
                "encoder.mid_block.resnets.0.norm1.weight", "decoder.up_blocks.1.resnets.0.conv_shortcut.weight"]  # fmt: skip
        if config.get("mid_block_add_attention", True):
            keys += ["decoder.mid_block.attentions.0.to_q.weight", "quant_conv.weight"]
        record(name, mean=posterior.mean, logVariance=posterior.logvar, y=y, **gradients(name, y, model, keys))


def text_encoders():
    for act in ("quick_gelu", "gelu"):
        name = f"clip.{act}"
        model = fill(
            CLIPTextModel(
                CLIPTextConfig(vocab_size=19, hidden_size=8, intermediate_size=12, num_hidden_layers=2, hidden_act=act,
                               num_attention_heads=2, max_position_embeddings=7, bos_token_id=0, eos_token_id=1, pad_token_id=1)
            ),
            "clip",
        )  # fmt: skip
        y = model(ints("clip.ids", (2, 6), 19)).last_hidden_state
        prefix = "" if "final_layer_norm.weight" in dict(model.named_parameters()) else "text_model."
        keys = ["embeddings.token_embedding.weight", "encoder.layers.0.self_attn.k_proj.weight", "encoder.layers.1.mlp.fc1.bias"]
        found = gradients("clip", y, model, [prefix + k for k in keys])
        record(name, y=y, **{f"d.text_model.{k}": found[f"d.{prefix}{k}"] for k in keys})


def unets():
    for name, size, config in (
        (
            "unet",
            4,
            dict(down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                 block_out_channels=(4, 8), layers_per_block=1, attention_head_dim=2),
        ),
        (
            "unet.wide",
            8,
            dict(down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                 up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(4, 4, 8),
                 layers_per_block=1, attention_head_dim=[1, 2, 4], use_linear_projection=True, flip_sin_to_cos=False,
                 freq_shift=1, transformer_layers_per_block=2),
        ),
    ):  # fmt: skip
        model = fill(UNet2DConditionModel(in_channels=3, out_channels=2, cross_attention_dim=6, norm_num_groups=2, **config), name)
        x, context = param(f"{name}.x", (2, 3, size, size)), param(f"{name}.context", (2, 5, 6))
        y = model(x, torch.tensor([3, 870]), context).sample
        attention = "down_blocks.0" if name == "unet" else "down_blocks.1"
        keys = ["conv_in.weight", "time_embedding.linear_1.weight", "up_blocks.0.upsamplers.0.conv.bias",
                f"{attention}.attentions.0.transformer_blocks.0.attn2.to_k.weight", f"{attention}.attentions.0.proj_in.weight",
                "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.bias", "up_blocks.1.resnets.0.time_emb_proj.weight"]  # fmt: skip
        dy = param(f"{name}.dy", y.shape).detach()
        (by_context,) = torch.autograd.grad((y * dy).sum(), [context], retain_graph=True)
        record(name, y=y, context=by_context, **gradients(name, y, model, keys))


def stand_in(x, t):
    """A model's place in trajectories: bounded, and different at each step."""
    return torch.tanh(0.7 * x + t / 1000 - 0.4)


SCHEDULES = {
    "sd": dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, set_alpha_to_one=False),
    "linear": dict(beta_start=1e-4, beta_end=0.02, beta_schedule="linear"),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
    "zero": dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True),
}


def schedules():
    for name, config in SCHEDULES.items():
        alphas = DDIMScheduler(**config).alphas_cumprod
        record(f"schedule.{name}", alphas=alphas[[0, 1, 10, 500, 997, 998, 999]])

    x, e = param("noised.x", (3, 4)).detach().float(), param("noised.e", (3, 4)).detach().float()
    t = torch.tensor([3, 400, 990])
    ddpm = DDPMScheduler(**{k: v for k, v in SCHEDULES["sd"].items() if k.startswith("beta")})
    snr = compute_snr(ddpm, t)
    least = snr.clamp(max=5)
    record("noised", sample=ddpm.add_noise(x, e, t), velocity=ddpm.get_velocity(x, e, t), epsilonWeights=least / snr,
           velocityWeights=least / (snr + 1), sampleWeights=least)  # fmt: skip


def trajectories():
    for kind in ("epsilon", "sample", "v_prediction"):
        for spacing in ("leading", "trailing", "linspace"):
            for name, config in SCHEDULES.items():
                if name == "zero" and (kind == "epsilon" or spacing != "trailing"):
                    continue
                both = dict(config, prediction_type=kind, timestep_spacing=spacing)
                run(f"ddim.{name}.{kind}.{spacing}", DDIMScheduler(**both, clip_sample=False), 7)
                both.pop("set_alpha_to_one", None)
                # The cosine's last step has so little signal that float32 noise predictions say nothing there.
                if not (name == "cosine" and kind == "epsilon"):
                    run(f"dpm.{name}.{kind}.{spacing}", DPMSolverMultistepScheduler(**both), 9)
    sd = dict(SCHEDULES["sd"], prediction_type="epsilon")
    run("ddim.eta", DDIMScheduler(**sd, clip_sample=False), 6, eta=0.6)
    run("ddim.clip", DDIMScheduler(**sd, clip_sample=True), 6)
    sd.pop("set_alpha_to_one")
    run("dpm.20", DPMSolverMultistepScheduler(**sd), 20)
    run("dpm.heun", DPMSolverMultistepScheduler(**sd, solver_type="heun"), 16)
    run("dpm.order1", DPMSolverMultistepScheduler(**sd, solver_order=1), 6)
    run("dpm.sigma_min", DPMSolverMultistepScheduler(**sd, final_sigmas_type="sigma_min"), 16)
    run("dpm.sigma_min.few", DPMSolverMultistepScheduler(**sd, final_sigmas_type="sigma_min"), 6)


def run(name, scheduler, steps, eta=None):
    """Every sample on the way, and the time steps."""
    scheduler.set_timesteps(steps)
    x = param("trajectory.x", (4,)).detach().float()
    way = []
    for i, t in enumerate(scheduler.timesteps):
        extra = {} if eta is None else dict(eta=eta, variance_noise=param(f"trajectory.noise{i}", (4,)).detach().float())
        x = scheduler.step(stand_in(x, t), t, x, **extra).prev_sample
        way.append(x)
    record(name, timesteps=scheduler.timesteps.double(), way=torch.stack(way))


def pipeline():
    """A whole pipeline, saved by diffusers, and what it draws from given noise."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<|pad|>", "<|begin|>", "<|end|>", "<|unk|>", "red", "blue", "circle", "square", "and", "top", "left"]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<|unk|>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<|pad|>", bos_token="<|begin|>", eos_token="<|end|>",
                                        unk_token="<|unk|>", model_max_length=8)  # fmt: skip
    torch.manual_seed(0)
    vae = AutoencoderKL(block_out_channels=(4, 8), norm_num_groups=2, latent_channels=2, sample_size=8, layers_per_block=1,
                        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)  # fmt: skip
    unet = UNet2DConditionModel(sample_size=4, in_channels=2, out_channels=2, cross_attention_dim=8, norm_num_groups=2,
                                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), block_out_channels=(4, 8),
                                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=1, attention_head_dim=2)  # fmt: skip
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(words), hidden_size=8, intermediate_size=12, num_hidden_layers=1,
                                        num_attention_heads=2, max_position_embeddings=8, bos_token_id=1, eos_token_id=2,
                                        pad_token_id=0))  # fmt: skip
    for model, name in ((vae, "pipe.vae"), (unet, "pipe.unet"), (text, "pipe.text")):
        fill(model, name).float()
    scheduler = DDIMScheduler(**SCHEDULES["sd"], clip_sample=False, prediction_type="v_prediction")
    pipe = diffusers.StableDiffusionPipeline(vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
                                             safety_checker=None, feature_extractor=None, requires_safety_checker=False)  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    folder = HERE / "data" / "tiny-pipeline"
    shutil.rmtree(folder, ignore_errors=True)
    pipe.save_pretrained(folder)

    captions = ["red circle top left", "blue square and red circle"]
    ids = torch.tensor([[1, 4, 6, 9, 10, 2, 0, 0], [1, 5, 7, 8, 4, 6, 2, 0]])
    nothing = text(torch.tensor([[1, 2, 0, 0, 0, 0, 0, 0]] * 2)).last_hidden_state
    states = text(ids).last_hidden_state
    noise = param("pipe.noise", (2, 2, 4, 4)).detach().float()

    def draw(**options):
        out = pipe(prompt_embeds=states, negative_prompt_embeds=nothing, latents=noise.clone(), output_type="pt", height=8, width=8, **options)
        return out.images

    record("pipeline", states=states, ddim=draw(num_inference_steps=6, guidance_scale=3.0),
           plain=draw(num_inference_steps=6, guidance_scale=1.0))  # fmt: skip
    # Said again, since from_config forgets what was a default of the other class.
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, timestep_spacing="leading")
    record("pipeline.dpm", images=draw(num_inference_steps=8, guidance_scale=3.0))
    RECORDS.append({"case": "pipeline.captions", "names": captions})


def main():
    torch.manual_seed(0)
    autoencoders()
    text_encoders()
    unets()
    schedules()
    trajectories()
    pipeline()
    lines = [json.dumps(r, separators=(",", ":")) for r in RECORDS]
    (HERE / "data" / "diffusion.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} cases, {sum(map(len, lines)) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

"""Backgrounds: where they come from, and that noise has the spectrum of natural images."""

import numpy as np
import pytest
from PIL import Image

from ventral.errors import InputError
from ventral.stimuli.backgrounds import NOISE_DEVIATION, NOISE_MEAN, Backgrounds, check, crop, noise


def test_noise_has_amplitudes_that_fall_with_frequency():
    rng = np.random.default_rng(0)
    grey = np.mean([noise(128, rng).mean(axis=0) for _ in range(40)], axis=1)
    amplitude = np.mean([np.abs(np.fft.rfft(row - row.mean())) for row in grey], axis=0)
    assert noise(64, rng).shape == (3, 64, 64)
    slope = np.polyfit(np.log(np.arange(1, 9)), np.log(amplitude[1:9]), 1)[0]
    assert slope < -0.5


def test_radial_amplitude_of_noise_is_one_over_frequency():
    rng = np.random.default_rng(1)
    power = np.mean([np.abs(np.fft.fft2(noise(128, rng)[0].astype(float))) ** 2 for _ in range(30)], axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    bands = [(frequency > f / 1.1) & (frequency < f * 1.1) for f in (0.03, 0.06, 0.12)]
    amplitudes = [np.sqrt(power[band].mean()) for band in bands]
    assert amplitudes[0] / amplitudes[1] == pytest.approx(2, rel=0.15)
    assert amplitudes[1] / amplitudes[2] == pytest.approx(2, rel=0.15)


def test_noise_is_as_light_and_varied_as_it_says():
    rng = np.random.default_rng(2)
    pixels = np.stack([noise(64, rng) for _ in range(50)]).astype(float)
    assert pixels.mean() == pytest.approx(NOISE_MEAN, abs=3)
    assert pixels.std() == pytest.approx(NOISE_DEVIATION, rel=0.1)


def test_a_crop_is_a_part_of_the_photograph():
    photograph = np.zeros((60, 80, 3), np.uint8)
    photograph[..., 0] = np.arange(80)
    photograph[..., 1] = np.arange(60)[:, None]
    for seed in range(20):
        part = crop(photograph, 16, np.random.default_rng(seed)).astype(int)
        assert part.shape == (3, 16, 16)
        across, down = np.diff(part[0, 8]), np.diff(part[1, :, 8])
        # Columns run one way, mirrored or not, rows always down; nothing beyond the photograph.
        assert (across >= 0).all() or (across <= 0).all()
        assert (down >= 0).all()
        assert part[0].max() < 80


def test_sources_are_drawn_equally_often(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(np.full((20, 20, 3), 7, np.uint8)).save(tmp_path / name)
    sources = Backgrounds(["noise", str(tmp_path)], "key")
    names = [sources.draw(8, np.random.default_rng(seed))[1] for seed in range(400)]
    assert set(names) == {"noise", "a.png", "b.png", "c.png"}
    assert names.count("noise") == pytest.approx(200, abs=40)


def test_the_photographs_of_installed_packages_are_there():
    pixels, name = Backgrounds(["photographs"], "key").draw(32, np.random.default_rng(0))
    assert pixels.shape == (3, 32, 32)
    assert pixels.std() > 1
    assert name


@pytest.mark.parametrize("entry", [check, Backgrounds])
def test_an_empty_folder_is_named(tmp_path, entry):
    with pytest.raises(InputError, match=r"stimuli.s.render.backgrounds: .*: no images in it"):
        entry([str(tmp_path)], "stimuli.s.render.backgrounds")


def test_an_unknown_source_is_named_with_those_that_are_known():
    with pytest.raises(InputError, match=r"'photos' is neither `photographs` nor `noise`, nor a folder"):
        check(["photos"], "stimuli.s.render.backgrounds")


def test_an_unreadable_photograph_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken.png: cannot be read as an image"):
        Backgrounds([str(tmp_path)], "key")

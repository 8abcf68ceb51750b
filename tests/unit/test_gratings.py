"""Gratings have the waves, apertures and contrasts that are asked for, and no frequency that pixels cannot show."""

import numpy as np
import pandas as pd
import pytest

from ventral.errors import InputError
from ventral.stimuli.gratings import LADDER, Screen, draw_gratings, shown_frequencies

SCREEN = Screen(64, 64, 8.0, 64)
FULL = {"orientation": 0.0, "spatial_frequency": 1.0, "phase": 0.0, "diameter": 100.0, "contrast": 1.0}


def drawn(screen: Screen = SCREEN, **changes) -> np.ndarray:
    """The grey values (rows, columns) of a grating, from -1 to 1."""
    pixels = draw_gratings(pd.DataFrame([FULL | changes]), screen)
    assert pixels.dtype == np.uint8
    assert (pixels[0] == pixels[0, :1]).all()
    return (pixels[0, 0].astype(float) - 128) / 127


@pytest.mark.parametrize(("orientation", "frequency"), [(0, 1), (90, 2), (45, 1.5), (135, 1.5)])
def test_the_spectrum_has_one_wave_at_the_orientation_and_frequency(orientation, frequency):
    image = drawn(orientation=orientation, spatial_frequency=frequency) * np.outer(np.hanning(64), np.hanning(64))
    spectrum = np.abs(np.fft.fft2(image, (1024, 1024)))
    row, column = np.unravel_index(spectrum[:, :512].argmax(), (1024, 512))
    down, right = np.fft.fftfreq(1024, 8 / 64)[[row, column]]
    expected = frequency * np.array([np.sin(np.radians(orientation)), np.cos(np.radians(orientation))])
    # At 90 degrees, both signs are the same wave.
    expected = expected if down * expected[0] >= 0 else -expected
    np.testing.assert_allclose([down, right], expected, atol=0.02)


def test_phases_follow_the_wave_and_sum_to_grey():
    phases = [drawn(phase=45 * k) for k in range(8)]
    np.testing.assert_allclose(np.mean(phases, axis=0), 0, atol=1 / 127)
    # One cycle has 8 pixels, so an eighth of a cycle is one pixel.
    np.testing.assert_allclose(phases[1][:, :-1], phases[0][:, 1:], atol=1 / 127)


def test_contrast_is_that_of_michelson_and_grey_is_the_screen_around_images():
    image = drawn(contrast=0.25, spatial_frequency=0.2)
    lowest, highest = (128 + 127 * image.min()), (128 + 127 * image.max())
    assert (highest - lowest) / (highest + lowest) == pytest.approx(0.25, abs=0.01)
    assert (drawn(contrast=0) == 0).all()


def test_the_aperture_has_its_area_and_no_steps():
    image = drawn(spatial_frequency=1e-9, diameter=4)
    assert image[0, 0] == 0
    assert image[32, 32] == 1
    # Pixels of an eighth of a degree.
    assert image.sum() / 64 == pytest.approx(np.pi * 2**2, rel=0.01)
    assert ((image > 0.05) & (image < 0.95)).sum() > 20


def test_images_that_are_not_square_have_round_apertures():
    image = drawn(Screen(32, 64, 8.0, 64), spatial_frequency=1e-9, diameter=3)
    rows, columns = np.nonzero(image > 0.5)
    assert np.ptp(rows) == np.ptp(columns)
    assert Screen(32, 64, 8.0, 64).side == 4


def test_frequencies_that_pixels_cannot_show_are_refused():
    with pytest.raises(
        InputError, match=r"spatial_frequency: 4 cycles per degree; on 64 pixels that span 8 degrees, onl"
    ):
        drawn(spatial_frequency=4)
    # A network that makes the image smaller sees fewer pixels.
    with pytest.raises(
        InputError, match="2.5 cycles per degree; on 32 pixels that span 8 degrees, only frequencies belo"
    ):
        shown_frequencies([1, 2.5, 0.5, 0.6], Screen(64, 64, 8.0, 32))
    with pytest.raises(InputError, match=r"contrast: 0.5 to 1.5; 0 to 1 is right"):
        draw_gratings(pd.DataFrame([FULL | {"contrast": 0.5}, FULL | {"contrast": 1.5}]), SCREEN)


def test_frequencies_are_half_octaves_below_nyquist_or_those_named():
    assert shown_frequencies(None, SCREEN).tolist() == LADDER[LADDER < 4].tolist()
    np.testing.assert_allclose(np.diff(np.log2(LADDER)), 0.5)
    assert shown_frequencies([2, 1, 3, 0.5], SCREEN).tolist() == [0.5, 1, 2, 3]
    with pytest.raises(
        InputError, match=r"degrees: the screen of 16 pixels over 8 degrees can show 3 of the frequencies"
    ):
        shown_frequencies(None, Screen(16, 16, 8.0, 16))

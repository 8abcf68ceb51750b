"""Classical controls: tuned, invariant and normalised as in the literature, and equal to plain computations."""

import numpy as np
import pytest
import torch
import zarr
from PIL import Image
from scipy import signal
from scipy.spatial.distance import cdist
from skimage.filters import gabor_kernel

from ventral.activations.extraction import extract
from ventral.errors import InputError
from ventral.models import gabor, hmax, sift
from ventral.models.description import build, trace_stimuli, weights_sha256
from ventral.models.registry import architectures, family_of
from ventral.models.zoo import resolve_model
from ventral.stimuli.ingestion import ingest
from ventral.stimuli.modality import FIRST
from ventral.stimuli.photographs import crops, photographs

SIZE = 128
CONTROLS = [
    name
    for name in architectures()
    if family_of(name).build and not family_of(name).is_trained and family_of(name).modality == FIRST
]
LAYERS = {layer for name in CONTROLS for layer in architectures()[name]["layers"]}


@pytest.fixture(scope="module")
def networks():
    return {name: build(resolve_model(name)) for name in CONTROLS}


def layers_of(network, images, device="cpu"):
    """Return every layer that is a tensor, for images (n, 3, height, width) or luminance (n, height, width)."""
    images = torch.as_tensor(np.asarray(images), dtype=torch.float32)
    images = images if images.ndim == 4 else images[:, None].expand(-1, 3, -1, -1)
    found = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, output, name=name: found.update({name: output}))
        for name, module in network.named_modules()
        if name in LAYERS
    ]
    with torch.inference_mode():
        network(images.to(device))
    for handle in handles:
        handle.remove()
    return {name: output.cpu().numpy() for name, output in found.items()}


def natural(n, size=SIZE):
    return crops(size, 1, seed=5)[:n] / 255


def grating(wavelength, theta, phase=0.0, contrast=1.0):
    """Return luminance whose crests lie at an angle of 90 degrees to `theta`."""
    y, x = np.mgrid[:SIZE, :SIZE]
    carrier = np.cos(2 * np.pi / wavelength * (x * np.cos(theta) + y * np.sin(theta)) + phase)
    return 0.5 + 0.5 * contrast * carrier


def by_scale(features, channels):
    """Return V1-like features (n, p) as one array (n, channels, rows, columns) a wavelength."""
    sides = [SIZE // wavelength * 2 for wavelength in gabor.WAVELENGTHS]
    ends = np.cumsum([channels * side**2 for side in sides])
    parts = np.split(features, ends[:-1], axis=1)
    return [part.reshape(-1, channels, side, side) for part, side in zip(parts, sides, strict=True)]


def at_the_centre(network, images, scale):
    """Return the complex cells' responses (n, orientations) of one wavelength, averaged over the centre."""
    maps = by_scale(layers_of(network, images)["complex"], gabor.ORIENTATIONS)[scale]
    quarter = maps.shape[-1] // 4
    return maps[:, :, quarter:-quarter, quarter:-quarter].mean(axis=(2, 3))


@pytest.mark.parametrize("name", CONTROLS)
def test_features_vary_between_photographs_and_can_be_kept_as_float16(networks, name):
    found = layers_of(networks[name], natural(3))
    assert list(found) == architectures()[name]["layers"]
    for features in found.values():
        assert np.isfinite(features).all()
        # Far from where float16 loses digits.
        assert 0.1 < np.abs(features).max() < 10
        assert np.abs(features.astype(np.float16) - features).max() < 5e-3 * features.std(axis=0).max()
        assert features.std(axis=0).max() > 0.05


@pytest.mark.parametrize("name", CONTROLS)
def test_black_and_even_images_have_finite_features(networks, name):
    for features in layers_of(networks[name], [np.zeros((SIZE, SIZE)), np.full((SIZE, SIZE), 0.4)]).values():
        assert np.isfinite(features).all()


@pytest.mark.parametrize("name", CONTROLS)
def test_features_of_an_image_do_not_depend_on_the_others_of_the_batch(networks, name):
    images = natural(3)
    found = layers_of(networks[name], images)
    turned = layers_of(networks[name], images[[2, 0, 1]])
    for layer, features in found.items():
        np.testing.assert_array_equal(features[[2, 0, 1]], turned[layer])


@pytest.mark.parametrize("name", CONTROLS)
def test_grey_images_and_their_luminance_are_the_same(networks, name):
    colour = natural(1)
    grey = np.einsum("nchw,c->nhw", colour, [0.299, 0.587, 0.114])
    for (_, features), (_, of_grey) in zip(
        layers_of(networks[name], colour).items(), layers_of(networks[name], grey).items(), strict=True
    ):
        assert np.mean(np.abs(features - of_grey) > 1e-3) < 0.01


@pytest.mark.parametrize("name", ["hmax", "sift_bag"])
def test_what_is_learned_is_that_of_the_seed(name, monkeypatch):
    monkeypatch.setattr(hmax, "BANDS", hmax.BANDS[:3])
    monkeypatch.setattr(hmax, "PROTOTYPES", 8)
    monkeypatch.setattr(sift, "CROPS", 1)
    monkeypatch.setattr(sift, "WORDS", 8)
    first, again, other = (weights_sha256(build(resolve_model(name, {"seed": seed}))) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("name", ["v1like", "v2like"])
def test_without_learning_a_seed_changes_nothing_and_is_refused(networks, name):
    assert weights_sha256(networks[name]) == weights_sha256(build({**resolve_model(name), "seed": 1}))
    with pytest.raises(InputError, match=f"models.{name}.seed: it has no effect on {name}, in which nothing is random"):
        resolve_model(name, {"seed": 1})


@pytest.mark.parametrize("name", CONTROLS)
def test_layers_are_found_as_those_of_any_network(networks, name):
    spec = resolve_model(name)
    traced = trace_stimuli(networks[name], (3, 200, 200), spec)
    in_order = [layer for layer in traced if layer in spec["layers"]]
    assert in_order == spec["layers"]
    assert all(traced[layer].runs == 1 for layer in in_order)


def test_extraction_takes_controls_as_it_takes_networks(networks, tmp_path):
    for k, pixels in enumerate(crops(SIZE, 1, seed=9)[:3]):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / f"image{k}.png")
    ingest({"images": str(tmp_path)}, tmp_path / "stimuli.zarr", name="mine")
    options = {"device": "cpu", "batch_size": 2, "autocast": "bfloat16"}
    extract(tmp_path / "stimuli.zarr", resolve_model("v2like"), 0, 3, tmp_path / "a.zarr", **options)
    store = zarr.open_group(tmp_path / "a.zarr", mode="r")
    expected = layers_of(networks["v2like"], crops(SIZE, 1, seed=9)[:3] / 255)
    assert store.attrs["family"] == "classical"
    for layer in ("products", "correlations"):
        np.testing.assert_allclose(store[layer][:], expected[layer], atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("name", CONTROLS)
def test_a_gpu_gives_what_the_cpu_gives(networks, name):
    expected = layers_of(networks[name], natural(2))
    network = build(resolve_model(name)).to("cuda")
    found = layers_of(network, natural(2), device="cuda")
    for layer, features in expected.items():
        # A descriptor halfway between two words may be taken for the other.
        assert np.mean(np.abs(found[layer] - features) > 1e-3) < 0.01


def test_stimuli_that_are_too_small_are_refused(networks):
    with pytest.raises(InputError, match="forward pass fails on stimuli of 3 x 40 x 40: ValueError: no band of C1 has"):
        trace_stimuli(networks["hmax"], (3, 40, 40), resolve_model("hmax", {"size": None}))


# V1


@pytest.mark.parametrize(("scale", "row", "column"), [(0, 20, 31), (1, 15, 16), (2, 9, 4), (3, 3, 4)])
def test_complex_cells_are_those_of_a_plain_convolution(networks, scale, row, column):
    image = natural(1).mean(axis=1)[0]
    wavelength, step = gabor.WAVELENGTHS[scale], gabor.WAVELENGTHS[scale] // 2
    padded = np.pad(image, 200, mode="edge")
    energies = []
    for k in range(gabor.ORIENTATIONS):
        kernel = gabor_kernel(1 / wavelength, k * np.pi / gabor.ORIENTATIONS, bandwidth=1.4)
        envelope = np.abs(kernel)
        kernel = kernel - envelope * kernel.sum() / envelope.sum()
        own = grating_patch(kernel.shape, wavelength, k * np.pi / gabor.ORIENTATIONS)
        # Contrast 1 is half the range of luminance.
        kernel = kernel / (0.5 * (kernel.real * own).sum())
        responses = signal.fftconvolve(padded, kernel[::-1, ::-1], mode="same")
        energies.append(
            np.abs(responses[200 + step // 2 : 200 + SIZE : step, 200 + step // 2 : 200 + SIZE : step]) ** 2
        )
    energies = np.array(energies)
    weights = signal.windows.gaussian(9, 2)
    weights = np.outer(weights, weights) / weights.sum() ** 2
    pool = signal.convolve2d(np.pad(energies.mean(axis=0), 4, mode="edge"), weights, mode="valid")
    expected = np.sqrt(energies / (0.1**2 + pool))[:, row, column]
    found = by_scale(layers_of(networks["v1like"], image[None])["complex"], gabor.ORIENTATIONS)[scale]
    np.testing.assert_allclose(found[0, :, row, column], expected, rtol=1e-3, atol=1e-4)


def grating_patch(shape, wavelength, theta):
    y, x = np.ogrid[tuple(slice(-(side // 2), side // 2 + 1) for side in shape)]
    return np.cos(2 * np.pi / wavelength * (x * np.cos(theta) + y * np.sin(theta)))


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_complex_cells_prefer_their_orientation_and_wavelength(networks, scale):
    wavelength, n = gabor.WAVELENGTHS[scale], gabor.ORIENTATIONS
    angles = np.arange(n) * np.pi / n
    # Of contrast so low that normalisation does not yet flatten the curves.
    tuning = at_the_centre(networks["v1like"], [grating(wavelength, angle, contrast=0.02) for angle in angles], scale)
    assert (tuning.argmax(axis=0) == np.arange(n)).all()
    orthogonal = tuning[(np.arange(n) + n // 2) % n, np.arange(n)]
    assert (orthogonal < 0.05 * tuning.max(axis=0)).all()
    octaves = np.array([-2, -1, -0.5, 0, 0.5, 1, 2])
    images = [grating(wavelength / 2**octave, angles[1], contrast=0.02) for octave in octaves]
    spectrum = at_the_centre(networks["v1like"], images, scale)[:, 1]
    assert octaves[spectrum.argmax()] == 0
    assert spectrum[[0, -1]].max() < 0.2 * spectrum.max()


def test_complex_cells_do_not_see_phase_and_simple_cells_do(networks):
    phases = np.arange(8) * np.pi / 4
    images = [grating(8, 0.0, phase) for phase in phases]
    complexes = at_the_centre(networks["v1like"], images, scale=1)[:, 0]
    assert np.ptp(complexes) < 0.02 * complexes.mean()
    simple = by_scale(layers_of(networks["v1like"], images)["simple"], 4 * gabor.ORIENTATIONS)[1][:, 0, 15, 15]
    assert simple.min() == 0
    assert np.ptp(simple) > 0.9 * complexes.mean()


def test_simple_cells_come_in_four_phases_that_make_the_complex_ones(networks):
    found = layers_of(networks["v1like"], natural(2))
    for simple, complexes in zip(
        by_scale(found["simple"], 4 * gabor.ORIENTATIONS), by_scale(found["complex"], gabor.ORIENTATIONS), strict=True
    ):
        even, odd, not_even, not_odd = np.split(simple, 4, axis=1)
        assert (even * not_even == 0).all()
        assert (odd * not_odd == 0).all()
        squares = even**2 + odd**2 + not_even**2 + not_odd**2
        np.testing.assert_allclose(np.sqrt(squares), complexes, atol=1e-5)


def test_responses_saturate_with_contrast(networks):
    contrasts = np.array([0.02, 0.04, 0.25, 0.5, 1.0])
    images = [grating(8, 0.0, contrast=contrast) for contrast in contrasts]
    response = at_the_centre(networks["v1like"], images, scale=1)[:, 0]
    assert (np.diff(response) > 0).all()
    assert response[1] / response[0] > 1.9
    assert response[4] / response[3] < 1.1
    # c / sqrt(s² + p c²), where p is the mean energy over orientations at contrast 1.
    p = np.polyfit(contrasts**2, (contrasts / response) ** 2, 1)
    np.testing.assert_allclose(p[1], gabor.SEMI_SATURATION**2, rtol=0.05)


def test_a_grating_of_another_orientation_suppresses(networks):
    alone = grating(8, 0.0, contrast=0.3)
    masked = alone + grating(8, np.pi / 2, contrast=0.6) - 0.5
    response = at_the_centre(networks["v1like"], [alone, masked], scale=1)[:, 0]
    assert response[1] < 0.75 * response[0]


# V2


def test_combinations_are_counted_as_said():
    maps = [torch.rand(1, 8, side, side) for side in (64, 32, 16, 8)]
    pairs = gabor.combinations(maps)
    channels = dict.fromkeys((64, 32, 16, 8), 0)
    for first, second in pairs:
        assert first.shape == second.shape
        channels[first.shape[-1]] += first.shape[1]
    within = 8 * 7 // 2 + 8 * len(gabor.NEIGHBOURS)
    assert channels == {64: within, 32: within + 64, 16: within + 64, 8: within + 64}


def test_statistics_are_products_and_correlations_within_windows(networks):
    image = natural(1).mean(axis=1)
    complexes = by_scale(layers_of(networks["v1like"], image)["complex"], gabor.ORIENTATIONS)
    found = layers_of(networks["v2like"], image)
    # The first pair of orientations of the finest filters: windows of 8 x 8 positions, 4 apart, from -2 on.
    first, second = complexes[0][0, 0], complexes[0][0, 1]
    for name in ("products", "correlations"):
        maps = found[name][0, : 28 * 16 * 16].reshape(28, 16, 16)
        for row, column in ((5, 9), (14, 1)):
            window = np.s_[4 * row - 2 : 4 * row + 6, 4 * column - 2 : 4 * column + 6]
            a, b = first[window].ravel(), second[window].ravel()
            expected = np.sqrt(np.mean(a * b))
            if name == "correlations":
                expected = np.cov(a, b, bias=True)[0, 1] / np.sqrt((a.var() + 0.01) * (b.var() + 0.01))
            assert maps[0, row, column] == pytest.approx(expected, abs=1e-4)


def scrambled(image, rng):
    """Return an image with the same amplitude spectrum and the phases of noise."""
    phases = np.angle(np.fft.fft2(rng.standard_normal(image.shape)))
    return np.fft.ifft2(np.abs(np.fft.fft2(image - image.mean())) * np.exp(1j * phases)).real + image.mean()


def test_v2_responds_to_natural_texture_more_than_to_noise_of_its_spectrum_and_v1_does_not(networks):
    """Freeman et al. 2013: a modulation index of both, for textures, averaged over units."""
    rng = np.random.default_rng(0)
    modulation = {"complex": [], "products": [], "correlations": []}
    for name in ("grass", "gravel", "brick"):
        pixels = photographs()[name][:256, :256].mean(axis=2) / 255
        patches = pixels.reshape(2, 128, 2, 128).swapaxes(1, 2).reshape(4, 128, 128)
        noise = np.stack([scrambled(patch, rng) for patch in patches])
        for layer, network in (("complex", "v1like"), ("products", "v2like"), ("correlations", "v2like")):
            texture, control = (layers_of(networks[network], images)[layer].mean() for images in (patches, noise))
            modulation[layer].append((texture - control) / (texture + control))
    assert (np.array(modulation["correlations"]) > 0.03).all()
    assert (np.array(modulation["correlations"]) > np.array(modulation["complex"]) + 0.05).all()
    assert np.abs(modulation["products"]).max() < 0.2


# HMAX


def test_s1_is_the_normalised_response_of_a_filter(networks):
    image = natural(1).mean(axis=1)[0]
    band = networks["hmax"].bands[2]
    with torch.inference_mode():
        s1 = band(torch.from_numpy(image)[None, None])[0].numpy()
    side = 17
    deviation = 0.0036 * side**2 + 0.35 * side + 0.18
    y, x = np.mgrid[-8:9, -8:9]
    for k, theta in enumerate(np.arange(4) * np.pi / 4):
        along, across = x * np.cos(theta) + y * np.sin(theta), -x * np.sin(theta) + y * np.cos(theta)
        envelope = np.exp(-(along**2 + 0.09 * across**2) / (2 * deviation**2))
        kernel = envelope * np.cos(2 * np.pi * 0.8 / deviation * along)
        inside = x**2 + y**2 <= (side / 2) ** 2
        kernel = np.where(inside, kernel - kernel[inside].mean(), 0)
        patch = image[40 - 8 : 40 + 9, 60 - 8 : 60 + 9]
        expected = abs((kernel * patch).sum()) / np.linalg.norm(kernel) / np.linalg.norm(patch)
        # The larger of the band's two sizes; its filters stand two pixels apart.
        assert s1[4 + k, 20, 30] == pytest.approx(expected, rel=1e-4)


def test_c1_is_the_maximum_over_sizes_and_a_window(networks):
    band = networks["hmax"].bands[0]
    s1 = torch.rand(1, 8, 40, 40)
    c1 = band.pooled(s1)[0].numpy()
    larger = torch.maximum(s1[0, :4], s1[0, 4:]).numpy()
    assert c1[2, 3, 5] == larger[2, 12:20, 20:28].max()
    assert c1.shape == (4, 9, 9)


def test_s2_is_a_gaussian_of_the_distance_and_c2_its_maximum(networks):
    network = networks["hmax"]
    c1 = torch.rand(2, 4, 12, 12) * 0.3
    prototypes = network.prototypes[1]
    with torch.inference_mode():
        s2 = prototypes(c1).numpy()
    weight = prototypes.weight.numpy()
    between = np.square(weight[:, None] - weight[None]).sum(axis=(2, 3, 4))
    width = between.sum() / (len(weight) * (len(weight) - 1))
    piece = c1[1, :, 2:10, 3:11].numpy()
    expected = np.exp(-np.square(piece - weight).sum(axis=(1, 2, 3)) / width)
    np.testing.assert_allclose(s2[1, :, 2, 3], expected, rtol=1e-4)
    largest = network.c2([[torch.from_numpy(s2)], [torch.from_numpy(s2) - 1, torch.from_numpy(s2)]]).numpy()
    np.testing.assert_array_equal(largest, np.tile(s2.max(axis=(2, 3)), (1, 2)))


def test_prototypes_are_found_in_the_photographs_that_they_come_from(networks):
    images = crops(hmax.CROP, hmax.CROPS, seed=0) / 255
    c2 = layers_of(networks["hmax"], images)["c2"]
    np.testing.assert_allclose(c2.max(axis=0), 1, atol=1e-3)


def test_c2_tolerates_a_shift_that_changes_c1_and_s1(networks):
    rng = np.random.default_rng(0)
    thing = np.kron(rng.random((4, 4)), np.ones((10, 10)))
    images = np.full((2, SIZE, SIZE), 0.5)
    images[0, 40:80, 40:80] = thing
    images[1, 48:88, 50:90] = thing
    change = {
        layer: np.linalg.norm(features[0] - features[1]) / np.linalg.norm(features[0])
        for layer, features in layers_of(networks["hmax"], images).items()
    }
    assert change["c2"] < 0.2 * change["c1"]
    assert change["c1"] < change["s1"]


# Bag of words


def test_the_bag_counts_the_nearest_word_of_every_descriptor(networks):
    found = layers_of(networks["sift_bag"], natural(2))
    words = networks["sift_bag"].words.weight.numpy().astype(float)
    first = 128 * 30 * 30
    for k in range(2):
        maps = found["descriptors"][k][:first].reshape(128, -1), found["descriptors"][k][first:].reshape(128, -1)
        descriptors = np.concatenate(maps, axis=1).T.astype(float)
        nearest = cdist(descriptors, words).argmin(axis=1)
        counts = np.bincount(nearest, minlength=sift.WORDS)
        np.testing.assert_allclose(found["bag"][k] ** 2 * len(descriptors), counts, atol=1e-2)


def test_the_parts_of_the_pyramid_add_up_to_the_bag(networks):
    words = [torch.randint(sift.WORDS, (1, 28, 28))]
    pyramid = networks["sift_bag"].pyramid(words)[0].numpy().reshape(-1, sift.WORDS)
    bag = networks["sift_bag"].bag(words)[0].numpy()
    np.testing.assert_array_equal(pyramid[0], bag)
    for parts in (pyramid[1:5], pyramid[5:]):
        np.testing.assert_allclose((parts**2).mean(axis=0), bag**2, atol=1e-6)
    # The second of sixteen parts: the first quarter of the rows, the second of the columns.
    counts = torch.bincount(words[0][0, :7, 7:14].flatten(), minlength=sift.WORDS).numpy()
    np.testing.assert_allclose(pyramid[6] ** 2 * 49, counts, atol=1e-4)


def test_the_bag_does_not_see_where_things_are_and_the_pyramid_does(networks):
    rng = np.random.default_rng(0)
    images = np.full((2, SIZE, SIZE), 0.5)
    first, second = rng.random((2, 12, 12))
    # By whole steps of the grid, well within the image.
    for image, (top, left) in zip(images, ((32, 28), (36, 32)), strict=True):
        image[top : top + 12, left : left + 12] = first
    for image, (top, left) in zip(images, ((32, 80), (84, 36)), strict=True):
        image[top : top + 12, left : left + 12] = second
    found = layers_of(networks["sift_bag"], images)
    np.testing.assert_allclose(found["bag"][0], found["bag"][1], atol=1e-6)
    assert np.abs(found["pyramid"][0] - found["pyramid"][1]).max() > 0.1


def test_the_vocabulary_describes_photographs_it_was_not_learned_from(networks):
    """Its words lie nearer to descriptors than as many of these do themselves, and few words are unused."""
    found = layers_of(networks["sift_bag"], crops(SIZE, 1, seed=77) / 255)
    descriptors = found["descriptors"][:, : 128 * 900].reshape(-1, 128, 900).swapaxes(1, 2).reshape(-1, 128)
    words = networks["sift_bag"].words.weight.numpy()
    others = np.random.default_rng(0).choice(descriptors, len(words), replace=False)
    to_words, to_others = (cdist(descriptors, centres, "sqeuclidean").min(axis=1).mean() for centres in (words, others))
    assert to_words < 0.85 * to_others
    assert (found["bag"].max(axis=0) > 0).mean() > 0.75

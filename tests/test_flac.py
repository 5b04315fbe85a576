"""Stems as FLAC, and four of them, by the real command behind the real server."""

import io

import numpy as np
import pytest
import soundfile

from openunmix_models.errors import InputError
from openunmix_models.soundfiles import Mixture, encoding_for
from tests import waves
from tests.random_model import save_random_model

FOUR = ["vocals", "drums", "bass", "other"]


@pytest.fixture(scope="module")
def client(shared_server):
    save_random_model(shared_server.home / "openunmix_models" / "tiny", FOUR, hidden_size=16)
    return shared_server.client()


def separated(client, path, **choice: str) -> dict[str, soundfile.SoundFile]:
    """The stems that are downloaded, open."""
    job = client.uploaded_job(path)
    reply = client.post("/cgi-bin/separate.py", json_wanted=True, job=job, **choice)
    assert reply.status == 202, reply.text
    done = client.wait_for(job, "done", "failed", seconds=120)
    assert done["state"] == "done", done["error"]
    return {stem["name"]: soundfile.SoundFile(io.BytesIO(client.get(stem["url"]).body)) for stem in done["stems"]}


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_stems_add_up_to_the_song_bit_for_bit(client, song, subtype):
    path = song(1.0, name=f"{subtype}.wav", subtype=subtype)
    stems = separated(client, path, model="starter", format="flac")
    assert {(stem.format, stem.subtype, stem.samplerate) for stem in stems.values()} == {("FLAC", subtype, 44100)}
    total = sum(stem.read(dtype="int32").astype(np.int64) for stem in stems.values())
    assert (total == soundfile.read(path, dtype="int32")[0]).all()


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_32"])
def test_what_flac_cannot_hold_becomes_24_bit(client, song, subtype):
    path = song(1.0, name=f"{subtype}.wav", subtype=subtype)
    stems = separated(client, path, model="starter", format="flac")
    assert {stem.subtype for stem in stems.values()} == {"PCM_24"}
    total = sum(stem.read() for stem in stems.values())
    np.testing.assert_allclose(total, soundfile.read(path)[0], atol=2 * 2.0**-23)


def test_a_folder_put_among_the_models_gives_four_stems(client, song):
    stems = separated(client, song(1.0), model="tiny", stems="4")
    assert list(stems) == FOUR
    assert {(stem.format, stem.subtype, stem.frames) for stem in stems.values()} == {("WAV", "PCM_16", 44100)}
    samples = [stem.read() for stem in stems.values()]
    assert all(one.any() for one in samples)
    assert not np.array_equal(samples[0], samples[1])


def test_and_two(client, song):
    stems = separated(client, song(1.0), model="tiny", stems="2", format="wav")
    assert list(stems) == ["vocals", "music"]


@pytest.mark.parametrize(
    ("form", "says"), [({"nb_channels": 9}, "has 9 channels"), ({"sample_rate": 700_000}, "655350")]
)
def test_what_flac_has_no_room_for_is_told_in_a_sentence(tmp_path, form, says):
    path = tmp_path / "song.wav"
    path.write_bytes(waves.written(**form))
    with pytest.raises(InputError, match=says):
        encoding_for(Mixture(path), ".flac")

"""FLAC stems and four stems, by the real engine."""

import io

import numpy as np
import pytest
import soundfile

from tests.support.random_model import save_random_model

FOUR = ["vocals", "drums", "bass", "other"]


@pytest.fixture(scope="module")
def client(shared_server):
    save_random_model(shared_server.home / "openunmix_models" / "tiny", FOUR, hidden_size=16)
    return shared_server.client()


def separated(client, path, **choice: str) -> dict[str, soundfile.SoundFile]:
    """Separate a song and open the downloaded stems."""
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
def test_float_and_32_bit_become_24_bit_flac(client, song, subtype):
    path = song(1.0, name=f"{subtype}.wav", subtype=subtype)
    stems = separated(client, path, model="starter", format="flac")
    assert {stem.subtype for stem in stems.values()} == {"PCM_24"}
    total = sum(stem.read() for stem in stems.values())
    np.testing.assert_allclose(total, soundfile.read(path)[0], atol=2 * 2.0**-23)


def test_a_model_folder_added_by_hand_gives_four_stems(client, song):
    stems = separated(client, song(1.0), model="tiny", stems="4")
    assert list(stems) == FOUR
    assert {(stem.format, stem.subtype, stem.frames) for stem in stems.values()} == {("WAV", "PCM_16", 44100)}
    samples = [stem.read() for stem in stems.values()]
    assert all(one.any() for one in samples)
    assert not np.array_equal(samples[0], samples[1])


def test_a_model_folder_added_by_hand_gives_two_stems(client, song):
    stems = separated(client, song(1.0), model="tiny", stems="2", format="wav")
    assert list(stems) == ["vocals", "music"]


def test_a_floating_point_song_above_full_scale_keeps_its_level_and_invalid_samples_are_named(client, tmp_path):
    path = tmp_path / "loud.wav"
    samples = np.random.default_rng(0).uniform(-3.2, 3.2, (44100, 2)).astype("float32")
    samples[0], samples[7, 0] = 3.2, np.nan
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    job = client.uploaded_job(path)
    assert client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="tiny", format="wav").status == 202
    done = client.wait_for(job, "done", "failed", seconds=120)
    assert "1 samples of the file are not numbers" in done["note"]
    stems = [soundfile.read(io.BytesIO(client.get(stem["url"]).body))[0] for stem in done["stems"]]
    samples[7, 0] = 0
    np.testing.assert_allclose(sum(stems), samples, atol=2 * 2.0**-22)
    mix = soundfile.read(io.BytesIO(client.get(f"/cgi-bin/mix.py?job={job}&vocals=0.5&music=0.5").body))[0]
    np.testing.assert_allclose(mix, 0.5 * samples, atol=2 * 2.0**-22)

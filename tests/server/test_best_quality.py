"""Best quality by the real command: four networks, and two stems that add up to the song exactly."""

import io

import numpy as np
import pytest
import soundfile

from tests.support.random_model import save_random_model


@pytest.fixture(scope="module")
def client(shared_server):
    folder = shared_server.home / "openunmix_models" / "tiny"
    save_random_model(folder, ["vocals", "drums", "bass", "other"], hidden_size=16)
    return shared_server.client()


def separated(client, path, stems: str) -> dict[str, np.ndarray]:
    job = client.uploaded_job(path)
    assert client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="tiny", stems=stems).status == 202
    done = client.wait_for(job, "done", "failed", seconds=120)
    assert done["state"] == "done", done["error"]
    return {
        stem["name"]: soundfile.read(io.BytesIO(client.get(stem["url"]).body), dtype="int32")[0].astype(np.int64)
        for stem in done["stems"]
    }


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_the_stems_add_up_to_the_song_bit_for_bit(client, song, subtype):
    path = song(1.0, name=f"{subtype}.wav", subtype=subtype)
    best, plain = separated(client, path, "2-best"), separated(client, path, "2")
    assert list(best) == ["vocals", "music"]
    assert (best["vocals"] + best["music"] == soundfile.read(path, dtype="int32")[0]).all()
    assert not np.array_equal(best["vocals"], plain["vocals"])  # the other networks have had their say

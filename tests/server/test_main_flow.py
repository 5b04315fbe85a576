"""The main flow over HTTP: upload, separate, download."""

import io
import re

import numpy as np
import soundfile


def read(content: bytes):
    return soundfile.read(io.BytesIO(content), dtype="int16")


def test_the_stems_of_an_upload_add_up_to_it(client, song):
    job = client.uploaded_job(song(3.0), "My Song.wav")
    assert client.separate(job).status == 202
    state = client.wait_for(job, "done", "failed")
    assert [stem["name"] for stem in state["stems"]] == ["vocals", "music"]
    replies = [client.get(stem["url"]) for stem in state["stems"]]
    assert 'filename="My Song - vocals.wav"' in replies[0].headers["Content-Disposition"]
    (vocals, rate), (music, _) = (read(reply.body) for reply in replies)
    mixture, mixture_rate = soundfile.read(song(3.0), dtype="int16")
    assert rate == mixture_rate
    assert vocals.any()
    np.testing.assert_array_equal(vocals.astype(int) + music, mixture)


def test_without_javascript_each_page_leads_to_the_next(client, song):
    home = client.get("/").text
    assert "Choose .wav file for upload" in home
    assert "Send file" in home

    sent = client.upload(song(1.0), "My Song.wav")
    assert sent.status == 303
    uploaded = client.get(sent.headers["Location"]).text
    assert "Sound file is uploaded successfully" in uploaded
    assert "My Song.wav" in uploaded
    action, job = re.search(
        r'action="(\S+separate.py)">\s*<input type="hidden" name="job" value="(\w+)"', uploaded
    ).groups()

    separating = client.post(action, job=job)
    assert separating.status == 303
    waiting = client.get(separating.headers["Location"])
    assert waiting.status in (200, 303)
    client.wait_for(job, "done")
    done = client.get(separating.headers["Location"])
    assert done.status == 303
    page = client.get(done.headers["Location"]).text
    assert "Source file is successfully separated" in page
    for link in re.findall(r'href="(/downloads/[^"]+)"', page):
        assert len(read(client.get(link).body)[0]) == 44100

"""Encodings of the stems."""

import pytest

from openunmix_models.errors import InputError
from openunmix_models.soundfiles import Mixture, encoding_for
from tests.support import wave_files


@pytest.mark.parametrize(
    ("form", "says"), [({"nb_channels": 9}, "has 9 channels"), ({"sample_rate": 700_000}, "655350")]
)
def test_formats_beyond_flac_get_an_error_message(tmp_path, form, says):
    path = tmp_path / "song.wav"
    path.write_bytes(wave_files.encoded(**form))
    with pytest.raises(InputError, match=says):
        encoding_for(Mixture(path), ".flac")

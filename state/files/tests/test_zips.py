"""What a damaged zip can do to the one who reads it."""

import io
import zipfile

from state.files.zips import ZIP_FAULTS

TEXT = b'{"text": "the same again"}\n' * 20


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plain.json", TEXT)
        archive.writestr("größe.json", TEXT)
        with archive.open("large.jsonl", "w", force_zip64=True) as member:
            member.write(TEXT)
    return file.getvalue()


def test_a_byte_of_any_value_at_any_place_is_read_alike_or_is_one_of_the_faults():
    whole = zipped()
    refused = 0
    for place, byte in enumerate(whole):
        for other in {*(byte ^ (1 << bit) for bit in range(8)), 0, 12, 14, 98, 255} - {byte}:
            damaged = whole[:place] + bytes([other]) + whole[place + 1 :]
            try:
                with zipfile.ZipFile(io.BytesIO(damaged)) as archive:
                    texts = [archive.read(info) for info in archive.infolist()]
            except ZIP_FAULTS:
                refused += 1
            else:
                assert all(text in {TEXT, b""} for text in texts), place
    assert refused > 4 * len(whole)

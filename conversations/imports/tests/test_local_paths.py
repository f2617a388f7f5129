import pytest

from conversations.imports.local_paths import make_relative, shorten_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Users/demo/Nola/a/../identity_thread/user.json", "identity_thread/user.json"),
        ("Nola/identity_thread/user.json", "identity_thread/user.json"),
        ("/Users/demo/Desktop/gone.json", "gone.json"),
        ("/home/demo/gone.json", "gone.json"),
        ("C:\\Users\\demo\\nola\\gone.json", "gone.json"),
        ("file:///Users/demo/gone.json", "gone.json"),
        ("/mnt/c/Users/demo/gone.json", "gone.json"),
        ("~demo/gone.json", "gone.json"),
        ("/home/demo", ""),
        ("~demo", ""),
        ("../../nola/gone.json", "gone.json"),
        ("/opt/nola/gone.json", "gone.json"),
        ("", ""),
    ],
)
def test_a_local_path_becomes_relative_and_names_nobody(path, expected):
    assert shorten_path(path, {"identity_thread/user.json"}) == expected


def test_a_source_file_is_made_relative_in_every_spelling_and_shape():
    value = {
        "sourceFile": "/Users/demo/a.json",
        "SOURCE_FILE": ["/Users/demo/b.json", {"path": "/Users/demo/x/c.json"}],
        "deep": [{"source_file": "C:\\Users\\demo"}],
        "note": "/Users/demo",
    }

    assert make_relative(value, {"x/c.json"}) == {
        "sourceFile": "a.json",
        "SOURCE_FILE": ["b.json", {"path": "x/c.json"}],
        "deep": [{"source_file": ""}],
        "note": "/Users/demo",
    }

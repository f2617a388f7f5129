import pytest

from state.jsondoc.names import show_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two words", "two words"),
        ("", "(no name)"),
        (" ", "␣"),
        ("   ", "␣␣␣"),
        (" a  b ", "␣a␣␣b␣"),
        ("\u200b", "‹U+200B›"),
        ("a\u200db", "a‹U+200D›b"),
        ("line\nbreak\t", "line‹U+000A›break‹U+0009›"),
        ("\u00a0", "‹U+00A0›"),
        ("\u202egpj", "‹U+202E›gpj"),
        ("\ufeff\u3164", "‹U+FEFF›‹U+3164›"),
        ("👩\u200d🚀 می\u200cشود", "👩\u200d🚀 می\u200cشود"),
        ("Straße 東京", "Straße 東京"),
    ],
)
def test_what_cannot_be_seen_in_a_name_is_written_out(name, shown):
    assert show_name(name) == shown

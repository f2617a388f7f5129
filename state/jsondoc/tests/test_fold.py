import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc.fold import FEW, fold_text, fold_with_places

TEXTS = st.text(st.sampled_from("aB ßﬁİσΣée\u0301²㎏™がか\u3099ガｶﾞ가각ᄀ\u1161\u11a8里😀ꭰᎠ") | st.characters())


@given(TEXTS)
def test_folding_twice_is_folding_once(text):
    assert fold_text(fold_text(text)) == fold_text(text)


@given(TEXTS)
def test_a_few_signs_in_a_long_text_fold_as_they_do_alone(text):
    long = "Many WORDS " * (FEW * len(text.encode(errors="surrogatepass")) + 1)

    assert fold_text(f"{long}{text} {long}") == f"{fold_text(long)}{fold_text(f'{text} ')}{fold_text(long)}"
    assert fold_text(f"{text} ") == fold_with_places(f"{text} ")[0]


def test_a_text_is_the_same_however_it_is_composed():
    assert fold_text(unicodedata.normalize("NFD", "Žluťoučký 서울 ガ")) == fold_text("zlutoucky 서울 ガ")

"""Random JSON with the awkward cases in it."""

from hypothesis import strategies as st

SCALARS = [None, True, False, 0, 1, -1, 2**70, 1.0, 0.0, -0.0, 1e300, "", "a", "é", "😀", "\0", '"\\/', "\u2028"]
NAMES = ["a", "b", "c", "d", "/", "~", "~1", "", "0", "é", "😀", '"', "\\", "\n", "\x7f"]

names = st.sampled_from(NAMES) | st.text(max_size=4)
values = st.recursive(
    st.sampled_from(SCALARS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(names, inner, max_size=6),
    max_leaves=30,
)
small_values = st.recursive(
    st.sampled_from(SCALARS[:10]),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(NAMES[:7]), inner, max_size=7),
    max_leaves=20,
)

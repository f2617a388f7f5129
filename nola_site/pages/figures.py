"""What the charts of the first screen tell: who writes, how the memory grows, what agents ask for."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date
from typing import Any
from urllib.parse import quote

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from access.actors import name_actor, user_actor
from access.rights import Right
from nola_site.pages import charts
from nola_site.pages.charts import Chart
from nola_site.safety import growth, reads
from nola_site.safety.growth import HistoryGrowth
from state.jsondoc.names import show_name
from state.jsondoc.pointer import escape_token
from state.models import StateEntry

AUTHORS = 5  # that have a colour of their own; the rest are others
BARS = 6
CANDIDATES = 40  # keys that were asked for most, of which some may be gone
OTHERS = "others"
READS = {Right.READ_STATE, Right.READ_CONVERSATIONS}


def list_charts(user: Any, rights: Collection[Right], grown: HistoryGrowth, *, is_all: bool) -> list[Chart]:
    """The charts of what somebody with these rights may read; `is_all`: whether all was weighed."""
    today = timezone.localdate()
    found = []
    if Right.READ_HISTORY in rights and not READS.isdisjoint(rights):
        found.append(chart_writes(user, rights, grown, today))
    if not READS.isdisjoint(rights):
        found.append(chart_growth(rights, grown, today, is_all=is_all))
    if Right.READ_STATE in rights:
        found.append(chart_reads(today))
    return found


# Who writes


def chart_writes(user: Any, rights: Collection[Right], grown: HistoryGrowth, today: date) -> Chart:
    """Changes a day, by who made them."""
    pairs = grown.list_days(today)
    days = [day for day, _ in pairs]
    counts = [growth.count_writes(one, rights) for _, one in pairs]
    total = sum(map(Counter.total, counts))
    span, measure = f"{len(days)} days", "Changes a day, by who made them"
    if not total:
        return Chart("writes", f"Nothing was written in the last {span}", measure)
    ranked = charts.rank_series(counts, AUTHORS + 2)
    actors, rest = ranked[:AUTHORS], ranked[AUTHORS:]
    values = [[*(one[actor] for actor in actors), one.total() - sum(one[actor] for actor in actors)] for one in counts]
    is_one = len(rest) == 1 and not any(one[""] for one in counts)
    names = [name_actor(actor, user_actor(user)).name for actor in (ranked if is_one else actors)]
    names += [] if is_one else [OTHERS]
    series, sums = [*range(len(actors)), AUTHORS], [sum(one) for one in zip(*values, strict=True)]
    if not sums[-1]:
        names, series, sums, values = names[:-1], series[:-1], sums[:-1], [one[:-1] for one in values]
    top = charts.find_top(max(map(sum, values)))
    most = f", most by {_within(names[0])}" if len(names) > 1 and sums[0] * 2 > total else ""
    sees_sum = len(names) > 1
    return Chart(
        "writes",
        f"{_count(total, 'change')} in {span}{most}",
        measure,
        heads=["Day", *names, *(["All"] if sees_sum else [])],
        rows=[
            (charts.name_day(day), [f"{count:,}" for count in [*one, *([sum(one)] if sees_sum else [])]])
            for day, one in reversed(list(zip(days, values, strict=True)))
        ],
        ticks=[f"{top:,}", f"{top // 2:,}", "0"],
        days=charts.pick_days(days),
        slots=charts.place_hints([_hint(day, one, names) for day, one in zip(days, values, strict=True)]),
        legend=[(number, name, f"{count:,}") for number, name, count in zip(series, names, sums, strict=True)],
        paths=list(zip(series, charts.stack_columns(values, top), strict=True)),
    )


def _hint(day: date, counts: list[int], names: list[str]) -> str:
    parts = [f"{name} {count:,}" for name, count in zip(names, counts, strict=True) if count]
    told = f"{_count(sum(counts), 'change')} ({', '.join(parts)})" if parts else "no changes"
    return f"{charts.name_day(day)}: {told}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _within(name: str) -> str:
    return "you" if name == "You" else name


# How the memory grows


def chart_growth(rights: Collection[Right], grown: HistoryGrowth, today: date, *, is_all: bool) -> Chart:
    """All that was ever written, at the end of each day."""
    pairs = grown.list_days(today)
    has_state, has_talk = Right.READ_STATE in rights, Right.READ_CONVERSATIONS in rights
    added = [day.size * has_state + day.said * has_talk for _, day in pairs]
    at, sizes = grown.size * has_state + grown.said * has_talk, list[int]()
    for more in reversed(added):
        sizes.append(at)
        at -= more
    sizes.reverse()
    days = [day for day, _ in pairs]
    what = "in keys and conversations" if has_state and has_talk else "in keys" if has_state else "in conversations"
    measure = f"All that was ever written {what}" + ("" if is_all else "; older changes are still being counted")
    if not sizes[-1]:
        return Chart("growth", "Nothing has been written yet", measure)
    top = charts.find_top_size(max(sizes))
    line, area = charts.draw_line(sizes, top)
    told = [filesizeformat(size) for size in sizes]
    return Chart(
        "growth",
        f"{filesizeformat(sum(added))} written in {len(days)} days",
        measure,
        heads=["Day", "Written", "In all"],
        rows=[
            (charts.name_day(day), [filesizeformat(more), size])
            for day, more, size in reversed(list(zip(days, added, told, strict=True)))
        ],
        ticks=[filesizeformat(top), filesizeformat(top / 2), "0"],
        days=charts.pick_days(days),
        slots=charts.place_hints([f"{charts.name_day(day)}: {size}" for day, size in zip(days, told, strict=True)]),
        line=line,
        area=area,
    )


# What agents ask for


def chart_reads(today: date) -> Chart:
    """How often agents have asked for which key."""
    counts = reads.read_counts(today)
    measure = f"Asked for by agents in {reads.DAYS} days"
    rows = list(_list_reads(counts))[:BARS]
    if not rows:
        return Chart("reads", f"No agent has asked for anything in {reads.DAYS} days", measure)
    most = max(count for _, count, _ in rows)
    title = f"{rows[0][0]} is asked for most" if rows[0][2] else "The whole memory is asked for most"
    return Chart(
        "reads",
        title,
        measure,
        heads=["Key", "Times"],
        rows=[(name, [f"{count:,}"]) for name, count, _ in rows],
        bars=[charts.draw_bar(name, f"{count:,}", count / most, link) for name, count, link in rows],
    )


def _list_reads(counts: Counter[str]) -> Iterator[tuple[str, int, str]]:
    """A name for people, how often, and a link; what is no key any more is left out."""
    ranked = counts.most_common(CANDIDATES)
    there = set(StateEntry.objects.filter(pk__in=[key for key, _ in ranked if key]).values_list("pk", flat=True))
    for key, count in ranked:
        if key == reads.WHOLE:
            yield "Whole memory", count, ""
        elif key in there:
            place = quote(escape_token(key), safe="~")
            yield show_name(key), count, f"{reverse('tree')}#/{place}"

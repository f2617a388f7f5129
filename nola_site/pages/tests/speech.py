"""What a page says, and what of that is not our language."""

import re

FORBIDDEN = [
    *("Select .* to (change|view)", "Search apps", "Site administration", "administration", "admin site", "Home ›"),
    *("django", "unfold", "Record", "Authentication and Authorization", "change history", "queryset"),
    *(
        "\\b([Aa]dd|an?|this|the|selected) users?\\b(?! id)",
        "related items",
        "Not Found",
        "Forbidden",
        "Bad Request",
        "Server Error",
        "CSRF",
    ),
]


def words(response):
    """The text that a page shows, its titles and its labels."""
    html = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    html = re.sub(r'<span[^>]*class="[^"]*material-symbols-outlined.*?</span>', " ", html, flags=re.S)
    said = re.findall(r'(?:title|aria-label|placeholder|alt)="([^"]*)"', html)
    return " ".join([re.sub(r"<[^>]+>", " ", html), *said])


def spoken(response):
    """What of it is not our language."""
    said = words(response)
    return sorted({match[0] for pattern in FORBIDDEN if (match := re.search(f".{{0,30}}{pattern}", said))})


def title(response):
    return " ".join(re.search(r"<title>(.*?)</title>", response.content.decode(), re.S)[1].split())

"""Text from Azure is not trusted: whoever owns a workspace chooses names, tags and messages.

For each place where text is shown, what makes it stand for itself there and for nothing else.
"""

import re

from handlers.cli.console import one_line

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), in full width as well.
_FORMULA = re.compile("^[\\s\"']*[=+\\-@|%\uff1d\uff0b\uff0d\uff20]")
_MARKDOWN = re.compile(r"[&<>`*_\[\]|\\~@#!$:^\"']")
# GitHub looks for mentions and references in what it has rendered.
_MENTION = re.compile(r"[@#]")
_NOTHING = "&#8203;"
_PLACEHOLDER = re.compile(r"\{(\d+)\}")


def visible(text: str) -> str:
    """For a terminal: one line in which nothing moves the cursor, and what nobody would see is written out."""
    return one_line(text)


def cell(text: str) -> str:
    """For CSV: one line that no spreadsheet calculates. The apostrophe is how a person there says that it is text."""
    line = visible(text)
    return f"'{line}" if _FORMULA.match(line) else line


def markdown(text: str) -> str:
    """For Markdown on GitHub, also in a table: no markup, no HTML, no link, and nobody is notified."""
    encoded = _MARKDOWN.sub(_entity, visible(text).replace("www.", "www\ue000"))
    return encoded.replace("\ue000", "&#46;")


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};{_NOTHING if _MENTION.match(found[0]) else ''}"


def sarif(text: str) -> str:
    """For a message of SARIF 2.1.0: no embedded link (§3.11.6) and no placeholder (§3.11.5)."""
    line = visible(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return _PLACEHOLDER.sub(r"{{\1}}", line)


def mermaid(text: str) -> str:
    """For a quoted label of Mermaid: whatever is no letter, digit or blank as an entity code."""
    return "".join(one if one.isalnum() or one in " ." else f"#{ord(one)};" for one in visible(text))

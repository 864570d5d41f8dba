"""The page of a plan: what its script reads is what the plan says, and no other script runs."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from plans import everything

from handlers.cli.formats.choose import Choice, chosen
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.view import View, view
from handlers.cli.page import build
from handlers.cli.present import render, result_document
from shared.access.plan_json import Document

ALL = result_document(everything())

FIELDS = re.search(
    r"const FIELDS = (\[.*?\]);", (Path(build.__file__).with_name("page.js")).read_text("utf-8"), re.DOTALL
)


def _data(text: str) -> Document:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    made: Document = json.loads(found[1])
    return made


def test_each_column_of_the_page_holds_what_its_script_takes_it_for() -> None:
    assert FIELDS
    names, seen, data = json.loads(FIELDS[1]), view(ALL), _data(render(ALL, "html", Screen()))
    assert len(data["items"]) == len(seen.items)
    for item, row in zip(seen.items, data["items"], strict=True):
        said = {
            name: place if isinstance(place, list) else data["strings"][place]
            for name, place in zip(names, row, strict=True)
        }
        told = (said["status"], said["severity"], said["rule"], said["requirements"], said["guard"])
        assert told == (item.status, item.severity, ", ".join(item.rules), ", ".join(item.requirements), item.guard)
        assert (said["resource"], said["reason"], said["remedy"]) == (item.resource, item.reason, item.remedy)
        assert [data["strings"][data["workspaces"][at]] for at in said["workspaces"]] == [*item.workspaces]


def test_the_page_of_a_plan_is_no_report_and_says_what_was_chosen() -> None:
    seen: View = view(chosen(ALL, Choice(rules=["aml-21"])))
    text = build.page(seen)
    assert _data(text)["whole"] is False
    assert "aml-21" in text


def test_the_page_lets_its_own_script_run_and_no_other() -> None:
    text = render(ALL, "html", Screen())
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert scripts
    for one in scripts:
        digest = base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in html.unescape(text)

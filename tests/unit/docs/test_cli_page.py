"""docs/cli.md is what the commands take."""

from docs import cli
from handlers.cli.arguments import commands_of, parser
from handlers.cli.examples import EXAMPLES
from handlers.cli.main import COMMANDS


def test_every_command_and_option_is_there() -> None:
    said = cli.page()
    known = commands_of(parser(COMMANDS))
    assert known.keys() == EXAMPLES.keys()
    for name, command in known.items():
        assert f"## amlguard {name}".rstrip() in said
        options = {one for one in command.format_usage().replace("[", " ").replace("]", " ").split() if one[:2] == "--"}
        assert all(f"`{one}" in said for one in options - {"--help"})

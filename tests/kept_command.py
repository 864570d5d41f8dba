"""A command that is answered in this process: the real one takes longer to start than for all that it is asked."""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

type Answered = tuple[int, str, str]
type Answer = Callable[[Path, list[str]], Answered]

_SHIM = """\
#!{python} -SE
import json, os, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({socket!r})
asked.sendall(json.dumps([os.getcwd(), sys.argv[1:]]).encode() + b"\\n")
code, out, err = json.loads(asked.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


@contextmanager
def kept_command(file: Path, answer: Answer) -> Iterator[None]:
    """`file` is the command. `answer` gets the folder and the words, and gives the exit code, output and errors."""
    at = str(file.with_name("socket"))
    file.write_text(_SHIM.format(python=sys.executable, socket=at), "utf-8")
    file.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(at)
        server.listen()
        serving = threading.Thread(target=_serve, args=(server, answer), daemon=True)
        serving.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)  # what waits for the next command ends
            serving.join()


def _serve(server: socket.socket, answer: Answer) -> None:
    """One command after another, as they are asked."""
    while True:
        try:
            asked, _ = server.accept()
        except OSError:
            return
        with asked, asked.makefile("rw", encoding="utf-8") as line:
            folder, words = json.loads(line.readline())
            line.write(json.dumps(answer(Path(folder), words)) + "\n")

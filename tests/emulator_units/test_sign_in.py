"""The page that says how to use the local Azure: `make clients` runs its snippets, and here is what they stand on."""

import json
import subprocess
from typing import Any

from clients import snippets
from docs.sign_in import exports

READY: dict[str, Any] = {
    "arm": "https://127.0.0.1:1",
    "operatorToken": "token",
    "env": {"SSL_CERT_FILE": "/a folder/ca.pem"},
    "signIn": {
        "authority": "https://127.0.0.1:1",
        "tenantId": "t",
        "clientId": "c",
        "clientSecret": "it's a secret; $HOME",
        "subscriptionId": "s",
    },
}


def test_a_shell_gets_what_the_line_says() -> None:
    script = f'{exports(json.dumps(READY))}\necho "$AZURE_CLIENT_SECRET|$SSL_CERT_FILE|$ARM|$AZURE_AUTHORITY_HOST"'
    ran = subprocess.run(["bash", "-euc", script], capture_output=True, check=True, text=True)
    assert ran.stdout == "it's a secret; $HOME|/a folder/ca.pem|https://127.0.0.1:1|https://127.0.0.1:1\n"


def test_every_snippet_of_the_page_is_found() -> None:
    page = snippets.PAGE.read_text("utf-8")
    found = snippets.blocks(page)
    assert len(found) == page.count("```") // 2
    assert [title for title, _, _ in found] == [
        *("Start", "The Azure CLI", "azure-ai-ml", "curl", "Management SDKs", "Logs, events and blobs", "The end"),
    ]

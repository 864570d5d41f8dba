"""The one error that the local Azure answers with, in Azure Resource Manager's shape."""

from typing import Any


class AzureError(Exception):
    """An HTTP error answer: `{"error": {"code", "message"}}` with `status` and any extra `headers`."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message}}

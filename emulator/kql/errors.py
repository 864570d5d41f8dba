"""Why a KQL query can be refused. The services put these into their own error shapes."""


class KqlError(Exception):
    """The query is refused. `message` names what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class KqlSyntaxError(KqlError):
    """The text does not parse. `line` counts from 1, `position` (in the line) from 0."""

    def __init__(self, line: int, position: int, token: str) -> None:
        super().__init__(f"Query could not be parsed at '{token}' on line [{line},{position}]")
        self.line = line
        self.position = position
        self.token = token


class KqlSemanticError(KqlError):
    """The text parses but has no meaning. `code` is Kusto's, if it is known."""

    def __init__(self, message: str, code: str = "SEM0001") -> None:
        super().__init__(message)
        self.code = code


class UnknownTableError(KqlSemanticError):
    def __init__(self, operator: str, name: str) -> None:
        super().__init__(f"{operator}Failed to resolve table or column expression named '{name}'", "SEM0100")
        self.name = name


class UnsupportedError(KqlSemanticError):
    """Kusto knows it, but this service does not. `token` is the operator or keyword."""

    def __init__(self, token: str, reason: str) -> None:
        super().__init__(reason)
        self.token = token

"""Azure's wildcards, the slow and obvious way: what the product's own matcher is judged by."""


def matches(pattern: str, operation: str) -> bool:
    """Whether `pattern` matches an operation without wildcards: `*` is any text, `/*/` may also be `/` alone."""
    return _matches(pattern.lower(), operation.lower())


def _matches(pattern: str, operation: str) -> bool:
    if not pattern:
        return not operation
    if pattern.startswith("/*/") and _matches(pattern[2:], operation):
        return True
    if pattern[0] == "*":
        return any(_matches(pattern[1:], operation[at:]) for at in range(len(operation) + 1))
    return bool(operation) and pattern[0] == operation[0] and _matches(pattern[1:], operation[1:])

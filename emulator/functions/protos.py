"""Plain classes in place of the Functions host's protobuf messages (FunctionRpc.proto).

Microsoft's worker library builds and reads its messages through the module that it gets as `protos`. Names and numbers
are those of https://github.com/Azure/azure-functions-language-worker-protobuf/blob/dev/src/proto/FunctionRpc.proto
"""

from types import SimpleNamespace

RpcException = RpcFunctionMetadata = RpcRetryOptions = WorkerMetadata = SimpleNamespace
WorkerInitResponse = FunctionMetadataResponse = InvocationResponse = SimpleNamespace


class StatusResult(SimpleNamespace):
    Failure = 0
    Success = 1


class BindingInfo(SimpleNamespace):
    """Directions are `in`, `out`, `inout`. `undefined` is the data type of a binding that names none."""

    out = 1
    inout = 2
    undefined = 0


class TypedData(SimpleNamespace):
    """Contains one of `json`, `string`, `bytes` …, or nothing."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        return next(iter(vars(self)), None)


class ParameterBinding(SimpleNamespace):
    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's name
        return "data"

"""Google's own gRPC client, grpcio, against our gRPC server: the program grpc_echo, which gives back what it gets.

Unary and streaming both ways, gzip and deflate, TLS and mTLS, deadlines, cancelled calls, slow readers, large messages,
many calls at once.
"""
import concurrent.futures
import random
import subprocess
import time

import grpc

from world import Failure, make_certificates

RAW = dict(request_serializer=None, response_deserializer=None)


class Echo:
    """The program under test, and a channel to it."""

    def __init__(self, program, *options, credentials=None, channel_options=()):
        self.process = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
        self.target = f"localhost:{int(self.process.stdout.readline())}"
        self.credentials = credentials
        options = [("grpc.max_receive_message_length", -1), *channel_options]
        self.channel = (grpc.secure_channel(self.target, credentials, options) if credentials
                        else grpc.insecure_channel(self.target, options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()
        self.process.kill()
        self.process.wait()

    def unary(self, name="Unary"):
        return self.channel.unary_unary(f"/test.Echo/{name}", **RAW)

    def stream(self, name="Stream"):
        return self.channel.stream_stream(f"/test.Echo/{name}", **RAW)


def expect(condition, text):
    if not condition:
        raise Failure(str(text))


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise Failure("the call succeeded")


def check_unary(echo):
    for size in (0, 1, 16384, 100_000, 4_000_000):
        data = random.randbytes(size)
        expect(echo.unary()(data, timeout=20) == data, f"unary of {size} bytes")


def check_compression(echo):
    data = b"compress me " * 100_000
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        expect(echo.unary()(data, timeout=20, compression=compression) == data, str(compression))
    error = code_of(lambda: echo.unary()(b"\0" * 5_000_000, timeout=20, compression=grpc.Compression.Gzip))
    expect(error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error)


def check_too_large(echo):
    error = code_of(lambda: echo.unary()(random.randbytes(30_000_000), timeout=20))
    expect(error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error)
    expect(echo.unary()(b"x", timeout=20) == b"x", "the connection is good after it")


def check_status(echo):
    error = code_of(lambda: echo.unary("Refuse")(b"x", timeout=20))
    expect(error.code() == grpc.StatusCode.UNAVAILABLE and error.details() == "no \u00e4 for 100 %\n", error)
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    try:
        from google.rpc import error_details_pb2, status_pb2
    except ImportError:
        expect(b"google.rpc.RetryInfo" in details, details)
        return
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.RetryInfo()
    expect(status.details[0].Unpack(info) and info.retry_delay.nanos == 250_000_000, status)


def check_stream(echo):
    sent = [random.randbytes(random.choice((0, 3, 70_000))) for _ in range(300)]
    expect(list(echo.stream()(iter(sent), timeout=30)) == sent, "a stream both ways")


def check_deadline(echo):
    begin = time.monotonic()
    error = code_of(lambda: echo.unary("Wait")(b"x", timeout=0.3))
    expect(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error)
    expect(time.monotonic() - begin < 3, "a deadline of 0.3 s")


def check_cancel(echo):
    for _ in range(50):
        call = echo.stream("Wait")(iter([b"x"]))
        call.cancel()
    expect(echo.unary()(b"x", timeout=20) == b"x", "the connection is good after resets")


def check_slow_reader(echo):
    call = echo.channel.unary_stream("/test.Echo/Pour", **RAW)(b"")
    next(call)
    counts = [0, -1]
    while counts[0] != counts[1]:
        time.sleep(0.3)
        counts = [int(echo.unary("Poured")(b"", timeout=20)), counts[0]]
    expect(counts[0] < 64 << 20, f"{counts[0]} bytes were taken from a server whose client does not read")
    for _ in range(500):
        next(call)
    call.cancel()


def check_many(echo):
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        sent = [random.randbytes(random.randrange(50_000)) for _ in range(2_000)]
        expect(list(pool.map(lambda data: echo.unary()(data, timeout=60), sent)) == sent, "2000 calls")


def check_tls(program, folder):
    paths = make_certificates(folder)
    made = {name: path.read_bytes() for name, path in paths.items()}
    server = ("--cert", str(paths["server"]), "--key", str(paths["server_key"]))
    one_sided = grpc.ssl_channel_credentials(made["ca"])
    with Echo(program, *server, credentials=one_sided) as echo:
        check_unary(echo)
        check_stream(echo)
    mutual = (*server, "--client-ca", str(paths["ca"]))
    with Echo(program, *mutual,
              credentials=grpc.ssl_channel_credentials(made["ca"], made["client_key"], made["client"])) as echo:
        check_unary(echo)
    with Echo(program, *mutual, credentials=one_sided) as echo:
        error = code_of(lambda: echo.unary()(b"x", timeout=5))
        expect(error.code() == grpc.StatusCode.UNAVAILABLE, error)


CHECKS = {
    "unary calls": check_unary, "compression": check_compression, "too large a request": check_too_large,
    "status and retry delay": check_status, "a stream both ways": check_stream, "deadlines": check_deadline,
    "cancelled calls": check_cancel, "a reader that does not read": check_slow_reader, "2000 calls at once": check_many,
}


def check(world):
    """Returns what was tried, in one line."""
    program = str(world.build / "grpc_echo")
    for name, try_it in CHECKS.items():
        with Echo(program) as echo:
            try:
                try_it(echo)
            except (Failure, grpc.RpcError) as failure:
                raise Failure(f"{name}: {failure}") from failure
            expect(echo.process.poll() is None, f"{name}: the server has ended")
    check_tls(program, world.folder("grpcio-client"))
    return [", ".join([*CHECKS, "TLS, mTLS"])]
